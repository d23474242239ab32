// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

namespace es::views {

/// Points of a curve as drawn.
struct ReducedCurve {
    std::vector<double> x, y;
    bool reduced = false;  ///< fewer points than the curve has in the range
};

/// The part of a curve between `low` and `high` (and one point beyond each end, so that lines leave the plot), reduced to about 2 points a
/// column: the lowest and the highest of each, in their order, so that no extreme is lost; NaN stays where it breaks the line.
/// x ascends. Needs x.size() == y.size().
[[nodiscard]] ReducedCurve reduceCurve(const std::vector<double>& x, const std::vector<double>& y, double low, double high, int columns);

}  // namespace es::views
