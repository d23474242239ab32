// SPDX-License-Identifier: GPL-3.0-or-later
// One training run in progress: the parts and the loop over steps.
#pragma once

#include <chrono>
#include <functional>
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
#include "engine/train/optimizer.h"
#include "engine/train/progress_reporter.h"
#include "engine/train/schedule.h"
#include "engine/train/step_report.h"
#include "engine/train/trainer.h"

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
    [[nodiscard]] Status recordStep(const DeviceNumbers::Values& values, RecordedRouting routing, const Batch& batch, const StepTiming& timing);
    [[nodiscard]] Status recordSamples(const std::vector<std::int64_t>& samples);
    [[nodiscard]] Status reportNonFinite(const DeviceNumbers::Values& values, const std::vector<store::LoadRecord>& load);
    [[nodiscard]] Status evaluate();
    [[nodiscard]] Status probe();
    [[nodiscard]] Status checkpoint();
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
    std::unique_ptr<store::RunWriter> writer_;
    std::unique_ptr<BatchLoader> loader_;
    std::vector<store::Event> early_events_;  ///< from before there was a writer

    std::int64_t step_ = 0, start_ = 0;
    std::int64_t trace_every_ = 0;
    std::stop_source stop_;  ///< the caller's wish, or a request while data are prepared
    std::stop_callback<std::function<void()>> forward_stop_;
    std::chrono::steady_clock::time_point asked_{};
    std::optional<std::int64_t> checkpointed_;  ///< step of the newest checkpoint
    double validation_loss_ = 0;                ///< of this step; NaN when it was not evaluated
};

}  // namespace es::engine
