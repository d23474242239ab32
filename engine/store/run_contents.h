// SPDX-License-Identifier: GPL-3.0-or-later
// The small records of a run, in memory: everything but scalars, load and routing itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/store/journal_records.h"
#include "engine/store/run_reader.h"
#include "engine/store/visibility.h"

namespace es::store {

/// A record and the attempt it came from.
template <class T>
struct Attributed {
    std::uint32_t attempt = 0;
    T record;
};

class RunContents {
public:
    /// Takes a small record of a journal. Returns what it changes for views.
    RunChange apply(std::uint32_t attempt, const Record& record);
    void noteStep(std::uint32_t attempt, std::int64_t step);
    void noteTime(double time) { updated_s_ = std::max(updated_s_, time); }

    [[nodiscard]] const Visibility& visibility() const { return visibility_; }
    [[nodiscard]] const RouterTable& routers() const { return routers_; }
    [[nodiscard]] std::vector<Event> events() const;
    [[nodiscard]] std::vector<CheckpointInfo> checkpoints() const;
    /// Newest notices that count, keyed.
    [[nodiscard]] std::map<ProbeKey, std::string> probes() const;
    [[nodiscard]] std::map<std::int64_t, EvaluationNotice> evaluations() const;
    /// Traced steps that count, steps ascending.
    [[nodiscard]] std::vector<TraceNotice> traces() const;
    [[nodiscard]] bool segmentClosed(const std::string& file) const { return closed_segments_.contains(file); }
    [[nodiscard]] std::uint64_t storedSamples() const;
    [[nodiscard]] std::vector<std::string> gapWarnings() const;

    [[nodiscard]] std::int64_t newestStep() const;
    /// Of one attempt, superseded steps included; -1: none.
    [[nodiscard]] std::int64_t newestStepOf(std::uint32_t attempt) const {
        const auto entry = newest_step_.find(attempt);
        return entry == newest_step_.end() ? -1 : entry->second;
    }
    [[nodiscard]] double startedSeconds() const { return started_s_; }
    [[nodiscard]] double updatedSeconds() const { return updated_s_; }
    [[nodiscard]] bool empty() const { return visibility_.attempts() == 0; }
    /// By the last event that says how the run stands, when nobody holds its lock.
    [[nodiscard]] RunState stateWhenIdle() const;

private:
    template <class T>
    using List = std::vector<Attributed<T>>;
    Visibility visibility_;
    RouterTable routers_;
    List<Event> events_;
    List<CheckpointInfo> checkpoints_;
    List<ProbeNotice> probes_;
    List<EvaluationNotice> evaluations_;
    List<TraceNotice> traces_;
    List<TraceGap> gaps_;
    std::set<std::string> closed_segments_;
    std::map<std::string, std::uint64_t> samples_;
    std::map<std::uint32_t, std::int64_t> newest_step_;
    double started_s_ = 0, updated_s_ = 0;
};

}  // namespace es::store
