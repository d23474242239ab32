// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/chance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "analysis/stats/entropy.h"

namespace es::analysis {
namespace {

/// Mean of (n/N) ln(N n / ab) for n hypergeometric: a marked among N, b drawn.
double expectedTerm(double a, double b, double total) {
    const double least = std::max(0.0, a + b - total), most = std::min(a, b);
    const double mode = std::clamp(std::floor((a + 1) * (b + 1) / (total + 2)), least, most);
    const auto term = [&](double n, double p) { return n > 0 ? p * n / total * std::log(total * n / (a * b)) : 0.0; };
    constexpr double kNegligible = 1e-22;  // of the peak: far below what a double of the sum can hold
    double sum = term(mode, 1), weight = 1;
    double p = 1;
    for (double n = mode; n < most; ++n) {
        p *= (a - n) * (b - n) / ((n + 1) * (total - a - b + n + 1));
        if (p < kNegligible) break;
        sum += term(n + 1, p);
        weight += p;
    }
    p = 1;
    for (double n = mode; n > least; --n) {
        p *= n * (total - a - b + n) / ((a - n + 1) * (b - n + 1));
        if (p < kNegligible) break;
        sum += term(n - 1, p);
        weight += p;
    }
    // Probabilities relative to the peak's, divided by their sum: no factorials of large numbers, and nothing to cancel.
    return sum / weight;
}

std::map<double, double> multiplicities(std::span<const double> sums) {
    std::map<double, double> times;
    for (const double n : sums)
        if (n > 0) times[n] += 1;
    return times;
}

}  // namespace

double expectedMutualInformation(std::span<const double> row_sums, std::span<const double> column_sums) {
    double total = 0;
    for (const double n : row_sums) total += n;
    if (!(total > 0)) return 0;
    const std::map<double, double> rows = multiplicities(row_sums), columns = multiplicities(column_sums);
    double sum = 0;
    for (const auto& [a, times_a] : rows)
        for (const auto& [b, times_b] : columns) sum += times_a * times_b * expectedTerm(a, b, total);
    return std::max(sum, 0.0);
}

AdjustedInformation adjustedInformation(std::span<const double> joint_LE, std::int32_t labels, std::int32_t experts) {
    const auto rows = static_cast<std::size_t>(labels), columns = static_cast<std::size_t>(experts);
    std::vector<double> row_sum(rows, 0), column_sum(columns, 0);
    for (std::size_t l = 0; l < rows; ++l)
        for (std::size_t e = 0; e < columns; ++e) {
            const double n = joint_LE[l * columns + e];
            if (n != std::floor(n)) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
            row_sum[l] += n;
            column_sum[e] += n;
        }
    AdjustedInformation result;
    result.expected_mi_nats = expectedMutualInformation(row_sum, column_sum);
    const MutualInformation own = mutualInformation(joint_LE, labels, experts);
    const double room = (own.h_label_nats + own.h_expert_nats) / 2 - result.expected_mi_nats;
    // One label and one expert, or one token each: nothing to share beyond chance.
    result.ami = room > 1e-12 ? (own.mi_nats - result.expected_mi_nats) / room : 0;
    return result;
}

}  // namespace es::analysis
