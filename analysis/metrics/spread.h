// SPDX-License-Identifier: GPL-3.0-or-later
// How unevenly tokens are served where their number of experts is not fixed (expert choice, top-p), and where in a sequence assignments are dropped.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

/// Experts a token. Dense mass: those with mass above 1 ÷ E, its even share.
struct TokenSpread {
    std::int64_t tokens = 0;
    std::int32_t least = 0, most = 0;
    double mean = 0;
    std::vector<std::int32_t> thresholds;            ///< 1, 2, 4 .. up to E
    std::vector<double> at_least;                    ///< share of tokens with at least so many experts, one a threshold
    double smallest_weight = 0, largest_weight = 0;  ///< over chosen assignments; NaN without weights
    double mean_weight = 0;                          ///< combine weight of a kept assignment; NaN without weights
};
[[nodiscard]] TokenSpread tokenSpread(const store::RoutingView& view);

/// Dropped assignments by position within the sample: `bins` equal parts of 0 .. the largest position. Empty when positions are not recorded.
struct DropsByPosition {
    std::vector<std::int32_t> first_position;  ///< of each bin
    std::vector<std::int64_t> assignments, dropped;
};
[[nodiscard]] DropsByPosition dropsByPosition(const store::RoutingView& view, std::int32_t bins = 8);

}  // namespace es::analysis
