// SPDX-License-Identifier: GPL-3.0-or-later
// One step of a training run, and what becomes of one that cannot be finished.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "engine/data/batch_builder.h"
#include "engine/train/out_of_memory.h"
#include "engine/train/training_run.h"

namespace es::engine {
namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

std::int64_t countTokens(const Batch& batch) {
    std::int64_t tokens = 0;
    for (const auto* images : {&batch.images, &batch.pair_images})
        if (*images) tokens += (*images)->masked_BP.numel();
    for (const auto* texts : {&batch.texts, &batch.pair_texts})
        if (*texts) tokens += (*texts)->valid_BL.sum().item<std::int64_t>();
    return tokens;
}

std::string bytesText(double bytes) {
    char out[48];
    std::snprintf(out, sizeof(out), bytes >= 1e9 ? "%.1f GB" : "%.0f MB", bytes >= 1e9 ? bytes / 1e9 : bytes / 1e6);
    return out;
}

}  // namespace

void TrainingRun::computeGradients(std::int64_t step, StepWork& work) {
    const std::int64_t parts = config_.train.accumulate;
    const bool traced = options_.record && trace_every_ > 0 && step % trace_every_ == 0;
    ForwardOptions forward;
    forward.step = step;
    for (; forward.micro_batch < parts; ++forward.micro_batch) {
        if (forward.micro_batch > 0) takeRouting(work);
        work.batch = loader_->next((step - 1) * parts + forward.micro_batch + 1);
        if (options_.record) {
            recorder_->begin(step, work.batch, {.load = true, .tables = traced});
            forward.observer = &*recorder_;
        }
        ModelOutput output = model_->forward(work.batch.to(place_.device), forward);
        (parts == 1 ? output.loss : output.loss / static_cast<double>(parts)).backward();
        for (const RouterLosses& router : output.routers) {
            if (!router.counts_E.defined()) continue;
            at::Tensor& before_E = forward.counts_before_E[router.router.value];
            before_E = before_E.defined() ? before_E + router.counts_E : router.counts_E;
        }
        work.outputs.push_back(std::move(output));
        for (const auto* samples : {&work.batch.image_samples, &work.batch.text_samples, &work.batch.pair_samples})
            work.samples.insert(work.samples.end(), samples->begin(), samples->end());
        work.tokens += countTokens(work.batch);
    }
    work.norms = optimizer_->measure();
    const std::int64_t every = config_.record.expert_gradients_every;
    if (options_.record && every > 0 && step % every == 0) work.expert_norms = expert_gradients_->norms();
}

void TrainingRun::takeRouting(StepWork& work) {
    if (!options_.record) return;
    if (work.routing.load.empty() && work.routing.tables.empty()) work.routing = recorder_->take();
    else recorder_->add(work.routing, recorder_->take());
}

void TrainingRun::finishUpdate(const StepWork& work) {
    std::vector<RouterLosses> routers;
    for (const ModelOutput& output : work.outputs) routers.insert(routers.end(), output.routers.begin(), output.routers.end());
    model_->balanceRouters(routers);
    if (average_) average_->update();
}

Status TrainingRun::trainStep() {
    const auto begin = Clock::now();
    StepWork work;
    computeGradients(step_ + 1, work);
    ++step_;
    whole_ = false;
    StepTiming timing;
    timing.learning_rate = schedule_.at(step_ - 1);
    // Where no step is skipped the device need not be waited for before the update, which does nothing by itself when a norm is not finite.
    if (!spikes_) optimizer_->apply(timing.learning_rate, work.norms);
    const DeviceNumbers::Values values = DeviceNumbers(meanOf(work.outputs), work.norms).read();
    takeRouting(work);
    addLosses(work.routing.load, values);
    if (!std::isfinite(values.loss) || !std::isfinite(values.gradient_norm)) return reportNonFinite(values);
    std::optional<Spike> spike;
    if (spikes_) spike = spikes_->judge(values.loss, values.gradient_norm);
    if (spikes_ && !spike) optimizer_->apply(timing.learning_rate, work.norms);
    if (!spike) finishUpdate(work);
    optimizer_->zeroGradients();

    timing.step_ms = millisecondsSince(begin);
    const auto samples = static_cast<std::int64_t>(work.samples.size());
    timing.samples_per_s = 1000.0 * static_cast<double>(samples) / timing.step_ms;
    timing.tokens_per_s = 1000.0 * static_cast<double>(work.tokens) / timing.step_ms;
    if (spike) {
        const std::string message = "Step " + std::to_string(step_) + " was skipped: " + spike->text(spikes_->window());
        if (Status done = writer_->event(event(store::Severity::kWarning, "step_skipped", message)); !done) return done;
    }
    if (options_.record)
        if (Status done = recordStep(values, work, timing, spike.has_value()); !done) return done;
    progress_.stepDone(step_, values.loss, millisecondsSince(begin), samples);
    return {};
}

Status TrainingRun::recordStep(const DeviceNumbers::Values& values, StepWork& work, const StepTiming& timing, bool skipped) {
    auto scalars = scalarsOf(values, optimizer_->groupNames(), model_->routers(), work.routing.statistics, timing);
    if (spikes_) scalars.push_back({"train/skipped", skipped ? 1.0 : 0.0});
    if (work.expert_norms.defined()) {
        const at::Tensor norms = work.expert_norms.to(at::kCPU).contiguous();
        for (std::size_t i = 0; i < expert_gradients_->names().size(); ++i)
            scalars.push_back({"grad_norm/expert/" + expert_gradients_->names()[i], norms.const_data_ptr<float>()[i]});
    }
    if (Status done = writer_->scalars(step_, std::move(scalars)); !done) return done;
    if (!work.routing.load.empty())
        if (Status done = writer_->load(std::move(work.routing.load)); !done) return done;
    if (work.routing.tables.empty()) return {};
    if (Status done = recordSamples(work.samples); !done) return done;
    return writer_->trace(step_, std::move(work.routing.tables));
}

Status TrainingRun::reportNonFinite(const DeviceNumbers::Values& values) {
    // The micro-batches once more, with the weights as they were, part by part.
    std::string part;
    BatchBuilder builder(source_, config_);
    ForwardOptions forward;
    forward.step = step_;
    for (; part.empty() && forward.micro_batch < config_.train.accumulate; ++forward.micro_batch)
        part = model_->firstNonFinite(builder.training((step_ - 1) * config_.train.accumulate + forward.micro_batch + 1).to(place_.device), forward);
    const std::string where = locateNonFinite(values, *model_, part);
    const std::string step = "step " + std::to_string(step_);
    (void)writer_->event(event(store::Severity::kError, "non_finite", "At " + step + " " + where));
    return jobFailed("Training diverged at " + step, where, "Lower train.learning_rate or set train.clip, and resume from an earlier checkpoint",
                     request_.out.string());
}

Status TrainingRun::abandonStep() {
    const std::int64_t failed = whole_ ? step_ + 1 : step_;
    loader_.reset();
    optimizer_->zeroGradients();
    recorder_->forget();
    std::string unsaved;
    try {
        // Without a probe: that is a forward pass, too.
        if (whole_ && step_ > 0 && checkpointed_ != step_)
            if (Status saved = writeCheckpoint(); !saved) unsaved = saved.error().why;
    } catch (const std::exception& problem) {
        unsaved = problem.what();
    }
    const DataShape shape = source_->shape();
    const double left = memoryLeft(place_.device);
    std::string remedy = "Resume when more memory is free";
    config::RunConfig thrifty = config_;
    thrifty.train.checkpoint_activations = true;
    if (!config_.train.checkpoint_activations && stepBytes(thrifty, shape) < left) remedy += " or with train.checkpoint_activations = true";
    if (const auto fitting = fittingBatch(config_, shape, left)) remedy += ", or train a new run with " + fitting->text();
    else remedy += ", or train a smaller model";
    if (!unsaved.empty()) remedy += ". The checkpoint of step " + std::to_string(step_) + " could not be written (" + unsaved + ")";
    remedy += checkpointed_ ? ". The checkpoint of step " + std::to_string(*checkpointed_) + " is kept" : ". There is no checkpoint yet";
    return jobFailed("Training ran out of memory at step " + std::to_string(failed),
                     "a step needs about " + bytesText(stepBytes(config_, shape)) + " beside weights and moments, " + bytesText(left) + " are left", remedy,
                     request_.out.string());
}

}  // namespace es::engine
