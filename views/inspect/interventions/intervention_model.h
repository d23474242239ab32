// SPDX-License-Identifier: GPL-3.0-or-later
// Interventions of the Inspect workspace: what is chosen, what runs, what was found and is kept with the run. Widgets only draw what is here.
#pragma once

#include <QObject>
#include <QTimer>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "analysis/interventions/effects.h"
#include "engine/base/job_context.h"
#include "engine/session/kept_results.h"
#include "views/inspect/inspect_model.h"
#include "views/models/job_queue.h"
#include "views/models/latest_job.h"

namespace es::views {

/// What the user asks for. A value: each change of it is one step to undo. Each run has its own.
struct InterventionChoice {
    enum class Scope { kSample, kTokens, kHeldOut };
    session::InterventionKind kind = session::InterventionKind::kBan;
    std::vector<std::pair<RouterId, int>> experts;  ///< pinned; the selected expert comes besides
    int number = 1;                                 ///< of other k; which draw of a random router
    Scope scope = Scope::kSample;
    QString set;  ///< kHeldOut: only the samples of this saved set; empty: all
    bool operator==(const InterventionChoice&) const = default;
};

/// What a result says about losses, as the panel shows it.
struct ResultEffects {
    std::vector<analysis::LossEffect> losses;
    analysis::ClassEffects classes;               ///< of the held-out samples
    std::vector<analysis::SampleEffect> samples;  ///< likewise
};

/// Progress of a job as it can be read from another thread.
class SharedProgress {
public:
    void set(const Progress& progress) {
        const std::lock_guard lock(mutex_);
        progress_ = progress;
    }
    [[nodiscard]] Progress get() const {
        const std::lock_guard lock(mutex_);
        return progress_;
    }
    /// The job's context with this listening too.
    [[nodiscard]] static JobContext heard(const JobContext& context, std::shared_ptr<SharedProgress> by);

private:
    mutable std::mutex mutex_;
    Progress progress_;
};

/// GUI thread only.
class InterventionModel : public QObject {
    Q_OBJECT
public:
    explicit InterventionModel(InspectModel* model, QObject* parent = nullptr);
    [[nodiscard]] InspectModel* inspect() const { return model_; }

    [[nodiscard]] const InterventionChoice& choice() const { return choice_; }
    /// One named step to undo; changes of the number in a row are one together. Nothing happens when it is the same.
    void choose(const InterventionChoice& choice, const QString& what);
    /// Names of the sets that are saved with the run.
    [[nodiscard]] const QStringList& sets() const { return sets_; }
    void setSets(const QStringList& names);
    void pin(RouterId router, int expert);
    void unpin(RouterId router, int expert);
    /// Experts that the next run is about: those pinned, and the selected one.
    [[nodiscard]] std::vector<std::pair<RouterId, int>> experts() const;
    [[nodiscard]] bool takesExperts() const;
    /// What would run. The error says in words of the panel what is still to be chosen.
    [[nodiscard]] Result<std::vector<session::Intervention>> interventions() const;
    /// Why nothing can run now; empty when it can.
    [[nodiscard]] QString unavailable() const;

    void run();
    void cancel();
    [[nodiscard]] bool running() const { return running_; }
    [[nodiscard]] Progress progress() const { return progress_ ? progress_->get() : Progress{}; }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }  ///< of the last run, of keeping it, or of reading what is kept

    /// Kept with this run, oldest first: without the batch over all experts. Negative ids could not be kept and go with the window.
    [[nodiscard]] const std::vector<store::KeptResult>& results() const { return results_; }
    /// The result that is shown: the chosen one, where it is of the held-out samples or of the sample on screen.
    [[nodiscard]] const store::KeptResult* shown() const;
    /// Of the result that is shown; null while they are computed.
    [[nodiscard]] const ResultEffects* effects() const;
    /// Whether the overlay can show the result: it is of the sample and the step on screen.
    [[nodiscard]] bool drawable(const store::KeptResult& result) const;
    void show(std::int64_t id);  ///< 0: the plain routing. Goes to its sample and step. One step to undo
    void remove(std::int64_t id);
    /// Whether the overlay shows the sample as it was before; not a step to undo: it is looked at, not chosen.
    [[nodiscard]] bool showsBefore() const { return shows_before_; }
    void setShowsBefore(bool before);
    [[nodiscard]] bool settled() const { return !running_ && !reopening_ && files_.idle() && effects_job_.idle(); }

Q_SIGNALS:
    void changed();         ///< choice, running, error, what is shown
    void resultsChanged();  ///< the list

private:
    friend class ChoiceCommand;
    friend class RemoveCommand;
    /// A sample's routing without and with the interventions, from one pass.
    struct Routings {
        std::shared_ptr<const analysis::SampleRouting> before, after;
    };
    struct Outcome {
        store::KeptResult kept;
        Routings routings;
        std::optional<Error> unkept;
        std::shared_ptr<const ResultEffects> effects;
    };
    /// What was on screen when a job began.
    struct Begun {
        std::optional<std::uint64_t> sample;
        std::int64_t step = -1;
        int undo_index = 0;
        bool could_redo = false;
    };
    using Work = std::function<Result<Outcome>(JobContext&)>;
    [[nodiscard]] static Routings routingsOf(session::SampleResult& result, const store::SampleRecord& sample, std::int64_t step);
    [[nodiscard]] static Result<std::shared_ptr<const ResultEffects>> effectsOf(const store::KeptResult& result, const store::RunReader& run);
    [[nodiscard]] Work heldOutWork(const std::vector<session::Intervention>& wanted, std::int64_t checkpoint) const;
    [[nodiscard]] Work sampleWork(const std::vector<session::Intervention>& wanted, std::int64_t checkpoint) const;
    /// Adds the outcome to what is kept with the run; a run that cannot be written keeps nothing, and the outcome says so.
    static void keep(Outcome& outcome, const store::RunReader& run);
    void setChoice(const QString& run, const InterventionChoice& choice);
    void followRun();
    void follow();
    void load();
    void take(Result<Outcome> outcome, const Begun& begun);
    void apply();
    void askEffects();
    void reopen(const store::KeptResult& kept);
    void erase(const QString& run, std::int64_t id);
    void restore(const QString& run, const store::KeptResult& kept);
    void failed(const QString& run, const Error& error);
    [[nodiscard]] session::SampleRequest requestFor(const std::vector<session::Intervention>& interventions, std::int64_t checkpoint) const;
    [[nodiscard]] const store::KeptResult* find(std::int64_t id) const;

    InspectModel* model_;
    QObject *runner_, *writer_;  ///< own the job that cancel() ends, and the changes of files
    InterventionChoice choice_;
    std::map<QString, InterventionChoice> choices_;  ///< of the runs that were looked at before
    QStringList sets_;
    QString run_;
    JobQueue files_;
    LatestJob<std::pair<std::int64_t, std::shared_ptr<const ResultEffects>>> effects_job_;
    std::int64_t effects_of_ = 0;  ///< asked for
    int changes_ = 0;              ///< of what is kept, since the window began
    bool running_ = false, reopening_ = false, shows_before_ = false, applying_ = false;
    std::shared_ptr<SharedProgress> progress_;
    std::optional<Error> error_;
    std::vector<store::KeptResult> results_;
    std::map<std::int64_t, Routings> routings_;                             ///< by result; what was run or opened in this session
    std::map<std::int64_t, std::shared_ptr<const ResultEffects>> effects_;  ///< by result
    std::int64_t unkept_ = 0;
};

/// Words and patches that are hidden to see what the model makes of them: the selected words (else the longest), and one patch in five.
struct HiddenTokens {
    std::vector<std::int32_t> words, patches;
};
[[nodiscard]] HiddenTokens hiddenTokens(const store::SampleRecord& sample, const Selection& selection);

}  // namespace es::views
