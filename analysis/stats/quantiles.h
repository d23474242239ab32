// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

namespace es::analysis {

/// Quantiles of the finite values by linear interpolation between order statistics (Hyndman and Fan's type 7, numpy's default).
/// NaN when there is no finite value. p is clamped to [0, 1].
[[nodiscard]] double quantile(std::span<const double> values, double p);
[[nodiscard]] std::vector<double> quantiles(std::span<const double> values, std::span<const double> ps);

}  // namespace es::analysis
