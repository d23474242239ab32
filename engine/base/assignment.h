// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace es {

/// The assignment of rows to columns with the largest sum of scores (n x n, row-major; what is not finite counts as 0): column of each row. Shortest augmenting
/// paths (Jonker and Volgenant 1987), O(n^3). The optimum may not be unique; the same scores give the same answer.
[[nodiscard]] std::vector<std::int32_t> bestAssignment(std::span<const double> scores, std::int32_t n);

}  // namespace es
