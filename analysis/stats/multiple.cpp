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
    if (reach > 0 || m.n < 20 || !(m.variance_sample > 0) || !(m.mean > 0)) return counted;
    const double scale = m.variance_sample / m.mean, shape = m.mean / scale;
    return std::min(counted, boost::math::gamma_q(shape, observed / scale));
}

}  // namespace es::analysis
