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

#include "engine/base/job_context.h"
#include "engine/session/kept_results.h"
#include "views/inspect/inspect_model.h"

namespace es::views {

/// What the user asks for. A value: each change of it is one step to undo.
struct InterventionChoice {
    enum class Scope { kSample, kTokens, kHeldOut };
    session::InterventionKind kind = session::InterventionKind::kBan;
    std::vector<std::pair<RouterId, int>> experts;  ///< pinned; the selected expert comes besides
    int number = 1;                                 ///< of other k; which draw of a random router
    Scope scope = Scope::kSample;
    bool operator==(const InterventionChoice&) const = default;
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
    /// One named step to undo. Nothing happens when it is the same.
    void choose(const InterventionChoice& choice, const QString& what);
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
    void show(std::int64_t id);  ///< 0: the plain routing. One step to undo
    void remove(std::int64_t id);
    /// Whether the overlay shows the sample as it was before; not a step to undo: it is looked at, not chosen.
    [[nodiscard]] bool showsBefore() const { return shows_before_; }
    void setShowsBefore(bool before);
    [[nodiscard]] bool settled() const { return !running_ && !loading_ && !reopening_; }

Q_SIGNALS:
    void changed();         ///< choice, running, error, what is shown
    void resultsChanged();  ///< the list

private:
    friend class ChoiceCommand;
    friend class RemoveCommand;
    struct Outcome {
        store::KeptResult kept;
        std::shared_ptr<const analysis::SampleRouting> after;
        std::optional<Error> unkept;
    };
    void setChoice(const InterventionChoice& choice);
    void followRun();
    void follow();
    void load();
    void take(Result<Outcome> outcome);
    void apply();
    void reopen(const store::KeptResult& kept);
    void erase(std::int64_t id);
    void restore(const store::KeptResult& kept);
    [[nodiscard]] session::SampleRequest requestFor(const std::vector<session::Intervention>& interventions, std::int64_t checkpoint) const;
    [[nodiscard]] const store::KeptResult* find(std::int64_t id) const;

    InspectModel* model_;
    QObject* runner_;  ///< owns the jobs that cancel() ends
    InterventionChoice choice_;
    QString run_;
    bool running_ = false, loading_ = false, reopening_ = false, shows_before_ = false, applying_ = false;
    std::shared_ptr<SharedProgress> progress_;
    std::optional<Error> error_;
    std::vector<store::KeptResult> results_;
    std::map<std::int64_t, std::shared_ptr<const analysis::SampleRouting>> after_;  ///< by result; what was run or opened in this session
    std::int64_t unkept_ = 0;
};

/// Words and patches that are hidden to see what the model makes of them: the selected words (else the longest), and one patch in five.
struct HiddenTokens {
    std::vector<std::int32_t> words, patches;
};
[[nodiscard]] HiddenTokens hiddenTokens(const store::SampleRecord& sample, const Selection& selection);

}  // namespace es::views
