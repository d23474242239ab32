// SPDX-License-Identifier: GPL-3.0-or-later
// Which records count: those that no later attempt supersedes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>

namespace es::store {

/// Step from which each attempt's records are superseded: the smallest start step of the attempts after it.
class Visibility {
public:
    void addAttempt(std::uint32_t attempt, std::int64_t startStep) { starts_[attempt] = startStep; }
    /// Records of the attempt count while step < cutoff.
    [[nodiscard]] std::int64_t cutoff(std::uint32_t attempt) const {
        std::int64_t cutoff = std::numeric_limits<std::int64_t>::max();
        for (auto later = starts_.upper_bound(attempt); later != starts_.end(); ++later) cutoff = std::min(cutoff, later->second);
        return cutoff;
    }
    [[nodiscard]] bool visible(std::uint32_t attempt, std::int64_t step) const { return step < cutoff(attempt); }
    [[nodiscard]] std::size_t attempts() const { return starts_.size(); }

private:
    std::map<std::uint32_t, std::int64_t> starts_;
};

}  // namespace es::store
