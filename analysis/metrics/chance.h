// SPDX-License-Identifier: GPL-3.0-or-later
// How much mutual information two labellings of the same tokens share by chance alone, exactly.
#pragma once

#include <cstdint>
#include <span>

#include "analysis/metrics/dependence.h"

namespace es::analysis {

/// Mean mutual information (nats) over all ways to deal the same row and column sums (whole numbers, equal totals) at random: Vinh, Epps and Bailey
/// 2010, eq. 24a. Exact but for rounding. Time grows with distinct sums times the spread of a cell, not with the tokens.
[[nodiscard]] double expectedMutualInformation(std::span<const double> row_sums, std::span<const double> column_sums);

/// Mutual information with what chance gives taken away.
struct AdjustedInformation {
    double expected_mi_nats = 0;
    double ami = 0;  ///< (I - E[I]) ÷ (mean of the two entropies - E[I]): 0 at chance on average (it may be negative), 1 for equal partitions
};
/// Of a table of counts (rows labels, columns experts, row-major). Counts of soft routing are no whole numbers: NaN. 0 when nothing can be shared.
/// Chance here deals single tokens: that the patches of one picture are alike is not in it, so it does not replace a permutation of whole pictures.
[[nodiscard]] AdjustedInformation adjustedInformation(std::span<const double> joint_LE, std::int32_t labels, std::int32_t experts);

}  // namespace es::analysis
