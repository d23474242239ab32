// SPDX-License-Identifier: GPL-3.0-or-later
// Means of values that lean to one side, as divergences and other numbers that cannot be negative do.
#pragma once

#include <span>

#include "analysis/stats/intervals.h"

namespace es::analysis {

inline constexpr std::int64_t kLeastSkewed = 20;

/// Interval of a mean by Hall's transformation of Student's t with the sample's own skewness (Hall 1992), which Student's own lacks: of skewed values the
/// latter holds the truth too seldom. NaN bounds with fewer than kLeastSkewed values, whose skewness is not known; p is NaN.
[[nodiscard]] Interval skewedMeanInterval(std::span<const double> values, double confidence = 0.95);

}  // namespace es::analysis
