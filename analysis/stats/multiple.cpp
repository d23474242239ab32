// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/multiple.h"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <numeric>

#include "analysis/stats/moments.h"

namespace es::analysis {

std::vector<double> holm(std::span<const double> p) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < p.size(); ++i)
        if (std::isfinite(p[i])) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
    std::vector<double> adjusted(p.begin(), p.end());
    double largest = 0;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        largest = std::max(largest, std::min(1.0, p[order[rank]] * static_cast<double>(order.size() - rank)));
        adjusted[order[rank]] = largest;
    }
    return adjusted;
}

double permutationP(double observed, std::span<const double> draws) {
    if (draws.empty()) return 1;
    const auto reach = std::count_if(draws.begin(), draws.end(), [&](double value) { return value >= observed; });
    const double counted = static_cast<double>(1 + reach) / static_cast<double>(1 + draws.size());
    const Moments m = moments(draws);
    if (reach > 0 || m.n < 20 || !(m.variance_sample > 0)) return counted;
    const double sd = std::sqrt(m.variance_sample);
    double cubes = 0;
    for (const double value : draws) cubes += std::pow((value - m.mean) / sd, 3);
    // Draws that lean to the left are read as if they did not: the tail is then too heavy rather than too light.
    constexpr double kLeastSkew = 0.05;
    const double skew = std::max(cubes / static_cast<double>(m.n), kLeastSkew);
    const double shape = 4 / (skew * skew), scale = sd * skew / 2, beyond = observed - (m.mean - shape * scale);
    return std::clamp(boost::math::gamma_q(shape, beyond / scale), kLeastP, counted);
}

}  // namespace es::analysis
