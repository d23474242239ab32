// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/training_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "engine/base/hash.h"
#include "engine/config/config_io.h"
#include "engine/train/out_of_memory.h"

namespace es::engine {
namespace {

constexpr auto kPausePoll = std::chrono::milliseconds(50);
constexpr double kNotEvaluated = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TrainingRun::TrainingRun(const session::TrainRequest& request, const session::TrainHooks& hooks, const JobContext& context, const TrainerOptions& options)
    : request_(request), hooks_(hooks), context_(context), options_(options), progress_(hooks_, context_, request.out), checkpoints_(request.out),
      forward_stop_(context_.stop, [this] { stop_.request_stop(); }) {}

Status TrainingRun::run() {
    progress_.enter(session::SessionState::kStarting, "Preparing data");
    for (const auto part : {&TrainingRun::readConfiguration, &TrainingRun::openData, &TrainingRun::buildModel, &TrainingRun::restoreCheckpoint}) {
        if (Status done = (this->*part)(); !done) return done;
        if (stop_.stop_requested()) return stopped("Training");
    }
    if (start_ >= config_.train.steps) {
        context_.log("The run is complete: all " + std::to_string(config_.train.steps) + " steps are done.");
        return {};
    }
    if (Status done = openRecords(); !done) return done;
    try {
        return finish(loop());
    } catch (const std::exception& problem) {
        if (!isOutOfMemory(problem)) {
            // The run must say how it ended even then; train() makes the error a person reads.
            (void)finish(jobFailed("Training failed", problem.what(), ""));
            throw;
        }
    }
    // Only now has the stack let go of all that the step held.
    return finish(abandonStep());
}

Status TrainingRun::loop() {
    progress_.enter(session::SessionState::kTraining, "Training");
    const std::int64_t parts = config_.train.accumulate;
    loader_ = std::make_unique<BatchLoader>(source_, config_, start_ * parts + 1, config_.train.steps * parts);
    validation_loss_ = kNotEvaluated;
    if (start_ == 0) {
        if (Status done = evaluate(); !done) return done;
        if (Status done = probe(); !done) return done;
    }
    const auto due = [&](std::int64_t every) { return (every > 0 && step_ % every == 0) || step_ == config_.train.steps; };
    while (step_ < config_.train.steps) {
        const auto stop = obeyRequests();
        if (!stop) return tl::unexpected(stop.error());
        if (*stop) {
            progress_.enter(session::SessionState::kStopping, "Saving");
            if (Status done = checkpointOnRequest(); !done) return done;
            return stopped("Training stopped after step " + std::to_string(step_) + " of " + std::to_string(config_.train.steps));
        }
        validation_loss_ = kNotEvaluated;
        if (Status done = trainStep(); !done) return done;
        if (due(config_.train.evaluate_every))
            if (Status done = evaluate(); !done) return done;
        if (due(config_.train.checkpoint_every))
            if (Status done = checkpoint(); !done) return done;
        whole_ = true;
    }
    return {};
}

Result<bool> TrainingRun::obeyRequests() {
    for (bool paused = false;; std::this_thread::sleep_for(kPausePoll)) {
        const session::TrainControl control = hooks_.poll ? hooks_.poll() : session::TrainControl{};
        if (control.trace_every && *control.trace_every != trace_every_) {
            trace_every_ = std::max<std::int64_t>(0, *control.trace_every);
            const std::string message =
                trace_every_ == 0 ? "No step is traced from now on" : "One step in " + std::to_string(trace_every_) + " is traced from now on";
            if (Status done = writer_->event(event(store::Severity::kInfo, "trace_every", message)); !done) return tl::unexpected(done.error());
        }
        if (control.stop || stop_.stop_requested()) return true;
        if (control.checkpoint) {
            if (Status done = checkpointOnRequest(); !done) return tl::unexpected(done.error());
        }
        if (!control.pause) {
            if (paused) progress_.enter(session::SessionState::kTraining, "Training");
            return false;
        }
        if (!paused) progress_.enter(session::SessionState::kPaused, "Paused");
        paused = true;
    }
}

Status TrainingRun::checkpointOnRequest() { return step_ == 0 || checkpointed_ == step_ ? Status{} : checkpoint(); }

Status TrainingRun::recordSamples(const std::vector<std::int64_t>& samples) {
    std::vector<store::SampleRecord> records;
    for (const std::int64_t sample : samples)
        if (!writer_->hasSample(source_->dataset().sample(sample).hash)) records.push_back(source_->record(sample));
    return records.empty() ? Status{} : writer_->samples(std::move(records));
}

Status TrainingRun::evaluate() {
    const ProgressReporter::Aside aside(progress_, "Evaluating");
    auto outcome = [&] {
        std::optional<WeightAverage::Shown> shown;
        if (average_ && config_.train.evaluate_ema) shown.emplace(*average_);
        return evaluator_->run(*model_, place_.device, step_, {});
    }();
    if (!outcome) return tl::unexpected(outcome.error());
    validation_loss_ = outcome->total;
    std::vector<store::Scalar> scalars;
    for (std::size_t o = 0; o < kObjectiveCount; ++o) {
        const std::string name(toString(static_cast<Objective>(o)));
        if (std::isnan(outcome->loss[o]) && std::isnan(outcome->trivial[o])) continue;
        scalars.push_back({"eval/loss/" + name, outcome->loss[o]});
        scalars.push_back({"eval/trivial/" + name, outcome->trivial[o]});
    }
    if (!std::isnan(outcome->wrong_picture)) scalars.push_back({"eval/wrong_picture/pair_text", outcome->wrong_picture});
    if (!std::isnan(outcome->total)) scalars.push_back({"eval/loss/total", outcome->total});
    if (!scalars.empty())
        if (Status done = writer_->scalars(step_, std::move(scalars)); !done) return done;
    if (options_.record)
        if (Status done = recordSamples(evaluator_->someSamples(config_.record.evaluated_samples)); !done) return done;
    return writer_->evaluation(std::move(outcome->evaluation));
}

Status TrainingRun::probe() {
    if (!options_.record || probes_->empty()) return {};
    if (Status done = recordSamples(probes_->samples()); !done) return done;
    if (model_->routers().empty()) return {};
    if (Status done = writer_->probe(probes_->run(*model_, place_.device, step_)); !done) return done;
    if (step_ != config_.train.steps) return {};
    for (std::int64_t draw = 0; draw < config_.record.probe_random_routers; ++draw)
        if (Status done = writer_->probe(probes_->runRandomRouters(*model_, place_.device, step_, static_cast<std::uint32_t>(draw))); !done) return done;
    return {};
}

Status TrainingRun::checkpoint() {
    const ProgressReporter::Aside aside(progress_, "Writing checkpoint " + std::to_string(step_));
    if (Status done = probe(); !done) return done;
    return writeCheckpoint();
}

Status TrainingRun::writeCheckpoint() {
    // First the records, then the checkpoint: whoever resumes from it finds everything before it.
    if (Status done = writer_->flush(); !done) return done;
    Checkpoint out;
    out.state.step = step_;
    out.state.config_hash = config::configHash(config_);
    out.state.data_hash = hashText(source_->dataset().contentHash());
    out.state.validation_loss = validation_loss_;
    out.state.scale = source_->scale();
    out.state.vocabulary = source_->tokenizer().size();
    out.state.image_size = source_->dataset().imageSize();
    out.state.max_words = source_->maxWords();
    out.state.vocabulary_file = source_->dataset().vocabularyFile().string();
    out.state.picture_codes = source_->pictureCodes();
    out.state.image_tokenizer_hash = source_->imageTokenizer().hash;
    out.image_tokenizer = source_->imageTokenizer().content;
    for (const auto& parameter : model_->named_parameters()) out.model[parameter.key()] = parameter.value().detach();
    for (const auto& buffer : model_->named_buffers()) out.model[buffer.key()] = buffer.value();
    out.optimizer = optimizer_->state();
    if (average_) {
        out.average = average_->state();
        out.state.average_updates = average_->updates();
    }
    if (spikes_) {
        out.state.recent_losses = spikes_->history().losses;
        out.state.recent_gradient_norms = spikes_->history().gradient_norms;
    }
    if (Status done = checkpoints_.save(out); !done) return done;
    checkpointed_ = step_;
    store::CheckpointInfo info{step_, writer_->attempt(), validation_loss_, CheckpointStore::folderName(step_), true};
    if (Status done = writer_->checkpoint(info); !done) return done;
    auto removed = checkpoints_.retire({config_.train.keep_last, config_.train.keep_every, config_.train.keep_best});
    if (!removed) return tl::unexpected(removed.error());
    for (const std::int64_t step : *removed) {
        store::CheckpointInfo gone{step, writer_->attempt(), kNotEvaluated, CheckpointStore::folderName(step), false};
        if (Status done = writer_->checkpoint(gone); !done) return done;
    }
    return {};
}

Status TrainingRun::finish(Status result) {
    loader_.reset();
    Status closed;
    if (result) {
        closed = writer_->finish(true, "All " + std::to_string(config_.train.steps) + " steps are done");
        progress_.enter(session::SessionState::kFinished, "Finished");
    } else if (result.error().kind == ErrorKind::kStopped) {
        closed = writer_->finish(false, result.error().what);
        progress_.enter(session::SessionState::kFinished, "Stopped");
    } else {
        (void)writer_->event(event(store::Severity::kError, "run_failed", result.error().message()));
        (void)writer_->finish(false, result.error().message());
        progress_.enter(session::SessionState::kFailed, "");
    }
    return closed ? result : closed;
}

store::Event TrainingRun::event(store::Severity severity, std::string kind, std::string message) const {
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    return {step_, now, severity, std::move(kind), std::move(message)};
}

}  // namespace es::engine
