// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/histogram.h"

#include <algorithm>
#include <cmath>

namespace es::analysis {

Histogram histogram(std::span<const double> values, std::int32_t bins, double min, double max) {
    bins = std::max(bins, 1);
    if (!(min < max)) {
        bool any = false;
        for (const double value : values) {
            if (!std::isfinite(value)) continue;
            min = any ? std::min(min, value) : value;
            max = any ? std::max(max, value) : value;
            any = true;
        }
        if (!any) min = 0, max = 1;
        if (min == max) min -= 0.5, max += 0.5;
    }
    Histogram result;
    result.counts.assign(static_cast<std::size_t>(bins), 0);
    for (std::int32_t i = 0; i <= bins; ++i) result.edges.push_back(min + (max - min) * i / bins);
    for (const double value : values) {
        if (!std::isfinite(value)) ++result.non_finite;
        else if (value < min) ++result.below;
        else if (value > max) ++result.above;
        else ++result.counts[static_cast<std::size_t>(std::min<double>((value - min) / (max - min) * bins, bins - 1))];
    }
    return result;
}

}  // namespace es::analysis
