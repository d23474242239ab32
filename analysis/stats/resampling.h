// SPDX-License-Identifier: GPL-3.0-or-later
// Resampling with counter-based random numbers: draw i is the same whoever asks, in whatever order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/stats/intervals.h"

namespace es::analysis {

/// Percentile bootstrap of the mean of the finite values. p is the two-sided share of draws on the other side of 0 (at least 1/draws).
[[nodiscard]] Interval bootstrapMean(std::span<const double> values, std::int32_t draws, std::uint64_t seed, double confidence = 0.95);

/// A permutation of 0 .. n-1.
[[nodiscard]] std::vector<std::int32_t> permutation(std::int32_t n, std::uint64_t seed, std::uint64_t draw);

}  // namespace es::analysis
