// SPDX-License-Identifier: GPL-3.0-or-later
// Many questions asked at once.
#pragma once

#include <span>
#include <vector>

namespace es::analysis {

/// p-values after Holm's step-down correction (Holm 1979), in the order given: rejecting those at most alpha keeps the chance of a single false one
/// at alpha, however the tests depend on each other. NaN stays NaN and does not count.
[[nodiscard]] std::vector<double> holm(std::span<const double> p);

/// The smallest p-value that permutationP() gives: what lies beyond cannot be told from some hundred draws.
inline constexpr double kLeastP = 1e-6;

/// p-value of `observed` among values drawn under the hypothesis, larger being more extreme: (1 + how many reach it) ÷ (1 + draws). Where none of at
/// least 20 reaches it that is only a bound, so the tail of a gamma distribution with the draws' mean, variance and skewness (Pearson's type III; Winkler
/// et al. 2016) is read beyond them; the smaller of the two is the answer, but never less than kLeastP. That makes p approximate where it is below
/// 1 ÷ (1 + draws). 1 without draws.
[[nodiscard]] double permutationP(double observed, std::span<const double> draws);

}  // namespace es::analysis
