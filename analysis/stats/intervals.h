// SPDX-License-Identifier: GPL-3.0-or-later
// Confidence intervals of means, differences and shares. Two-sided. With zero variance low = high = mean, and p is 1 when the mean is 0,
// else 0. With too few values for an interval low, high and p are NaN.
#pragma once

#include <cstdint>
#include <span>

namespace es::analysis {

struct Interval {
    double mean = 0, low = 0, high = 0;
    double p = 0;        ///< of the hypothesis that the mean (or difference) is 0
    std::int64_t n = 0;  ///< values, or pairs
};

/// Student's t interval of a mean.
[[nodiscard]] Interval meanInterval(std::span<const double> values, double confidence = 0.95);
/// a - b, paired (equal sizes), Student's t.
[[nodiscard]] Interval pairedT(std::span<const double> a, std::span<const double> b, double confidence = 0.95);
/// mean(a) - mean(b), variances unequal (Welch 1947, degrees of freedom by Satterthwaite). n is the smaller side's.
[[nodiscard]] Interval welch(std::span<const double> a, std::span<const double> b, double confidence = 0.95);
/// Share of successes (Wilson 1927), without continuity correction. NaN when trials = 0; p is NaN.
[[nodiscard]] Interval wilson(std::int64_t successes, std::int64_t trials, double confidence = 0.95);

}  // namespace es::analysis
