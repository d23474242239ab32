// SPDX-License-Identifier: GPL-3.0-or-later
// The part of a training run before its first step.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "datasets/dataset.h"
#include "engine/base/hash.h"
#include "engine/config/config_io.h"
#include "engine/infer/model_weights.h"
#include "engine/train/initial_checkpoint.h"
#include "engine/train/run_estimate.h"
#include "engine/train/run_provenance.h"
#include "engine/train/training_run.h"

namespace es::engine {
namespace {

/// Keys that a resumed run may have other values of: they do not change what is computed.
const std::set<std::string> kFreeOnResume{"run.name",          "data.cache", "data.threads", "train.checkpoint_activations", "record.flush_seconds",
                                          "record.flush_steps"};

constexpr std::size_t kProblemsTold = 5;
constexpr auto kEarlyPoll = std::chrono::milliseconds(100);

}  // namespace

Status TrainingRun::readConfiguration() {
    if (Status valid = config::validate(request_.config); !valid) return valid;
    config_ = request_.config;
    std::error_code ignored;
    const auto stored_file = request_.out / "run.toml";
    if (request_.resume && std::filesystem::exists(stored_file, ignored)) {
        auto stored = config::loadConfig(stored_file);
        if (!stored) return tl::unexpected(stored.error());
        for (const auto& difference : config::difference(*stored, request_.config))
            if (!kFreeOnResume.contains(difference.key))
                return badInput("Cannot resume with another configuration", difference.key + " was " + difference.a + " and is now " + difference.b,
                                "Resume with the run's own run.toml, or train a new run", stored_file.string());
    } else {
        request_.resume = false;
    }
    progress_.setSteps(config_.train.steps);
    trace_every_ = config_.record.trace_every;
    auto place = choosePlace(config_.run);
    if (!place) return tl::unexpected(place.error());
    place_ = *place;
    return {};
}

Status TrainingRun::openData() {
    JobContext inner = context_;
    inner.stop = stop_.get_token();
    inner.onProgress = [this](const Progress& progress) {
        progress_.part(progress);
        takeEarlyRequests();
    };
    auto report = datasets::prepare(config_.data, inner);
    if (!report) return tl::unexpected(report.error());
    if (!report->problems.empty()) {
        std::string message = std::to_string(report->problems.size()) + " items of the data were left out:";
        for (std::size_t i = 0; i < std::min(kProblemsTold, report->problems.size()); ++i)
            message += (i ? "; " : " ") + report->problems[i].path + " (" + report->problems[i].why + ")";
        if (report->problems.size() > kProblemsTold) message += "; and more, see 'expertscope data check'";
        context_.log(message);
        early_events_.push_back(event(store::Severity::kWarning, "data_skipped", message));
    }
    // A run goes on with the codes that it began with, whatever became of the cache or the file.
    std::filesystem::path image_tokenizer;
    if (request_.resume)
        if (const auto steps = checkpoints_.steps(); !steps.empty()) image_tokenizer = checkpoints_.imageTokenizerFile(steps.back());
    auto source = DataSource::open(config_, inner, image_tokenizer);
    if (!source) return tl::unexpected(source.error());
    source_ = *source;
    return {};
}

void TrainingRun::takeEarlyRequests() {
    const auto now = std::chrono::steady_clock::now();
    if (now - asked_ < kEarlyPoll) return;
    asked_ = now;
    const session::TrainControl control = hooks_.poll ? hooks_.poll() : session::TrainControl{};
    if (control.trace_every) trace_every_ = std::max<std::int64_t>(0, *control.trace_every);
    if (control.stop) stop_.request_stop();
}

Status TrainingRun::buildModel() {
    progress_.enter(session::SessionState::kStarting, "Building the model");
    const DataShape shape = source_->shape();
    warnOfShortage(shape);
    model_ = std::make_shared<VlMoe>(config_, shape, static_cast<std::uint64_t>(config_.run.seed));
    if (Status done = startFromOtherRun(); !done) return done;
    model_->to(place_.device);
    const auto& train = config_.train;
    optimizer_.emplace(AdamW::forModel(*model_, {train.beta1, train.beta2, train.epsilon, train.weight_decay, train.clip}));
    schedule_ = {train.steps, train.learning_rate, train.warmup, train.final_learning_rate};
    schedule_.shape = rateShapeNamed(train.schedule);
    for (const std::string& text : train.learning_rate_bumps) schedule_.bumps.push_back(*config::parseRateBump(text));
    if (train.ema_decay > 0) average_.emplace(*model_, train.ema_decay, train.ema_warmup);
    if (train.skip_spikes > 0) spikes_.emplace(train.skip_spikes, train.spike_window);
    expert_gradients_.emplace(*model_);
    evaluator_.emplace(source_, config_);
    probes_.emplace(source_, config_);
    recorder_.emplace(model_->routers(), [this](std::int64_t sample) { return source_->dataset().sample(sample).hash; });
    return {};
}

Status TrainingRun::startFromOtherRun() {
    if (config_.model.init_from.empty() || (request_.resume && !checkpoints_.steps().empty())) return {};
    auto initial = startFromCheckpoint(*model_, config_, *source_);
    if (!initial) return tl::unexpected(initial.error());
    origin_ = std::move(initial->provenance);
    context_.log(initial->message);
    early_events_.push_back(event(store::Severity::kInfo, "initialised", initial->message));
    return {};
}

void TrainingRun::warnOfShortage(const DataShape& shape) {
    const session::TrainEstimate estimate = estimateRun(config_, shape, source_->dataset().size(), request_.out);
    for (const session::EstimateWarning& warning : estimate.warnings) {
        if (place_.device.is_cuda() && warning.kind == "memory_short") continue;  // main memory says nothing about the GPU's
        context_.log(warning.message);
        early_events_.push_back(event(store::Severity::kWarning, warning.kind, warning.message));
    }
}

Status TrainingRun::restoreCheckpoint() {
    if (!request_.resume) return {};
    if (checkpoints_.steps().empty()) {
        early_events_.push_back(event(store::Severity::kWarning, "no_checkpoint", "The run had not written a checkpoint: it starts again from step 0"));
        return {};
    }
    auto newest = checkpoints_.loadNewest(true);
    if (!newest) return tl::unexpected(newest.error());
    const CheckpointState& state = newest->checkpoint.state;
    const std::string data_hash = hashText(source_->dataset().contentHash());
    if (state.data_hash != data_hash)
        return badInput("Cannot resume on other data", "the data have the hash " + data_hash + ", the run was trained on " + state.data_hash,
                        "Bring the run's data back, or train a new run", source_->dataset().file().string());
    if (state.image_tokenizer_hash != source_->imageTokenizer().hash)
        return badInput("Cannot resume with another picture tokenizer",
                        "it has the hash '" + source_->imageTokenizer().hash + "', the run was trained with '" + state.image_tokenizer_hash + "'",
                        "Bring the checkpoint's image_tokenizer.safetensors back, or train a new run",
                        (request_.out / CheckpointStore::folderName(state.step)).string());
    if (state.vocabulary != source_->tokenizer().size())
        return badInput("Cannot resume with another vocabulary",
                        "it has " + std::to_string(source_->tokenizer().size()) + " words, the checkpoint was trained with " + std::to_string(state.vocabulary),
                        "Bring the run's vocabulary back (a copy lies in the checkpoint as vocabulary.model), or train a new run",
                        source_->dataset().vocabularyFile().string());
    if (Status loaded = loadWeights(*model_, newest->checkpoint.model, request_.out.string()); !loaded) return loaded;
    try {
        optimizer_->loadState(newest->checkpoint.optimizer);
        if (average_) average_->loadState(newest->checkpoint.average, state.average_updates);
    } catch (const c10::Error& problem) {
        return badInput("Cannot resume from the checkpoint", problem.what_without_backtrace(), "Remove this checkpoint: the one before it is then used",
                        (request_.out / CheckpointStore::folderName(state.step)).string());
    }
    if (spikes_) spikes_->restore({state.recent_losses, state.recent_gradient_norms});
    start_ = step_ = state.step;
    checkpointed_ = start_;
    validation_loss_ = state.validation_loss;
    for (const Error& damaged : newest->damaged) {
        const std::string message = damaged.message() + " The checkpoint of step " + std::to_string(start_) + " is used instead.";
        context_.log(message);
        early_events_.push_back(event(store::Severity::kWarning, "checkpoint_damaged", message));
    }
    return {};
}

Status TrainingRun::openRecords() {
    store::RunWriterOptions options;
    options.flush_seconds = config_.record.flush_seconds;
    options.flush_steps = config_.record.flush_steps;
    store::Provenance provenance = describeRun(config_, *source_, place_, *model_);
    provenance.extra.insert(origin_.begin(), origin_.end());
    auto writer = request_.resume ? store::RunWriter::resume(request_.out, start_ == 0 ? 0 : start_ + 1, provenance, options)
                                  : store::RunWriter::create(request_.out, config_, provenance, model_->routers(), options);
    if (!writer) return tl::unexpected(writer.error());
    writer_ = std::move(*writer);
    checkpoints_.removeLeftovers();
    for (store::Event& early : early_events_)
        if (Status done = writer_->event(std::move(early)); !done) return done;
    early_events_.clear();
    if (!checkpointed_) return {};
    // A run killed between writing the checkpoint and flushing its notice has the one without the other.
    return writer_->checkpoint({start_, writer_->attempt(), validation_loss_, CheckpointStore::folderName(start_), true});
}

}  // namespace es::engine
