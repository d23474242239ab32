// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/resampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/stats/moments.h"
#include "analysis/stats/quantiles.h"
#include "engine/base/random.h"

namespace es::analysis {

Interval bootstrapMean(std::span<const double> values, std::int32_t draws, std::uint64_t seed, double confidence) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    std::vector<double> finite;
    for (const double value : values)
        if (std::isfinite(value)) finite.push_back(value);
    const Moments m = moments(finite);
    if (m.n < 2 || draws < 1) return {m.mean, kNaN, kNaN, kNaN, m.n};
    std::vector<double> means;
    std::int64_t below = 0, above = 0;
    for (std::int32_t draw = 0; draw < draws; ++draw) {
        RandomStream random(seed, RandomPurpose::kBootstrap, static_cast<std::uint64_t>(draw));
        double sum = 0;
        for (std::size_t i = 0; i < finite.size(); ++i) sum += finite[random.below(static_cast<std::uint32_t>(finite.size()))];
        means.push_back(sum / static_cast<double>(finite.size()));
        below += means.back() <= 0;
        above += means.back() >= 0;
    }
    const std::array<double, 2> ends = {(1 - confidence) / 2, (1 + confidence) / 2};
    const std::vector<double> bounds = quantiles(means, ends);
    const double p = std::min(1.0, 2.0 * static_cast<double>(std::max<std::int64_t>(1, std::min(below, above))) / draws);
    return {m.mean, bounds[0], bounds[1], p, m.n};
}

std::vector<std::int32_t> permutation(std::int32_t n, std::uint64_t seed, std::uint64_t draw) {
    std::vector<std::int32_t> order(static_cast<std::size_t>(std::max(n, 0)));
    std::iota(order.begin(), order.end(), 0);
    RandomStream(seed, RandomPurpose::kPermutation, draw).shuffle(std::span(order));
    return order;
}

}  // namespace es::analysis
