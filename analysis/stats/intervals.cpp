// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/intervals.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/stats/moments.h"

namespace es::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double clampedConfidence(double confidence) { return std::clamp(confidence, 0.0, 1.0 - 1e-12); }

Interval fromError(double mean, double error, double freedom, double confidence, std::int64_t n) {
    Interval result{mean, mean, mean, mean == 0 ? 1.0 : 0.0, n};
    if (!(error > 0)) return result;
    const boost::math::students_t distribution(freedom);
    const double t = boost::math::quantile(boost::math::complement(distribution, (1 - clampedConfidence(confidence)) / 2));
    result.low = mean - t * error;
    result.high = mean + t * error;
    result.p = 2 * boost::math::cdf(boost::math::complement(distribution, std::abs(mean) / error));
    return result;
}

}  // namespace

Interval meanInterval(std::span<const double> values, double confidence) {
    const Moments m = moments(values);
    if (m.n < 2) return {m.mean, kNaN, kNaN, kNaN, m.n};
    return fromError(m.mean, std::sqrt(m.variance_sample / static_cast<double>(m.n)), static_cast<double>(m.n - 1), confidence, m.n);
}

Interval pairedT(std::span<const double> a, std::span<const double> b, double confidence) {
    std::vector<double> difference;
    const std::size_t n = std::min(a.size(), b.size());
    difference.reserve(n);
    for (std::size_t i = 0; i < n; ++i) difference.push_back(a[i] - b[i]);
    return meanInterval(difference, confidence);
}

Interval welch(std::span<const double> a, std::span<const double> b, double confidence) {
    const Moments ma = moments(a), mb = moments(b);
    const double mean = ma.mean - mb.mean;
    const std::int64_t n = std::min(ma.n, mb.n);
    if (n < 2) return {mean, kNaN, kNaN, kNaN, n};
    const double va = ma.variance_sample / static_cast<double>(ma.n), vb = mb.variance_sample / static_cast<double>(mb.n);
    const double freedom = (va + vb) * (va + vb) / (va * va / static_cast<double>(ma.n - 1) + vb * vb / static_cast<double>(mb.n - 1));
    return fromError(mean, std::sqrt(va + vb), freedom, confidence, n);
}

Interval wilson(std::int64_t successes, std::int64_t trials, double confidence) {
    if (trials <= 0) return {kNaN, kNaN, kNaN, kNaN, 0};
    const double n = static_cast<double>(trials), share = static_cast<double>(successes) / n;
    const double z = boost::math::quantile(boost::math::complement(boost::math::normal(), (1 - clampedConfidence(confidence)) / 2));
    const double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    return {share, std::max(0.0, middle - half), std::min(1.0, middle + half), kNaN, trials};
}

}  // namespace es::analysis
