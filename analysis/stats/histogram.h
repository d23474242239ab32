// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace es::analysis {

/// Equal bins over [min, max]; the last bin holds its upper edge too.
struct Histogram {
    std::vector<double> edges;  ///< bins + 1
    std::vector<std::int64_t> counts;
    std::int64_t below = 0, above = 0, non_finite = 0;
};
/// bins >= 1. With min >= max the range of the finite values is taken (widened when it is a point).
[[nodiscard]] Histogram histogram(std::span<const double> values, std::int32_t bins, double min = 0, double max = 0);

}  // namespace es::analysis
