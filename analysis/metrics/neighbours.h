// SPDX-License-Identifier: GPL-3.0-or-later
// Do tokens that stand beside each other go to the same experts?
#pragma once

#include <cstdint>
#include <unordered_map>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

/// Over pairs of rows that follow each other within one sample, modality and objective, at one position and the next. Shares are NaN without such pairs.
struct NeighbourStats {
    std::int64_t pairs = 0;        ///< both with a choice
    double same_first = 0;         ///< same first choice (Mixtral's repetition)
    double same_first_chance = 0;  ///< Σ f_e², f the share of first choices
    double any_of_two = 0;         ///< their first two choices share an expert (Mixtral's "first or second"); NaN for k < 2 and dense mass
    double any_of_two_chance = 0;  ///< of two tokens drawn from those of the router, with the pairs of experts that it really chooses
    double overlap = 0;            ///< mean |A ∩ B| ÷ k over all choices of fixed k; NaN else
    double overlap_chance = 0;     ///< Σ_e a_e² ÷ k, a_e the share of tokens that expert e is active for: k ÷ E when balanced
};
/// `grid_width`: patches in a row of the pictures of these samples: the last of a row and the first of the next are no neighbours. Of samples that are not in
/// it the rows are not known, and position alone decides.
[[nodiscard]] NeighbourStats neighbourStats(const store::RoutingView& view, const std::unordered_map<std::uint64_t, std::int32_t>& grid_width = {});

}  // namespace es::analysis
