// SPDX-License-Identifier: GPL-3.0-or-later
// One training run in progress: the parts and the loop over steps.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/data/batch_loader.h"
#include "engine/data/data_source.h"
#include "engine/infer/probe_set.h"
#include "engine/model/vl_moe.h"
#include "engine/routing/routing_recorder.h"
#include "engine/store/run_writer.h"
#include "engine/train/checkpoint_store.h"
#include "engine/train/device.h"
#include "engine/train/evaluator.h"
#include "engine/train/expert_gradients.h"
#include "engine/train/optimizer.h"
#include "engine/train/progress_reporter.h"
#include "engine/train/schedule.h"
#include "engine/train/spike_monitor.h"
#include "engine/train/step_report.h"
#include "engine/train/trainer.h"
#include "engine/train/weight_average.h"

namespace es::engine {

/// Used once, on one thread. Throws what Torch throws; train() catches it.
class TrainingRun {
public:
    TrainingRun(const session::TrainRequest& request, const session::TrainHooks& hooks, const JobContext& context, const TrainerOptions& options);
    [[nodiscard]] Status run();

private:
    // Setting up, in this order.
    [[nodiscard]] Status readConfiguration();
    [[nodiscard]] Status openData();
    /// While data are prepared: stop and trace_every are obeyed, the rest has to wait for the first step anyway.
    void takeEarlyRequests();
    [[nodiscard]] Status buildModel();
    /// The weights of model.init_from, unless the run goes on from a checkpoint of its own.
    [[nodiscard]] Status startFromOtherRun();
    /// Says so, and in the run's events, when memory or disk will not do. The run is tried all the same: this is an estimate.
    void warnOfShortage(const DataShape& shape);
    [[nodiscard]] Status restoreCheckpoint();
    [[nodiscard]] Status openRecords();

    [[nodiscard]] Status loop();
    /// Takes requests, waits while paused. True when training is to stop.
    [[nodiscard]] Result<bool> obeyRequests();
    /// A checkpoint of this step, unless there is one or nothing is trained yet.
    [[nodiscard]] Status checkpointOnRequest();
    [[nodiscard]] Status trainStep();
    /// What a step computed before the weights change.
    struct StepWork {
        std::vector<ModelOutput> outputs;  ///< of the micro-batches
        Batch batch;                       ///< the last of them
        RecordedRouting routing;           ///< of all but the last, until takeRouting()
        std::vector<std::int64_t> samples;
        std::int64_t tokens = 0;
        GradientNorms norms;
        at::Tensor expert_norms;  ///< as ExpertGradients::norms(); undefined in steps that do not record them
    };
    /// Forward and backward passes of all micro-batches. Weights and optimizer are as before whatever happens.
    void computeGradients(std::int64_t step, StepWork& work);
    /// What follows the optimizer's step: balancing biases and the average of the weights.
    void finishUpdate(const StepWork& work);
    /// Adds the routing of the last micro-batch to that of the others.
    void takeRouting(StepWork& work);
    [[nodiscard]] Status recordStep(const DeviceNumbers::Values& values, StepWork& work, const StepTiming& timing, bool skipped);
    [[nodiscard]] Status recordSamples(const std::vector<std::int64_t>& samples);
    [[nodiscard]] Status reportNonFinite(const DeviceNumbers::Values& values);
    /// A run that cannot go on for want of memory: keeps a checkpoint of the last whole step and says which batch would fit.
    [[nodiscard]] Status abandonStep();
    [[nodiscard]] Status evaluate();
    [[nodiscard]] Status probe();
    [[nodiscard]] Status checkpoint();
    [[nodiscard]] Status writeCheckpoint();
    [[nodiscard]] Status finish(Status result);
    [[nodiscard]] store::Event event(store::Severity severity, std::string kind, std::string message) const;

    session::TrainRequest request_;
    session::TrainHooks hooks_;
    JobContext context_;
    TrainerOptions options_;
    config::RunConfig config_;
    ComputePlace place_;
    ProgressReporter progress_;

    std::shared_ptr<const DataSource> source_;
    std::shared_ptr<VlMoe> model_;
    std::optional<AdamW> optimizer_;
    LearningRateSchedule schedule_;
    CheckpointStore checkpoints_;
    std::optional<Evaluator> evaluator_;
    std::optional<ProbeSet> probes_;
    std::optional<RoutingRecorder> recorder_;
    std::optional<ExpertGradients> expert_gradients_;
    std::optional<WeightAverage> average_;  ///< none without train.ema_decay
    std::optional<SpikeMonitor> spikes_;    ///< none without train.skip_spikes
    std::unique_ptr<store::RunWriter> writer_;
    std::unique_ptr<BatchLoader> loader_;
    std::vector<store::Event> early_events_;     ///< from before there was a writer
    std::map<std::string, std::string> origin_;  ///< for the provenance of a run that starts from another's weights

    std::int64_t step_ = 0, start_ = 0;
    bool whole_ = true;  ///< all of step_ is done: weights, records, evaluation
    std::int64_t trace_every_ = 0;
    std::stop_source stop_;  ///< the caller's wish, or a request while data are prepared
    std::stop_callback<std::function<void()>> forward_stop_;
    std::chrono::steady_clock::time_point asked_{};
    std::optional<std::int64_t> checkpointed_;  ///< step of the newest checkpoint
    double validation_loss_ = 0;                ///< of this step; NaN when it was not evaluated
};

}  // namespace es::engine
