// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/skewed.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "analysis/stats/moments.h"

namespace es::analysis {

Interval skewedMeanInterval(std::span<const double> values, double confidence) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    const Moments m = moments(values);
    if (m.n < kLeastSkewed) return {m.mean, kNaN, kNaN, kNaN, m.n};
    const double sd = m.sdSample(), n = static_cast<double>(m.n);
    if (!(sd > 0)) return {m.mean, m.mean, m.mean, kNaN, m.n};
    double cubes = 0;
    for (const double value : values)
        if (std::isfinite(value)) cubes += std::pow((value - m.mean) / sd, 3);
    const double skew = cubes * n / ((n - 1) * (n - 2));
    const double t = boost::math::quantile(boost::math::complement(boost::math::students_t(n - 1), (1 - std::clamp(confidence, 0.0, 1.0 - 1e-12)) / 2));
    const auto back = [&](double x) {
        constexpr double kStraight = 1e-6;
        return std::abs(skew) < kStraight ? x : 3 / skew * (std::cbrt(1 + skew * (x - skew / (6 * n))) - 1);
    };
    return {m.mean, m.mean - sd * back(t / std::sqrt(n)), m.mean - sd * back(-t / std::sqrt(n)), kNaN, m.n};
}

}  // namespace es::analysis
