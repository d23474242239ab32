// SPDX-License-Identifier: GPL-3.0-or-later
// Shares of tokens where tokens come in groups that are alike (the patches of a picture): the groups are what varies.
#pragma once

#include <span>

#include "analysis/stats/intervals.h"

namespace es::analysis {

/// Σ y ÷ Σ n over groups (equal sizes, n >= 0): a ratio of sums with its linearised variance S/(S-1) Σ (y_s - p n_s)² ÷ (Σ n)² (Cochran 1977, eq. 6.13),
/// the interval on the logit scale with Student's t, S - 1 degrees of freedom, so that it stays inside 0 .. 1. Groups without tokens do not count.
/// NaN bounds with fewer than two groups; where the share is 0 or 1 Wilson's interval with the groups as single observations. n is the groups.
[[nodiscard]] Interval clusteredShare(std::span<const double> y_S, std::span<const double> n_S, double confidence = 0.95);

/// Σ y1 ÷ Σ n1 - Σ y0 ÷ Σ n0 (a risk difference), groups holding tokens of both or of one kind, linearised as above, on the plain scale. NaN when one
/// side has no tokens.
[[nodiscard]] Interval clusteredDifference(std::span<const double> y1_S, std::span<const double> n1_S, std::span<const double> y0_S,
                                           std::span<const double> n0_S, double confidence = 0.95);

}  // namespace es::analysis
