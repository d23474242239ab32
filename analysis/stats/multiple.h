// SPDX-License-Identifier: GPL-3.0-or-later
// Many questions asked at once.
#pragma once

#include <span>
#include <vector>

namespace es::analysis {

/// p-values after Holm's step-down correction (Holm 1979), in the order given: rejecting those at most alpha keeps the chance of a single false one
/// at alpha, however the tests depend on each other. NaN stays NaN and does not count.
[[nodiscard]] std::vector<double> holm(std::span<const double> p);

/// p-value of `observed` among values drawn under the hypothesis, larger being more extreme: (1 + how many reach it) ÷ (1 + draws). Where none
/// reaches it that is only a bound, so a gamma distribution with the draws' mean and variance is read beyond them (Winkler et al. 2016); the
/// smaller of the two is the answer. 1 without draws.
[[nodiscard]] double permutationP(double observed, std::span<const double> draws);

}  // namespace es::analysis
