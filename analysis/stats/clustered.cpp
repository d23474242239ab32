// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/clustered.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

namespace es::analysis {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double studentT(double confidence, double freedom) {
    return boost::math::quantile(boost::math::complement(boost::math::students_t(freedom), (1 - std::clamp(confidence, 0.0, 1.0 - 1e-12)) / 2));
}

}  // namespace

Interval clusteredShare(std::span<const double> y_S, std::span<const double> n_S, double confidence) {
    double taken = 0, total = 0;
    std::int64_t groups = 0;
    for (std::size_t s = 0; s < std::min(y_S.size(), n_S.size()); ++s) {
        taken += y_S[s];
        total += n_S[s];
        groups += n_S[s] > 0;
    }
    if (!(total > 0)) return {kUndefined, kUndefined, kUndefined, kUndefined, 0};
    const double share = taken / total;
    if (groups < 2) return {share, kUndefined, kUndefined, kUndefined, groups};
    double squares = 0;
    for (std::size_t s = 0; s < std::min(y_S.size(), n_S.size()); ++s)
        if (n_S[s] > 0) squares += (y_S[s] - share * n_S[s]) * (y_S[s] - share * n_S[s]);
    const double error = std::sqrt(squares * static_cast<double>(groups) / static_cast<double>(groups - 1)) / total;
    if (!(error > 0) || !(share > 0) || !(share < 1)) {
        if (share > 0 && share < 1) return {share, share, share, kUndefined, groups};
        Interval whole = wilson(share > 0 ? groups : 0, groups, confidence);
        whole.mean = share;
        return whole;
    }
    const double logit = std::log(share / (1 - share)), half = studentT(confidence, static_cast<double>(groups - 1)) * error / (share * (1 - share));
    const auto back = [](double x) { return 1 / (1 + std::exp(-x)); };
    return {share, back(logit - half), back(logit + half), kUndefined, groups};
}

Interval clusteredDifference(std::span<const double> y1_S, std::span<const double> n1_S, std::span<const double> y0_S, std::span<const double> n0_S,
                             double confidence) {
    double y1 = 0, n1 = 0, y0 = 0, n0 = 0;
    std::int64_t groups = 0;
    const std::size_t size = std::min({y1_S.size(), n1_S.size(), y0_S.size(), n0_S.size()});
    for (std::size_t s = 0; s < size; ++s) {
        y1 += y1_S[s], n1 += n1_S[s], y0 += y0_S[s], n0 += n0_S[s];
        groups += n1_S[s] + n0_S[s] > 0;
    }
    if (!(n1 > 0) || !(n0 > 0)) return {kUndefined, kUndefined, kUndefined, kUndefined, groups};
    const double p1 = y1 / n1, p0 = y0 / n0, difference = p1 - p0;
    if (groups < 2) return {difference, kUndefined, kUndefined, kUndefined, groups};
    double squares = 0;
    for (std::size_t s = 0; s < size; ++s) {
        const double d = (y1_S[s] - p1 * n1_S[s]) / n1 - (y0_S[s] - p0 * n0_S[s]) / n0;
        squares += d * d;
    }
    const double error = std::sqrt(squares * static_cast<double>(groups) / static_cast<double>(groups - 1));
    const double freedom = static_cast<double>(groups - 1), half = error > 0 ? studentT(confidence, freedom) * error : 0;
    Interval result{difference, difference - half, difference + half, difference == 0 ? 1.0 : 0.0, groups};
    if (error > 0) result.p = 2 * boost::math::cdf(boost::math::complement(boost::math::students_t(freedom), std::abs(difference) / error));
    return result;
}

}  // namespace es::analysis
