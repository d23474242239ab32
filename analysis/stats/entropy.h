// SPDX-License-Identifier: GPL-3.0-or-later
// Shannon entropies in nats; 0 log 0 is 0.
#pragma once

#include <span>

namespace es::analysis {

/// Entropy of the distribution proportional to `weights` (>= 0). 0 when they sum to 0.
[[nodiscard]] double entropyNats(std::span<const double> weights);
[[nodiscard]] double entropyNats(std::span<const float> weights);

/// Jensen-Shannon divergence in nats, 0 .. ln 2, of the distributions proportional to p and q (equal sizes). 0 when either sums to 0.
[[nodiscard]] double jensenShannonNats(std::span<const double> p, std::span<const double> q);

}  // namespace es::analysis
