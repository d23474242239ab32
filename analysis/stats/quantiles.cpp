// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/quantiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace es::analysis {

std::vector<double> quantiles(std::span<const double> values, std::span<const double> ps) {
    std::vector<double> sorted;
    sorted.reserve(values.size());
    for (const double value : values)
        if (std::isfinite(value)) sorted.push_back(value);
    std::sort(sorted.begin(), sorted.end());
    std::vector<double> result;
    for (const double p : ps) {
        if (sorted.empty()) {
            result.push_back(std::numeric_limits<double>::quiet_NaN());
            continue;
        }
        const double at = std::clamp(p, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
        const auto low = static_cast<std::size_t>(at);
        const std::size_t high = std::min(low + 1, sorted.size() - 1);
        result.push_back(sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]));
    }
    return result;
}

double quantile(std::span<const double> values, double p) { return quantiles(values, std::span(&p, 1)).front(); }

}  // namespace es::analysis
