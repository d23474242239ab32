// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/alarms/alarms.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "analysis/alarms/condition.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/spikes.h"

namespace es::analysis {
namespace {

/// Sums over the last `size` recorded steps.
class Window {
public:
    explicit Window(std::int64_t size, std::size_t width) : size_(static_cast<std::size_t>(std::max<std::int64_t>(size, 1))), sum_(width, 0) {}
    void add(std::vector<double> values) {
        values.resize(sum_.size(), 0);
        for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += values[i];
        kept_.push_back(std::move(values));
        if (kept_.size() <= size_) return;
        for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] -= kept_.front()[i];
        kept_.pop_front();
    }
    [[nodiscard]] bool full() const { return kept_.size() == size_; }
    [[nodiscard]] double sum(std::size_t i) const { return sum_[i]; }

private:
    std::size_t size_;
    std::vector<double> sum_;
    std::deque<std::vector<double>> kept_;
};

/// One router's load of one step, its modalities added up.
struct StepLoad {
    std::int64_t step = 0;
    std::vector<double> counts;
    double tokens = 0, dropped = 0, max_logit = 0;
};

class RouterWatch {
public:
    RouterWatch(const store::RouterInfo& router, const AlarmOptions& options)
        : router_(router), options_(options), loads_(options.window_steps, static_cast<std::size_t>(router.experts)), drops_(options.window_steps, 2),
          silent_since_(static_cast<std::size_t>(router.experts), -1), silent_steps_(static_cast<std::size_t>(router.experts), 0),
          dead_(static_cast<std::size_t>(router.experts)), overload_(static_cast<std::size_t>(router.experts)) {}

    void add(const StepLoad& load, std::int64_t warmup, AlarmList& alarms) {
        double total = 0;
        for (const double n : load.counts) total += n;
        // Unlike load and drops, large logits are never part of a healthy start.
        watchLogits(load, alarms);
        if (!(total > 0)) return;
        watchSilence(load, warmup, alarms);
        if (load.step < warmup) return;
        loads_.add(load.counts);
        drops_.add({load.dropped, total});
        if (!loads_.full()) return;
        watchOverload(load.step, alarms);
        watchDrops(load.step, alarms);
    }

    std::int64_t last_step = -1;

private:
    Alarm base(AlarmKind kind, std::int64_t start, std::int64_t raised) const {
        Alarm alarm;
        alarm.kind = kind;
        alarm.start_step = start;
        alarm.raised_step = raised;
        alarm.router = router_.id;
        alarm.layer = router_.layer;
        alarm.branch = router_.branch;
        return alarm;
    }

    void watchSilence(const StepLoad& load, std::int64_t warmup, AlarmList& alarms) {
        for (std::size_t e = 0; e < dead_.size(); ++e) {
            if (e < load.counts.size() && load.counts[e] > 0) {
                if (dead_[e]) {
                    Alarm& alarm = alarms.at(*dead_[e]);
                    alarm.end_step = load.step;
                    alarm.detail = fmt::format("no token from step {} to {}; chosen again since", grouped(alarm.start_step), grouped(load.step));
                    dead_[e].reset();
                }
                silent_since_[e] = -1;
                silent_steps_[e] = 0;
                continue;
            }
            if (silent_since_[e] < 0) silent_since_[e] = load.step;
            if (load.step < warmup) continue;
            ++silent_steps_[e];
            if (!dead_[e] && silent_steps_[e] >= options_.dead_steps) {
                Alarm alarm = base(AlarmKind::kDeadExpert, silent_since_[e], load.step);
                alarm.severity = store::Severity::kError;
                alarm.expert = ExpertIndex(static_cast<std::int32_t>(e));
                alarm.title = fmt::format("Expert {}, {} dead", e, routerWords(router_));
                dead_[e] = alarms.raise(std::move(alarm));
            }
            if (dead_[e]) {
                Alarm& alarm = alarms.at(*dead_[e]);
                alarm.worst = static_cast<double>(load.step - alarm.start_step + 1);
                alarm.detail = fmt::format("no token for {} · since {}", plural(load.step - alarm.start_step + 1, "step"), grouped(alarm.start_step));
            }
        }
    }

    void watchOverload(std::int64_t step, AlarmList& alarms) {
        double total = 0;
        for (std::size_t e = 0; e < overload_.size(); ++e) total += loads_.sum(e);
        if (!(total > 0)) return;
        for (std::size_t e = 0; e < overload_.size(); ++e) {
            const double ratio = loads_.sum(e) / total * static_cast<double>(overload_.size());
            const auto describe = [&](Alarm& alarm) {
                alarm.expert = ExpertIndex(static_cast<std::int32_t>(e));
                alarm.title = fmt::format("Load above {:.3g} x even share", options_.overload);
                alarm.detail = fmt::format("{}, expert {} · {:.2f} x, worst {:.2f} x", routerWords(router_), e, ratio, alarm.worst);
            };
            overload_[e].watch(
                ratio, ratio > options_.overload, ratio < options_.overload_resolved, 1, step, alarms,
                [&](std::int64_t start) { return base(AlarmKind::kOverload, start, step); }, describe);
        }
    }

    void watchDrops(std::int64_t step, AlarmList& alarms) {
        const double share = drops_.sum(1) > 0 ? drops_.sum(0) / drops_.sum(1) : 0;
        drop_.watch(
            share, share > options_.drops, share < options_.drops_resolved, 1, step, alarms,
            [&](std::int64_t start) { return base(AlarmKind::kDrops, start, step); },
            [&](Alarm& alarm) {
                alarm.title = fmt::format("Drop rate above {}", percent(options_.drops, 0));
                alarm.detail = fmt::format("{} · {}, worst {}", routerWords(router_), percent(share), percent(alarm.worst));
            });
    }

    void watchLogits(const StepLoad& load, AlarmList& alarms) {
        logits_.watch(
            load.max_logit, load.max_logit > options_.logits, load.max_logit < options_.logits_resolved, options_.window_steps, load.step, alarms,
            [&](std::int64_t start) { return base(AlarmKind::kRouterLogits, start, load.step); },
            [&](Alarm& alarm) {
                alarm.title = fmt::format("Router logits above {:.3g}", options_.logits);
                alarm.detail = fmt::format("{} · largest {:.1f}", routerWords(router_), alarm.worst);
            });
    }

    store::RouterInfo router_;
    AlarmOptions options_;
    Window loads_, drops_;
    std::vector<std::int64_t> silent_since_, silent_steps_;
    std::vector<std::optional<std::size_t>> dead_;
    std::vector<Condition> overload_;
    Condition drop_, logits_;
};

/// Spikes of one scalar. Spikes that follow before the last one is over belong to it.
class SpikeWatch {
public:
    SpikeWatch(AlarmKind kind, std::string scalar, const AlarmOptions& options)
        : scalar_name(std::move(scalar)), kind_(kind), options_(options), detector_(options.spike_window, options.spike_sigmas) {}

    void add(double at, double value, AlarmList& alarms) {
        const auto step = static_cast<std::int64_t>(at);
        const SpikeDetector::Reading reading = detector_.add(value);
        const std::string name = kind_ == AlarmKind::kLossSpike ? "Loss spike" : "Gradient spike";
        if (!active_ && reading.spike) {
            Alarm alarm;
            alarm.kind = kind_;
            alarm.start_step = alarm.raised_step = step;
            alarm.title = name;
            mean_ = reading.mean;
            sd_ = reading.sd;
            active_ = alarms.raise(std::move(alarm));
        }
        if (!active_) return;
        Alarm& alarm = alarms.at(*active_);
        const double sigmas = (value - mean_) / sd_;
        if (std::isfinite(sigmas)) alarm.worst = std::max(alarm.worst, sigmas);
        alarm.detail = fmt::format("step {} · {:.1f} sd", grouped(alarm.start_step), alarm.worst);
        // A level that the window has grown used to is not a spike any more, whatever came before.
        const bool used_to =
            reading.judged && value < reading.mean + options_.spike_resolved_sigmas * reading.sd && step - alarm.start_step >= options_.spike_window;
        if (value < mean_ + options_.spike_resolved_sigmas * sd_ || used_to) {
            alarm.end_step = step;
            alarm.title = name + ", resolved";
            alarm.detail += used_to ? fmt::format(" · stays at the new level since step {}", grouped(step))
                                    : fmt::format(" · recovered after {}", plural(step - alarm.start_step, "step"));
            active_.reset();
        }
    }

    std::string scalar_name;
    double last_step = -1;

private:
    AlarmKind kind_;
    AlarmOptions options_;
    SpikeDetector detector_;
    std::optional<std::size_t> active_;
    double mean_ = 0, sd_ = 1;
};

std::vector<StepLoad> byStep(const std::vector<store::LoadRecord>& records, const store::RouterInfo& router) {
    const auto experts = static_cast<std::size_t>(router.experts);
    std::map<std::int64_t, StepLoad> steps;
    for (const store::LoadRecord& record : records) {
        StepLoad& load = steps[record.step];
        load.step = record.step;
        load.counts.resize(experts, 0);
        const std::vector<double> by_expert = store::expertLoad(router, record);
        for (std::size_t e = 0; e < std::min(experts, by_expert.size()); ++e) load.counts[e] += by_expert[e];
        load.tokens += static_cast<double>(record.tokens);
        load.dropped += record.dropped;
        if (record.max_abs_logit > load.max_logit) load.max_logit = record.max_abs_logit;
    }
    std::vector<StepLoad> result;
    for (auto& [step, load] : steps) result.push_back(std::move(load));
    return result;
}

bool before(const Alarm& a, const Alarm& b) {
    if (a.active() != b.active()) return a.active();
    if (a.active() && a.severity != b.severity) return a.severity > b.severity;
    return a.start_step > b.start_step;
}

}  // namespace

std::string_view toString(AlarmKind kind) {
    switch (kind) {
        case AlarmKind::kDeadExpert: return "dead_expert";
        case AlarmKind::kOverload: return "overload";
        case AlarmKind::kLossSpike: return "loss_spike";
        case AlarmKind::kGradientSpike: return "gradient_spike";
        case AlarmKind::kRouterLogits: return "router_logits";
        case AlarmKind::kDrops: return "drops";
        case AlarmKind::kNonFinite: return "non_finite";
    }
    return "";
}

std::string Alarm::key() const {
    std::string text(toString(kind));
    if (router.valid()) text += fmt::format("/{}.{}", layer.value, toString(branch));
    if (expert.valid()) text += fmt::format("/{}", expert.value);
    return text + fmt::format("/{}", start_step);
}

std::int64_t warmupSteps(const config::RunConfig& config) {
    constexpr std::int64_t kShortest = 100, kLongest = 1000;
    const auto warmup = static_cast<std::int64_t>(std::ceil(config.train.warmup * static_cast<double>(config.train.steps)));
    return std::clamp(warmup, kShortest, kLongest);
}

struct AlarmMonitor::State {
    AlarmOptions options;
    AlarmList list;
    std::map<std::int32_t, RouterWatch> routers;
    std::vector<SpikeWatch> spikes;
    std::size_t events = 0;
    std::uint32_t attempts = 0;
    std::vector<Alarm> shown;

    void startOver() {
        list = {};
        routers.clear();
        spikes.clear();
        spikes.emplace_back(AlarmKind::kLossSpike, "train/loss", options);
        spikes.emplace_back(AlarmKind::kGradientSpike, "grad_norm/all", options);
        events = 0;
    }
};

AlarmMonitor::AlarmMonitor(AlarmOptions options) : state_(std::make_unique<State>()) {
    state_->options = options;
    state_->startOver();
}
AlarmMonitor::~AlarmMonitor() = default;
AlarmMonitor::AlarmMonitor(AlarmMonitor&&) noexcept = default;
AlarmMonitor& AlarmMonitor::operator=(AlarmMonitor&&) noexcept = default;

const std::vector<Alarm>& AlarmMonitor::alarms() const { return state_->shown; }

Result<bool> AlarmMonitor::update(const store::RunReader& run, const JobContext& context) {
    State& state = *state_;
    const store::RunStatus status = run.status();
    bool changed = false;
    if (status.attempts != state.attempts) {
        changed = !state.shown.empty();
        state.startOver();
        state.attempts = status.attempts;
    }
    state.list.takeChanged();
    const std::int64_t warmup = state.options.warmup_steps >= 0 ? state.options.warmup_steps : warmupSteps(run.config());
    for (const store::RouterInfo& router : run.routers()) {
        if (context.stopRequested()) return stopped("Looking for alarms");
        auto [found, fresh] = state.routers.try_emplace(router.id.value, router, state.options);
        RouterWatch& watch = found->second;
        auto records = run.loadRecords(router.id, watch.last_step + 1);
        if (!records) return tl::unexpected(records.error());
        // The newest step may still be incomplete (its other modality unwritten), so it waits for the next one, unless the run is over.
        std::vector<StepLoad> steps = byStep(*records, router);
        if (status.state == store::RunState::kTraining && !steps.empty()) steps.pop_back();
        for (const StepLoad& load : steps) {
            watch.add(load, warmup, state.list);
            watch.last_step = load.step;
        }
    }
    for (SpikeWatch& watch : state.spikes) {
        auto series = run.scalars(watch.scalar_name, -1, watch.last_step + 0.5);
        if (!series) return tl::unexpected(series.error());
        for (std::size_t i = 0; i < series->step.size(); ++i) {
            watch.add(series->step[i], series->value[i], state.list);
            watch.last_step = series->step[i];
        }
    }
    const std::vector<store::Event> events = run.events();
    for (; state.events < events.size(); ++state.events) {
        const store::Event& event = events[state.events];
        if (event.kind != "non_finite") continue;
        Alarm alarm;
        alarm.kind = AlarmKind::kNonFinite;
        alarm.severity = store::Severity::kError;
        alarm.start_step = alarm.raised_step = event.step;
        alarm.title = "Not finite";
        alarm.detail = event.message;
        state.list.raise(std::move(alarm));
    }
    if (state.list.takeChanged() || changed) {
        changed = true;
        state.shown = state.list.all();
        std::stable_sort(state.shown.begin(), state.shown.end(), before);
    }
    return changed;
}

Result<std::vector<Alarm>> findAlarms(const store::RunReader& run, const AlarmOptions& options, const JobContext& context) {
    AlarmMonitor monitor(options);
    if (auto updated = monitor.update(run, context); !updated) return tl::unexpected(updated.error());
    return monitor.alarms();
}

}  // namespace es::analysis
