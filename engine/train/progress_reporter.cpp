// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/progress_reporter.h"

namespace es::engine {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);
constexpr double kForget = 0.95;  // of the running mean of step times, a step

}  // namespace

ProgressReporter::ProgressReporter(const session::TrainHooks& hooks, const JobContext& context, std::filesystem::path run) : hooks_(hooks), context_(context) {
    snapshot_.run = std::move(run);
}

void ProgressReporter::setSteps(std::int64_t steps) { snapshot_.steps = steps; }

void ProgressReporter::enter(session::SessionState state, std::string activity) {
    snapshot_.state = state;
    snapshot_.activity = std::move(activity);
    tell(true);
}

void ProgressReporter::stepDone(std::int64_t step, double loss, double step_ms, std::int64_t samples) {
    snapshot_.step = step;
    snapshot_.loss = loss;
    snapshot_.step_ms = step_ms;
    snapshot_.samples_per_s = step_ms > 0 ? 1000.0 * static_cast<double>(samples) / step_ms : 0;
    mean_step_ms_ = mean_step_ms_ == 0 ? step_ms : kForget * mean_step_ms_ + (1 - kForget) * step_ms;
    snapshot_.eta_s = static_cast<double>(snapshot_.steps - step) * mean_step_ms_ / 1000.0;
    tell(step == snapshot_.steps);
}

void ProgressReporter::part(const Progress& progress) {
    if (!progress.label.empty()) snapshot_.activity = progress.label;
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kPause) return;
    told_ = now;
    if (hooks_.onSnapshot) hooks_.onSnapshot(snapshot_);
    context_.progress(progress.done, progress.total, progress.label);
}

void ProgressReporter::tell(bool always) {
    const auto now = std::chrono::steady_clock::now();
    if (!always && now - told_ < kPause) return;
    told_ = now;
    if (hooks_.onSnapshot) hooks_.onSnapshot(snapshot_);
    context_.progress(snapshot_.step, snapshot_.steps, snapshot_.activity);
}

}  // namespace es::engine
