// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/clustered.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace es::analysis {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double studentT(double confidence, double freedom) {
    return boost::math::quantile(boost::math::complement(boost::math::students_t(freedom), (1 - std::clamp(confidence, 0.0, 1.0 - 1e-12)) / 2));
}

/// One side of a difference: its ratio and what each group adds.
struct RatioSide {
    double total = 0, ratio = 0;
    std::int64_t groups = 0;
    std::vector<double> part_S;      ///< of the total, h
    std::vector<double> residual_S;  ///< divided by the total and the root of 1 - h
    double unit = 0;                 ///< variance of a group that were the whole side, pooled over groups
};

RatioSide ratioSide(std::span<const double> y_S, std::span<const double> n_S, std::size_t size) {
    RatioSide side;
    double sum = 0;
    for (std::size_t s = 0; s < size; ++s) {
        if (!(n_S[s] > 0)) continue;
        sum += y_S[s];
        side.total += n_S[s];
        ++side.groups;
    }
    if (!(side.total > 0)) return side;
    side.ratio = sum / side.total;
    side.part_S.assign(size, 0);
    side.residual_S.assign(size, 0);
    double squares = 0, parts = 0;
    for (std::size_t s = 0; s < size; ++s) {
        if (!(n_S[s] > 0)) continue;
        const double part = n_S[s] / side.total;
        side.part_S[s] = part;
        if (part < 1) side.residual_S[s] = (y_S[s] - side.ratio * n_S[s]) / (side.total * std::sqrt(1 - part));
        squares += side.residual_S[s] * side.residual_S[s];
        parts += part * part;
    }
    // Residuals of equal groups are 0 but for rounding.
    constexpr double kRounding = 1e-24;
    side.unit = squares > kRounding * (side.ratio * side.ratio + 1) * parts ? squares / parts : 0;
    return side;
}

}  // namespace

Interval clusteredShare(std::span<const double> y_S, std::span<const double> n_S, double confidence) {
    double taken = 0, total = 0;
    std::int64_t groups = 0;
    const std::size_t size = std::min(y_S.size(), n_S.size());
    for (std::size_t s = 0; s < size; ++s) {
        taken += y_S[s];
        total += n_S[s];
        groups += n_S[s] > 0;
    }
    if (!(total > 0)) return {kUndefined, kUndefined, kUndefined, kUndefined, 0};
    const double share = taken / total;
    if (groups < kLeastGroups) return {share, kUndefined, kUndefined, kUndefined, groups};
    if (share == 0 || share == 1) {
        Interval whole = wilson(share > 0 ? groups : 0, groups, confidence);
        whole.mean = share;
        return whole;
    }
    double squares = 0;
    for (std::size_t s = 0; s < size; ++s)
        if (n_S[s] > 0) squares += (y_S[s] - share * n_S[s]) * (y_S[s] - share * n_S[s]);
    const double variance = squares * static_cast<double>(groups) / static_cast<double>(groups - 1) / (total * total);
    constexpr double kRounding = 1e-24;
    if (!(share > 0) || !(share < 1) || !(variance > kRounding)) return {share, kUndefined, kUndefined, kUndefined, groups};
    const double trials = share * (1 - share) / variance, t = studentT(confidence, static_cast<double>(groups - 1));
    const double middle = (share + t * t / (2 * trials)) / (1 + t * t / trials);
    const double half = t / (1 + t * t / trials) * std::sqrt(share * (1 - share) / trials + t * t / (4 * trials * trials));
    return {share, std::max(0.0, middle - half), std::min(1.0, middle + half), kUndefined, groups};
}

Interval clusteredDifference(std::span<const double> y1_S, std::span<const double> n1_S, std::span<const double> y0_S, std::span<const double> n0_S,
                             double confidence) {
    const std::size_t size = std::min({y1_S.size(), n1_S.size(), y0_S.size(), n0_S.size()});
    const RatioSide one = ratioSide(y1_S, n1_S, size), zero = ratioSide(y0_S, n0_S, size);
    const std::int64_t groups = std::min(one.groups, zero.groups);
    if (!(one.total > 0) || !(zero.total > 0)) return {kUndefined, kUndefined, kUndefined, kUndefined, groups};
    const double difference = one.ratio - zero.ratio;
    if (groups < kLeastGroups) return {difference, kUndefined, kUndefined, kUndefined, groups};
    if (!(one.unit > 0) || !(zero.unit > 0)) {
        const Interval a = clusteredShare(y1_S, n1_S, confidence), b = clusteredShare(y0_S, n0_S, confidence);
        return {difference, difference - std::hypot(a.mean - a.low, b.high - b.mean), difference + std::hypot(a.high - a.mean, b.mean - b.low), kUndefined,
                groups};
    }
    double variance = 0, expected = 0, of_squares = 0;
    for (std::size_t s = 0; s < size; ++s) {
        const double d = one.residual_S[s] - zero.residual_S[s], h = std::max(one.part_S[s], zero.part_S[s]);
        variance += d * d;
        const double own = one.part_S[s] * one.part_S[s] * one.unit + zero.part_S[s] * zero.part_S[s] * zero.unit;
        expected += own;
        if (h < 1) of_squares += own * own / (1 - h);
    }
    if (!(variance > 0)) return {difference, kUndefined, kUndefined, kUndefined, groups};
    const double freedom = std::max(1.0, expected * expected / of_squares), error = std::sqrt(variance), half = studentT(confidence, freedom) * error;
    const double p = 2 * boost::math::cdf(boost::math::complement(boost::math::students_t(freedom), std::abs(difference) / error));
    return {difference, difference - half, difference + half, p, groups};
}

Interval linearisedInterval(double estimate, std::span<const double> residual_S, std::span<const double> part_S, double confidence) {
    const auto groups = static_cast<std::int64_t>(residual_S.size());
    if (groups < 2) return {estimate, kUndefined, kUndefined, kUndefined, groups};
    double variance = 0, expected = 0, of_squares = 0;
    for (std::size_t s = 0; s < std::min(residual_S.size(), part_S.size()); ++s) {
        const double own = part_S[s] * part_S[s];
        variance += residual_S[s] * residual_S[s];
        expected += own;
        if (part_S[s] < 1) of_squares += own * own / (1 - part_S[s]);
    }
    if (!(variance > 0) || !(of_squares > 0)) return {estimate, estimate, estimate, estimate == 0 ? 1.0 : 0.0, groups};
    const double freedom = std::max(1.0, expected * expected / of_squares), error = std::sqrt(variance), half = studentT(confidence, freedom) * error;
    const double p = 2 * boost::math::cdf(boost::math::complement(boost::math::students_t(freedom), std::abs(estimate) / error));
    return {estimate, estimate - half, estimate + half, p, groups};
}

}  // namespace es::analysis
