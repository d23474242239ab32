// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/entropy.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace es::analysis {
namespace {

template <class T>
double entropyOf(std::span<const T> weights) {
    double sum = 0;
    for (const T w : weights) sum += static_cast<double>(w);
    if (!(sum > 0)) return 0;
    double entropy = 0;
    for (const T w : weights) {
        const double p = static_cast<double>(w) / sum;
        if (p > 0) entropy -= p * std::log(p);
    }
    return std::max(entropy, 0.0);
}

}  // namespace

double entropyNats(std::span<const double> weights) { return entropyOf(weights); }
double entropyNats(std::span<const float> weights) { return entropyOf(weights); }

double jensenShannonNats(std::span<const double> p, std::span<const double> q) {
    const std::size_t n = std::min(p.size(), q.size());
    double sum_p = 0, sum_q = 0;
    for (std::size_t i = 0; i < n; ++i) sum_p += p[i], sum_q += q[i];
    if (!(sum_p > 0) || !(sum_q > 0)) return 0;
    double divergence = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double a = p[i] / sum_p, b = q[i] / sum_q, middle = 0.5 * (a + b);
        if (a > 0) divergence += 0.5 * a * std::log(a / middle);
        if (b > 0) divergence += 0.5 * b * std::log(b / middle);
    }
    return std::max(divergence, 0.0);
}

}  // namespace es::analysis
