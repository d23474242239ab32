// SPDX-License-Identifier: GPL-3.0-or-later
// How sure a router is of its choice. Means over tokens; NaN where the records do not hold what is needed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

struct ConfidenceStats {
    double entropy_nats = 0;     ///< H(p)
    double top1 = 0;             ///< largest probability
    double margin12 = 0;         ///< p_(1) - p_(2); p_(2) = 0 for E = 1
    double boundary_margin = 0;  ///< p_(k) - p_(k+1); p_(k+1) = 0 at k = E. Of a table: see boundaryMargin()
    double chosen_mass = 0;      ///< sum of p over the k largest
    double logsumexp = 0;        ///< of the logits; NaN when only probabilities are known
    std::int64_t tokens = 0;
};

/// Of one token's distribution (sums to 1). k in 1..E.
[[nodiscard]] ConfidenceStats confidenceOf(std::span<const float> probs_E, std::int32_t k);
/// From logits (T x E, row-major, finite): means over tokens, logsumexp too. Safe for logits of any size.
[[nodiscard]] ConfidenceStats confidenceFromLogits(std::span<const float> logits_TE, std::int32_t experts, std::int32_t k);
/// From a recorded table: whole distributions when there, else the recorded entropy and boundary margin. chosen_mass sums the router's own
/// choices, which differ from the k largest under noise or an intervention. Ragged layouts have boundaryMargin(), soft routing NaN.
[[nodiscard]] ConfidenceStats confidence(const store::RoutingView& view, std::span<const std::uint8_t> include_T = {});

/// Of one token, as the recorder defines it: the probability of the last chosen expert minus the largest among the experts that were not chosen (0
/// where all were, or none). Below 0 where an expert that was not chosen has more: experts that choose their tokens, or a bias in the choice.
/// The recorded value where there is one, else from the recorded distribution and choices; NaN for soft routing and where neither is known.
[[nodiscard]] double boundaryMargin(const store::RoutingView& view, std::int64_t token);

/// H(p_t) of every token with a recorded distribution or entropy; empty when neither was recorded.
[[nodiscard]] std::vector<double> tokenEntropies(const store::RoutingView& view);
/// Mean over tokens of the entropy of the chosen experts' weights, renormalised, over ln k: 1 all alike, 0 one has everything. NaN for k = 1 and
/// without weights; soft routing over all experts.
[[nodiscard]] double chosenEntropy(const store::RoutingView& view);

}  // namespace es::analysis
