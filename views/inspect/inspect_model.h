// SPDX-License-Identifier: GPL-3.0-or-later
// What Inspect shows, and how it changes: follows the shared selection, loads in jobs, tells the panels. Panels only draw what is here.
#pragma once

#include <QObject>
#include <QSet>
#include <QTimer>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "analysis/query/restricted_run.h"
#include "views/inspect/caching_reader.h"
#include "views/inspect/inspect_data.h"
#include "views/inspect/own_samples.h"
#include "views/models/workspace_context.h"

namespace es::views {

/// What the overlay compares the sample's routing with.
struct OverlayComparison {
    enum class Kind : std::uint8_t { kBefore, kStep, kRun };
    Kind kind = Kind::kBefore;  ///< the checkpoint before the shown one
    std::int64_t step = -1;     ///< kStep: that checkpoint
    QString run;                ///< kRun: the same sample in that run, at its probe nearest to the shown step
    bool operator==(const OverlayComparison&) const = default;
};

/// How the overlay is drawn; not part of the selection, kept with the layout.
struct OverlayChoices {
    analysis::OverlayMode mode = analysis::OverlayMode::kExpert;
    int rank = 0;  ///< 0 first choice, 1 second ...; -1: all of a token's experts, as split cells
    double opacity = 0.5;
    OverlayComparison compared = {};
    bool side_by_side = false;  ///< the overlay twice: what is compared with at the left
    bool operator==(const OverlayChoices&) const = default;
};

/// GUI thread only.
class InspectModel : public QObject {
    Q_OBJECT
public:
    enum class Part { kNone, kLoading, kReady, kFailed };

    explicit InspectModel(WorkspaceContext* context, QObject* parent = nullptr);
    [[nodiscard]] WorkspaceContext& context() const { return *context_; }

    /// The selection with what it leaves open filled in: the newest run, its first sample and the middle of its
    /// picture, its first router. Shown, never written back
    /// before the user chooses something.
    [[nodiscard]] const Selection& shown() const { return shown_; }
    [[nodiscard]] std::shared_ptr<const store::RunReader> reader() const { return cache_; }
    /// The run as far as the chosen set goes: what pages analyse. Null without a run.
    [[nodiscard]] std::shared_ptr<const store::RunReader> analysisReader() const { return analysed_ ? analysed_ : cache_; }
    [[nodiscard]] const analysis::ChosenSet& chosenSet() const { return chosen_set_; }
    /// Everything again with an empty set. Another run lets go of the set.
    void chooseSet(analysis::ChosenSet set);
    [[nodiscard]] Part runPart() const { return run_part_; }
    [[nodiscard]] const Error& runError() const { return run_error_; }
    [[nodiscard]] const RunContents& contents() const { return contents_; }
    [[nodiscard]] bool training() const;  ///< records are still being written
    [[nodiscard]] std::int64_t configuredSteps() const { return feed_ ? feed_->status().steps : 0; }

    [[nodiscard]] Part samplePart() const { return sample_part_; }
    [[nodiscard]] const Error& sampleError() const { return sample_error_; }  ///< of a failed sample, or why a ready one has no routing
    /// The sample on screen: while another one is being read, for a moment still the one before (see sampleOnScreen()).
    [[nodiscard]] const store::SampleRecord* record() const { return record_ ? &*record_ : nullptr; }
    /// Whether record() and routing() are the chosen sample's. When it takes longer than a moment until they are, samplePart() is kLoading.
    [[nodiscard]] bool sampleOnScreen() const { return record_ && shown_.sample && record_->hash == *shown_.sample; }
    [[nodiscard]] const analysis::SampleRouting* routing() const { return routing_.get(); }
    [[nodiscard]] bool isOwn() const;
    /// The sample's routing is not read of the run but computed anew at each checkpoint: an own picture, or a sample that no probe holds.
    [[nodiscard]] bool runsAgain() const { return shown_.sample && ranSample(*shown_.sample); }
    [[nodiscard]] const std::vector<OwnSample>& ownSamples() const { return own_.of(shown_.run); }
    [[nodiscard]] QJsonArray ownState() const { return own_.toJson(); }  ///< for the next session
    void restoreOwn(const QJsonArray& kept);

    /// Router that the layer's tokens of a modality go through; null without one.
    [[nodiscard]] const store::RouterInfo* router(Modality modality) const;
    /// The selected router; null in a run without routers.
    [[nodiscard]] const store::RouterInfo* currentRouter() const { return contents_.router(shown_.router); }
    /// The selected expert; without one the first choice of the selected token in the selected router. Invalid where neither is known.
    [[nodiscard]] ExpertIndex suggestedExpert() const;
    /// Probed (or run) step that is on screen; -1 when none.
    [[nodiscard]] std::int64_t step() const;
    /// Steps that the scrubber offers: probes; for samples that run again the checkpoints that are still there.
    [[nodiscard]] std::vector<std::int64_t> steps() const;

    [[nodiscard]] const OverlayChoices& overlayChoices() const { return choices_; }
    void setOverlayChoices(const OverlayChoices& choices);
    /// Experts on the sample in the shown layer; empty when there is no sample.
    [[nodiscard]] std::optional<analysis::Panel> overlay() const;
    /// What overlay() draws: the sample's routing, or that under the intervention shown. Null without a sample.
    [[nodiscard]] const analysis::SampleRouting* drawnRouting() const { return intervened_ ? intervened_.get() : routing_.get(); }
    /// What it is compared with; null while there is nothing.
    [[nodiscard]] const analysis::SampleRouting* otherRouting() const { return intervened_ ? beforeIntervention() : other_.get(); }
    /// The same of what the sample is compared with; empty while there is nothing.
    [[nodiscard]] std::optional<analysis::Panel> otherOverlay() const;
    /// Why the overlay cannot be drawn in a mode; empty when it can.
    [[nodiscard]] QString missing(analysis::OverlayMode mode) const;
    /// Whether the overlay's values are of the selected expert: then they change with it, and no other expert's tiles step back.
    [[nodiscard]] bool ofOneExpert() const {
        return choices_.mode == analysis::OverlayMode::kProbability || choices_.mode == analysis::OverlayMode::kDifference;
    }
    /// Whether another checkpoint or run is asked for: by the mode, or side by side.
    [[nodiscard]] bool comparing() const;
    [[nodiscard]] QString otherName() const { return other_name_; }         ///< "step 100"
    [[nodiscard]] const Error& otherError() const { return other_error_; }  ///< why there is nothing to compare with
    [[nodiscard]] Part otherPart() const { return other_part_; }

    /// Shows the sample's routing under an intervention, with the tokens that it re-routes outlined, until the sample, its step or the run
    /// changes. Null: as it is. `what` begins the words for it: "expert 5 banned". `before`: what it is compared with; null: what was recorded.
    void showIntervened(std::shared_ptr<const analysis::SampleRouting> routing, const QString& what,
                        std::shared_ptr<const analysis::SampleRouting> before = nullptr);
    [[nodiscard]] const analysis::SampleRouting* intervened() const { return intervened_.get(); }
    [[nodiscard]] const QString& intervenedBy() const { return intervened_by_; }

    /// What the model predicts where the word is hidden (with the sample's other hidden words, when it is one of them), best first, at the shown
    /// checkpoint. Null until it is known; asks for it in the background when `ask`, and predictionsChanged follows.
    const session::WordPrediction* prediction(int word, bool ask);
    /// Why no word can be predicted; empty when some can.
    [[nodiscard]] QString predictionMissing() const;
    /// The selected token in every router that saw it; empty when none is selected, and while its sample is being read.
    [[nodiscard]] std::vector<analysis::TokenReading> path() const;

    [[nodiscard]] const std::optional<analysis::TokenHistory>& history() const { return history_; }
    [[nodiscard]] const std::optional<TrainingCurves>& curves() const { return curves_; }
    /// Share of the shown sample's tokens whose first choice changed since the probe before; without points where that is not known.
    [[nodiscard]] const analysis::Curve& sampleChurn() const { return sample_churn_; }
    /// While hidden, a run that grows is not read again; it is when shown.
    void setVisible(bool visible);
    [[nodiscard]] bool settled() const { return pending_.isEmpty() && run_part_ != Part::kLoading && (training() || !reload_.isActive()); }

    /// Samples as the list shows them, filtered.
    [[nodiscard]] const std::vector<std::uint64_t>& listed() const { return listed_; }
    void setListed(std::vector<std::uint64_t> samples);

    // What the user does. Each is one named step to undo.
    void chooseSample(std::uint64_t hash);
    void chooseToken(Modality modality, int index);  ///< -1 lets go
    /// A patch or word of any sample, seen through a router (none: the layer's for that modality).
    void chooseTokenOf(std::uint64_t sample, Modality modality, int index, RouterId through = {});
    /// Chooses a token besides those chosen, or lets one of them go.
    void addToken(Modality modality, int index);
    void chooseLayer(LayerIndex layer);
    void chooseRouter(RouterId router, ExpertIndex expert = {});
    void toggleExpert(RouterId router, int expert);
    void clearExpert();
    /// Steps of the same `merge_id` (>= 0) in a row are one step to undo: a drag, a play.
    void chooseStep(std::int64_t step, int merge_id = -1);
    /// Runs a picture and caption through the shown checkpoint, keeps and selects it.
    void runOwn(session::SampleRequest request);
    [[nodiscard]] bool runningOwn() const { return running_own_; }

Q_SIGNALS:
    void runChanged();      ///< another run, its state, or its contents
    void samplesChanged();  ///< run's samples or own ones
    void listedChanged();   ///< the list was filtered
    void sampleChanged();   ///< record, routing or step on screen
    void choiceChanged();   ///< router, expert or token
    void chosenSetChanged();
    void overlayChanged();  ///< how the overlay is drawn
    void historyChanged();  ///< strip or curves
    void predictionsChanged();
    void similaritiesChanged();  ///< experts of the run were compared by weights and outputs, and the numbers kept
    void ownRunChanged();        ///< running or done
    void ownRunFailed(const es::Error& error);
    void ownRunSucceeded(quint64 hash);

private:
    void followSelection();
    void followRun();
    void loadContents();
    void fillShown();
    void loadSample();
    [[nodiscard]] const OwnSample* ranSample(std::uint64_t hash) const;
    void runAgain(session::SampleRequest request, const store::SampleRecord* stored, const std::pair<std::uint64_t, std::int64_t>& wanted);
    void loadHistory();
    void loadCurves();
    void loadSampleChurn();
    void loadOther();
    void loadAttention();
    void takeOther(Result<analysis::SampleRouting> routing);
    [[nodiscard]] const analysis::SampleRouting* beforeIntervention() const { return intervened_before_ ? intervened_before_.get() : routing_.get(); }
    void attachAttention();
    [[nodiscard]] std::optional<std::int64_t> checkpointShown() const;
    [[nodiscard]] std::optional<std::int64_t> otherStep() const;
    [[nodiscard]] bool wordHidden(int word) const;
    [[nodiscard]] session::SampleRequest requestFor(std::int64_t checkpoint) const;
    [[nodiscard]] analysis::OverlayOptions overlayOptions(analysis::OverlayMode mode) const;
    void runAt(const session::SampleRequest& request, const QString& slot, std::function<void(Result<session::SampleResult>)> done);
    void showSample(store::SampleRecord record, std::shared_ptr<const analysis::SampleRouting> routing, const Error& missing);
    void showFailure(const Error& error);
    void forgetSample();
    void change(const Selection& next, const QString& what, int merge_id = -1);
    template <class T>
    void job(const QString& slot, const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done);

    WorkspaceContext* context_;
    Selection shown_;
    RunFeed* feed_ = nullptr;
    std::shared_ptr<CachingReader> cache_;
    std::shared_ptr<const store::RunReader> analysed_;  ///< null: everything
    analysis::ChosenSet chosen_set_;
    Part run_part_ = Part::kNone, sample_part_ = Part::kNone;
    Error run_error_, sample_error_;
    RunContents contents_;
    OwnSamples own_;
    OwnSamples again_;  ///< samples of the run that no probe holds, as they were run through checkpoints
    std::optional<store::SampleRecord> record_;
    std::shared_ptr<const analysis::SampleRouting> routing_;
    std::optional<std::pair<std::uint64_t, std::int64_t>> wanted_;  ///< sample and step on screen or being loaded
    OverlayChoices choices_;
    using Place = std::tuple<QString, std::uint64_t, std::int64_t>;  ///< run, sample, step
    std::shared_ptr<const analysis::SampleRouting> other_;
    Part other_part_ = Part::kNone;
    QString other_name_;
    Error other_error_;
    std::optional<std::tuple<Place, OverlayComparison, std::int64_t>> other_of_;  ///< what other_ is, or is being loaded
    std::shared_ptr<const analysis::SampleRouting> intervened_, intervened_before_;
    QString intervened_by_;
    std::map<Place, std::vector<analysis::AttentionMass>> attention_;
    Error attention_error_;
    std::optional<Place> attention_of_;  ///< asked for
    std::map<std::pair<Place, int>, session::WordPrediction> predictions_;
    std::optional<std::pair<Place, int>> predicting_;
    Error prediction_error_;
    std::vector<std::uint64_t> listed_;
    std::optional<analysis::TokenHistory> history_;
    std::optional<TrainingCurves> curves_;
    analysis::Curve sample_churn_;
    std::optional<std::tuple<QString, std::int32_t, std::uint64_t, std::size_t>> sample_churn_of_;  ///< run, router, sample, probes
    QSet<QString> pending_;                                                                         ///< slots with a job under way
    std::tuple<QString, std::int32_t, std::size_t, std::int64_t> curves_of_;  ///< run, router, probes, evaluation that curves_ was made of
    std::tuple<QString, std::uint64_t, std::int32_t, Modality, TokenIndex, std::size_t> history_of_;  ///< likewise: token and probes
    QTimer reload_;                                                                                   ///< gathers changes of a run that is being written
    QTimer late_;                                                                                     ///< until the sample before is no longer shown
    bool visible_ = true, stale_ = false, was_training_ = false;
    bool running_own_ = false;
};

template <class T>
void InspectModel::job(const QString& slot, const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done) {
    pending_.insert(slot);
    context_->jobs->run<T>(this, slot, label, std::move(work), [this, slot, done = std::move(done)](Result<T> result) {
        pending_.remove(slot);
        done(std::move(result));
    });
}

}  // namespace es::views
