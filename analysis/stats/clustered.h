// SPDX-License-Identifier: GPL-3.0-or-later
// Shares of tokens where tokens come in groups that are alike (the patches of a picture and its variants): the groups are what varies.
#pragma once

#include <cstdint>
#include <span>

#include "analysis/stats/intervals.h"

namespace es::analysis {

/// Fewer groups say too little of how much groups differ: no interval is given.
inline constexpr std::int64_t kLeastGroups = 5;

/// Σ y ÷ Σ n over groups (equal sizes, n >= 0): a ratio of sums with its linearised variance S/(S-1) Σ (y_s - p n_s)² ÷ (Σ n)² (Cochran 1977, eq. 6.13).
/// The interval is Wilson's with as many trials as a plain sample of that variance would have, p (1 - p) ÷ variance, and Student's t of S - 1 degrees of
/// freedom (Korn and Graubard 1998 with Wilson's limits). Groups without tokens do not count. NaN bounds with fewer than kLeastGroups, or when all groups
/// have the same share strictly between 0 and 1; where the share is 0 or 1 Wilson's interval with the groups as single observations. n is the groups.
[[nodiscard]] Interval clusteredShare(std::span<const double> y_S, std::span<const double> n_S, double confidence = 0.95);

/// Σ y1 ÷ Σ n1 - Σ y0 ÷ Σ n0: a difference of risks, or of weighted means (y any sum). Groups hold one kind, both, or nothing. Linearised as above; each
/// side's residuals are divided by the root of 1 - h, h the group's part of that side's Σ n, and degrees of freedom are Satterthwaite's (Bell and McCaffrey
/// 2002, groups as wholes): a side of few groups has few, however many the other has. On the plain scale. Where a side is 0 or 1 in every group, the limits
/// of both shares are combined instead (Newcombe 1998, method 10) and p is NaN. NaN bounds and p when a side has tokens in fewer than kLeastGroups, or all
/// its groups are equal otherwise. n is the groups of the smaller side.
[[nodiscard]] Interval clusteredDifference(std::span<const double> y1_S, std::span<const double> n1_S, std::span<const double> y0_S,
                                           std::span<const double> n0_S, double confidence = 0.95);

/// Interval of an estimate that is linear in groups. `residual_S`: what each group adds to estimate less truth, already divided by the root of 1 - h;
/// `part_S`: h, the group's part of the sums that the estimate is made of. Variance Σ residual², Satterthwaite's degrees of freedom from the parts. Bounds
/// and p as meanInterval(): without spread low = high = mean, NaN with fewer than two groups. n is the groups.
[[nodiscard]] Interval linearisedInterval(double estimate, std::span<const double> residual_S, std::span<const double> part_S, double confidence = 0.95);

}  // namespace es::analysis
