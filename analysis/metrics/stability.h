// SPDX-License-Identifier: GPL-3.0-or-later
// How routing of the same tokens changes between two states of a model. Tokens are matched by sample, objective, modality and position.
#pragma once

#include <cstdint>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

/// Means over the tokens that both tables hold.
struct RoutingChange {
    double overlap = 0;          ///< mean |A ∩ B| ÷ k (OLMoE's router saturation against the final model); soft: sum of the smaller masses
    double changed_slots = 0;    ///< share of slots whose expert differs, position by position
    double changed_first = 0;    ///< share of tokens whose first choice differs
    double iou = 0;              ///< mean |A ∩ B| ÷ |A ∪ B|; soft: sum of the smaller masses over sum of the larger
    std::int64_t tokens = 0;     ///< compared; NaN above when 0
    std::int64_t unmatched = 0;  ///< of the first table, not in the second
};
/// Ragged: |A ∩ B| and slots are over the larger of the two choices; tokens without any choice on both sides are left out.
/// An expert index of -1 is no choice; an empty slot on one side only has changed.
[[nodiscard]] RoutingChange compareRouting(const store::RoutingTable& a, const store::RoutingTable& b);

/// k ÷ E: what two random choices of k of E share on average.
[[nodiscard]] double chanceOverlap(std::int32_t experts, std::int32_t k);
/// Probability that two random choices of k of E share at least one expert: 1 - C(E-k, k) ÷ C(E, k). 0.464 for 2 of 8.
[[nodiscard]] double chanceAnyShared(std::int32_t experts, std::int32_t k);

}  // namespace es::analysis
