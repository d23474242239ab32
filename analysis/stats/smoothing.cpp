// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/smoothing.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace es::analysis {

std::vector<double> smoothed(std::span<const double> values, double weight) {
    if (!(weight > 0)) return {values.begin(), values.end()};
    weight = std::min(weight, 0.999);
    std::vector<double> result;
    result.reserve(values.size());
    double mean = 0, remaining = 1;
    for (const double value : values) {
        if (!std::isfinite(value)) {
            result.push_back(std::numeric_limits<double>::quiet_NaN());
            continue;
        }
        mean = weight * mean + (1 - weight) * value;
        remaining *= weight;
        result.push_back(mean / (1 - remaining));
    }
    return result;
}

}  // namespace es::analysis
