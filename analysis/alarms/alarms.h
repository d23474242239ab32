// SPDX-License-Identifier: GPL-3.0-or-later
// Alarms from recorded load, losses and gradients: what goes wrong in a router before the loss shows it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

enum class AlarmKind : std::uint8_t { kDeadExpert, kOverload, kLossSpike, kGradientSpike, kRouterLogits, kDrops, kNonFinite };
[[nodiscard]] std::string_view toString(AlarmKind kind);  ///< "dead_expert" "overload" "loss_spike" ...

/// Thresholds. Each condition has a raising and a lower resolving level, so that an alarm does not flicker.
struct AlarmOptions {
    std::int64_t warmup_steps = -1;                  ///< routing alarms are silent before this step; -1: warmupSteps() of the run's configuration
    std::int64_t dead_steps = 50;                    ///< recorded steps after warm-up without a token
    std::int64_t window_steps = 20;                  ///< load and drops are judged by their mean over this many recorded steps
    double overload = 2.0, overload_resolved = 1.8;  ///< load over the even share
    double drops = 0.05, drops_resolved = 0.04;      ///< dropped assignments over all
    double logits = 50, logits_resolved = 45;        ///< largest |logit|; resolved after window_steps below
    std::int64_t spike_window = 128;                 ///< values that a spike is measured against
    double spike_sigmas = 6;
    double spike_resolved_sigmas = 2;  ///< over when back below mean + this many sd of the window before the spike
};

/// One alarm, active or resolved.
struct Alarm {
    AlarmKind kind = AlarmKind::kDeadExpert;
    store::Severity severity = store::Severity::kWarning;
    std::int64_t start_step = 0;           ///< where the condition began (a dead expert: its first step without a token)
    std::int64_t raised_step = 0;          ///< when it was bad enough to say so
    std::optional<std::int64_t> end_step;  ///< first good step again; empty while active
    RouterId router;                       ///< invalid for alarms of the whole run
    LayerIndex layer;
    Branch branch = Branch::kAll;
    ExpertIndex expert;  ///< invalid when it concerns no single expert
    double worst = 0;    ///< load over even share, sd, |logit| or dropped share at its worst; steps for a dead expert
    std::string title;   ///< "Expert 13, layer 10 (V) dead"
    std::string detail;  ///< "no token for 5 700 steps · since 18 400"
    [[nodiscard]] bool active() const { return !end_step.has_value(); }
    /// Stable name of this alarm within its run, for silencing: "dead_expert/10.v/13/18400".
    [[nodiscard]] std::string key() const;
};

/// Steps in which routing is expected to be uneven: the learning rate's warm-up, at least 100 and at most 1,000 steps. A healthy run passes
/// a phase that looks like collapse in its first hundred steps.
[[nodiscard]] std::int64_t warmupSteps(const config::RunConfig& config);

/// Follows one run. Reads only what is new; costs next to nothing when nothing is. Starts over by itself when the run was resumed (records of
/// the older attempt are superseded). Not thread-safe: one monitor a job.
class AlarmMonitor {
public:
    explicit AlarmMonitor(AlarmOptions options = {});
    ~AlarmMonitor();
    AlarmMonitor(AlarmMonitor&&) noexcept;
    AlarmMonitor& operator=(AlarmMonitor&&) noexcept;
    /// Call after run.refresh(). True when alarms() changed. Always give the same run.
    [[nodiscard]] Result<bool> update(const store::RunReader& run, const JobContext& context = {});
    /// Active ones first (worst severity, then newest), then resolved ones, newest first.
    [[nodiscard]] const std::vector<Alarm>& alarms() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// All alarms of a run at once.
[[nodiscard]] Result<std::vector<Alarm>> findAlarms(const store::RunReader& run, const AlarmOptions& options = {}, const JobContext& context = {});

}  // namespace es::analysis
