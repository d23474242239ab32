// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/clustering.h"

#include <algorithm>
#include <cmath>

namespace es::analysis {

Clustering averageLinkage(std::span<const double> distance_NN, std::int32_t n) {
    Clustering result;
    const auto size = static_cast<std::size_t>(std::max(n, 0));
    if (size == 0) return result;
    double largest = 0;
    for (const double d : distance_NN)
        if (std::isfinite(d)) largest = std::max(largest, d);
    std::vector<double> items(size * size);
    for (std::size_t i = 0; i < size; ++i)
        for (std::size_t j = 0; j < size; ++j) {
            const double d = distance_NN[i * size + j];
            items[i * size + j] = std::isfinite(d) ? d : largest;
        }
    std::vector<double> between = items;  // of living clusters, each at the place of its first item
    struct Cluster {
        std::int32_t id = 0;
        std::vector<std::int32_t> order;
    };
    std::vector<Cluster> clusters(size);
    std::vector<std::size_t> living(size);
    for (std::size_t i = 0; i < size; ++i) {
        clusters[i] = {static_cast<std::int32_t>(i), {static_cast<std::int32_t>(i)}};
        living[i] = i;
    }
    const auto gap = [&](std::int32_t a, std::int32_t b) { return items[static_cast<std::size_t>(a) * size + static_cast<std::size_t>(b)]; };
    while (living.size() > 1) {
        std::size_t best_a = 0, best_b = 1;
        for (std::size_t a = 0; a < living.size(); ++a)
            for (std::size_t b = a + 1; b < living.size(); ++b)
                if (between[living[a] * size + living[b]] < between[living[best_a] * size + living[best_b]]) best_a = a, best_b = b;
        const std::size_t i = living[best_a], j = living[best_b];
        Cluster &left = clusters[i], &right = clusters[j];
        result.merges.push_back({left.id, right.id, between[i * size + j]});
        const auto weight_i = static_cast<double>(left.order.size()), weight_j = static_cast<double>(right.order.size());
        for (const std::size_t other : living)
            between[i * size + other] = between[other * size + i] =
                (weight_i * between[i * size + other] + weight_j * between[j * size + other]) / (weight_i + weight_j);
        const double as_is = gap(left.order.back(), right.order.front()), turn_left = gap(left.order.front(), right.order.front()),
                     turn_right = gap(left.order.back(), right.order.back()), turn_both = gap(left.order.front(), right.order.back());
        const double least = std::min({as_is, turn_left, turn_right, turn_both});
        if (as_is > least) {
            if (turn_right == least) {
                std::reverse(right.order.begin(), right.order.end());
            } else if (turn_left == least) {
                std::reverse(left.order.begin(), left.order.end());
            } else {
                std::reverse(left.order.begin(), left.order.end());
                std::reverse(right.order.begin(), right.order.end());
            }
        }
        left.order.insert(left.order.end(), right.order.begin(), right.order.end());
        left.id = n + static_cast<std::int32_t>(result.merges.size()) - 1;
        living.erase(living.begin() + static_cast<std::ptrdiff_t>(best_b));
    }
    result.order = std::move(clusters[living.front()].order);
    return result;
}

}  // namespace es::analysis
