// SPDX-License-Identifier: GPL-3.0-or-later
// Do tokens that stand beside each other go to the same experts?
#pragma once

#include <cstdint>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

/// Over pairs of rows that follow each other within one sample, modality and objective, by increasing position. Shares are NaN without such pairs.
struct NeighbourStats {
    std::int64_t pairs = 0;        ///< both with a choice
    double same_first = 0;         ///< same first choice (Mixtral's repetition)
    double same_first_chance = 0;  ///< Σ f_e², f the share of first choices
    double any_of_two = 0;         ///< their first two choices share an expert (Mixtral's "first or second"); NaN for k < 2 and dense mass
    double any_of_two_chance = 0;  ///< of two random pairs out of E (chanceAnyShared)
    double overlap = 0;            ///< mean |A ∩ B| ÷ k over all choices of fixed k; NaN else
    double overlap_chance = 0;     ///< Σ_e a_e² ÷ k, a_e the share of tokens that expert e is active for: k ÷ E when balanced
};
/// Row by row: the last patch of a row of the picture and the first of the next count as neighbours.
[[nodiscard]] NeighbourStats neighbourStats(const store::RoutingView& view);

}  // namespace es::analysis
