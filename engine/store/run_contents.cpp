// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_contents.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "engine/store/format.h"

namespace es::store {
namespace {

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};

}  // namespace

RunChange RunContents::apply(std::uint32_t attempt, const Record& record) {
    RunChange change;
    std::visit(Overloaded{
                   [&](const AttemptHeader& header) {
                       visibility_.addAttempt(header.attempt, header.start_step);
                       started_s_ = started_s_ == 0 ? header.time_s : std::min(started_s_, header.time_s);
                       noteTime(header.time_s);
                       // What a new attempt supersedes can be anything.
                       if (header.parent >= 0) change = {true, true, true, true, true, true, true, true};
                   },
                   [&](const RouterTable& routers) {
                       if (!routers.empty()) routers_ = routers;
                   },
                   [&](const Event& event) {
                       events_.push_back({attempt, event});
                       noteTime(event.time_s);
                       change.events = true;
                   },
                   [&](const CheckpointInfo& info) {
                       checkpoints_.push_back({attempt, info});
                       change.checkpoints = true;
                   },
                   [&](const SegmentNotice& segment) {
                       if (segment.closed) closed_segments_.insert(segment.file);
                   },
                   [&](const ProbeNotice& probe) {
                       probes_.push_back({attempt, probe});
                       change.probes = true;
                   },
                   [&](const EvaluationNotice& evaluation) {
                       evaluations_.push_back({attempt, evaluation});
                       change.evaluations = true;
                   },
                   [&](const SampleNotice& samples) {
                       samples_[samples.file] = samples.count;
                       change.samples = true;
                   },
                   [&](const TraceNotice& trace) {
                       traces_.push_back({attempt, trace});
                       noteStep(attempt, trace.step);
                       change.traces = true;
                   },
                   [&](const TraceGap& gap) {
                       gaps_.push_back({attempt, gap});
                       change.traces = true;
                   },
                   [](const auto&) {},
               },
               record);
    return change;
}

void RunContents::noteStep(std::uint32_t attempt, std::int64_t step) {
    const auto [entry, isNew] = newest_step_.try_emplace(attempt, step);
    if (!isNew) entry->second = std::max(entry->second, step);
}

std::int64_t RunContents::newestStep() const {
    std::int64_t newest = 0;
    for (const auto& [attempt, step] : newest_step_) newest = std::max(newest, std::min(step, visibility_.cutoff(attempt) - 1));
    return newest;
}

std::vector<Event> RunContents::events() const {
    std::vector<Event> visible;
    for (const auto& [attempt, event] : events_)
        if (visibility_.visible(attempt, event.step)) visible.push_back(event);
    return visible;
}

std::vector<CheckpointInfo> RunContents::checkpoints() const {
    // Of several notices about one folder the last one counts: retention may have removed it.
    std::map<std::int64_t, CheckpointInfo> newest;
    for (const auto& [attempt, info] : checkpoints_)
        if (visibility_.visible(attempt, info.step)) newest[info.step] = info;
    std::vector<CheckpointInfo> all;
    for (auto& [step, info] : newest) all.push_back(std::move(info));
    return all;
}

std::map<ProbeKey, std::string> RunContents::probes() const {
    std::map<ProbeKey, std::string> newest;
    for (const auto& [attempt, notice] : probes_)
        if (visibility_.visible(attempt, notice.key.step) && staysInside(notice.file)) newest[notice.key] = notice.file;
    return newest;
}

std::map<std::int64_t, EvaluationNotice> RunContents::evaluations() const {
    std::map<std::int64_t, EvaluationNotice> newest;
    for (const auto& [attempt, notice] : evaluations_) {
        if (!visibility_.visible(attempt, notice.step) || !staysInside(notice.file)) continue;
        const auto known = newest.find(notice.step);
        if (known == newest.end() || notice.split == Split::kValidation || known->second.split != Split::kValidation) newest[notice.step] = notice;
    }
    return newest;
}

std::vector<TraceNotice> RunContents::traces() const {
    std::vector<TraceNotice> visible;
    for (const auto& [attempt, notice] : traces_)
        if (visibility_.visible(attempt, notice.step) && staysInside(notice.file)) visible.push_back(notice);
    std::stable_sort(visible.begin(), visible.end(), [](const TraceNotice& a, const TraceNotice& b) { return a.step < b.step; });
    return visible;
}

std::uint64_t RunContents::storedSamples() const {
    std::uint64_t count = 0;
    for (const auto& [file, samples] : samples_) count += samples;
    return count;
}

std::vector<std::string> RunContents::gapWarnings() const {
    std::vector<std::string> warnings;
    for (const auto& [attempt, gap] : gaps_)
        if (visibility_.visible(attempt, gap.first_step))
            warnings.push_back(fmt::format("Routing of {} units between steps {} and {} was not recorded: the writer had fallen behind", gap.units,
                                           gap.first_step, gap.last_step));
    return warnings;
}

RunState RunContents::stateWhenIdle() const {
    if (empty()) return RunState::kEmpty;
    RunState state = RunState::kInterrupted;
    for (const auto& [attempt, event] : events_) {
        if (event.kind == "run_started" || event.kind == "run_resumed") state = RunState::kInterrupted;
        if (event.kind == "run_finished") state = RunState::kFinished;
        if (event.kind == "run_stopped") state = RunState::kStopped;
        if (event.kind == "run_failed") state = RunState::kFailed;
    }
    return state;
}

}  // namespace es::store
