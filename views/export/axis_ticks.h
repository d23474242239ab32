// SPDX-License-Identifier: GPL-3.0-or-later
// Where ticks go and what they say. Pure functions.
#pragma once

#include <QString>
#include <vector>

#include "analysis/figures/panel_data.h"

namespace es::views::page {

/// What an axis spans. `low` > `high` is legal: the axis then runs backwards.
struct AxisRange {
    double low = 0, high = 1;
    analysis::Scale scale = analysis::Scale::kLinear;
    /// 0 at `low`, 1 at `high`; NaN for what a logarithmic axis cannot show.
    [[nodiscard]] double fraction(double value) const;
};

struct Ticks {
    std::vector<double> at;
    std::vector<QString> labels;  ///< one a tick
    int exponent = 0;             ///< labels are in units of 10^exponent; 0: plain
};

/// Round values (1, 2, 2.5, 5 times a power of ten; powers of ten on a logarithmic axis) inside the range, about `wanted` of them.
[[nodiscard]] Ticks makeTicks(const AxisRange& range, int wanted);

/// The smallest range of round ends that holds both values; a margin is added when they are equal.
[[nodiscard]] AxisRange niceRange(double low, double high, analysis::Scale scale, int wanted = 5);

/// "active compute (FLOPs)" with exponent 17 becomes "active compute (10¹⁷ FLOPs)".
[[nodiscard]] QString titleWithExponent(const QString& title, int exponent);

/// A number for people: at most `digits` significant ones, a true minus sign, no exponent between 1e-4 and 1e6.
[[nodiscard]] QString numberText(double value, int digits = 3);

}  // namespace es::views::page
