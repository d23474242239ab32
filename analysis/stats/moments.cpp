// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/moments.h"

#include <cmath>
#include <limits>

namespace es::analysis {

double Moments::sdPopulation() const { return std::sqrt(variance_population); }
double Moments::sdSample() const { return std::sqrt(variance_sample); }

Moments moments(std::span<const double> values) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    Moments result;
    double sum = 0;
    for (const double value : values) {
        if (!std::isfinite(value)) {
            ++result.non_finite;
            continue;
        }
        sum += value;
        ++result.n;
    }
    if (result.n == 0) {
        result.mean = result.variance_population = result.variance_sample = kNaN;
        return result;
    }
    const double n = static_cast<double>(result.n);
    const double first = sum / n;
    double squares = 0, rest = 0;
    for (const double value : values) {
        if (!std::isfinite(value)) continue;
        const double deviation = value - first;
        squares += deviation * deviation;
        rest += deviation;
    }
    // The second pass corrects the rounding of the first mean (Chan, Golub, LeVeque 1983).
    result.mean = first + rest / n;
    squares = squares - rest * rest / n;
    if (squares < 0) squares = 0;
    result.variance_population = squares / n;
    result.variance_sample = result.n > 1 ? squares / (n - 1) : kNaN;
    return result;
}

}  // namespace es::analysis
