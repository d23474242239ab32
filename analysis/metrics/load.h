// SPDX-License-Identifier: GPL-3.0-or-later
// How evenly tokens are spread over experts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

/// Balance of E loads n_e. All scalars are 0 (effective_experts too) when nothing was assigned; then every expert is dead.
struct LoadStats {
    std::vector<double> share_E;  ///< f_e = n_e / sum n
    double cv = 0;                ///< population sd ÷ mean of n
    double max_vio = 0;           ///< max n ÷ mean n - 1: 0 balanced, E - 1 collapsed
    double imbalance = 0;         ///< max n ÷ mean n = 1 + MaxVio
    double min_share = 0;
    double max_min_ratio = 0;        ///< max n ÷ min n; infinite with a dead expert
    double top_share = 0;            ///< of the busiest fifth of the experts (at least one; torchscale's expert balance)
    double bottom_share = 0;         ///< of the idlest fifth
    double relative_perplexity = 0;  ///< exp H(f) ÷ E
    double effective_experts = 0;    ///< exp H(f): 1 .. E
    double normalized_entropy = 0;   ///< H(f) ÷ ln E; 1 for E = 1
    std::int64_t dead = 0;           ///< experts with n_e = 0
    double total = 0;                ///< assignments, or mass
};
[[nodiscard]] LoadStats loadOf(std::span<const double> n_E);
[[nodiscard]] LoadStats loadOf(std::span<const std::uint32_t> n_E);

/// n_e over the tokens that include_T marks (empty: all), before capacity. About 1 ns an assignment for fixed k.
[[nodiscard]] std::vector<double> expertLoads(const store::RoutingView& view, Weighing weighing = Weighing::kAuto,
                                              std::span<const std::uint8_t> include_T = {});

/// What capacity cost.
struct DropStats {
    std::int64_t assignments = 0, dropped = 0;
    std::int64_t tokens = 0, left_behind = 0;  ///< tokens with no kept assignment
    [[nodiscard]] double dropRate() const { return assignments ? static_cast<double>(dropped) / static_cast<double>(assignments) : 0; }
};
[[nodiscard]] DropStats drops(const store::RoutingView& view);

}  // namespace es::analysis
