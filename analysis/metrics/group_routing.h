// SPDX-License-Identifier: GPL-3.0-or-later
// How groups of tokens (words of one id, positions, domains) are routed: how far from even, how far from each other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/metrics/sample_families.h"
#include "analysis/metrics/weighing.h"
#include "analysis/stats/intervals.h"

namespace es::analysis {

/// Context-independent specialisation (OpenMoE): each label's shares of assignments by expert, their deviation over experts, averaged over labels.
struct LabelDeviation {
    std::int64_t labels = 0;       ///< with at least the wanted assignments
    std::int64_t assignments = 0;  ///< of these labels
    double deviation = 0;          ///< mean over labels of sd_e of the label's shares (population); 0 even; NaN without labels
    double chance = 0;             ///< the same with the labels' tokens dealt to them anew: what their finite numbers give; NaN without labels
    double most = 0;               ///< of a label that always takes one expert: sqrt(E - 1) ÷ E
};
/// `draws` of the chance; a label keeps its number of tokens.
[[nodiscard]] LabelDeviation labelDeviation(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int64_t least_assignments,
                                            std::int32_t draws = 20, std::uint64_t seed = 0);

/// Mean share of a label's assignments that go to its most frequent expert (see vocabularySpecialisation), with labels dealt anew `draws` times: what
/// the numbers of occurrences alone give. NaN without tokens.
[[nodiscard]] double vocabularyChance(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int32_t draws, std::uint64_t seed);

/// Jensen-Shannon divergence (nats, 0 .. ln 2) of the expert distributions of two groups of tokens in one router; base rates cancel. `group_T`: 0 or 1,
/// -1 left out.
struct GroupDivergence {
    double pooled_nats = 0;         ///< of all tokens of both groups
    double pooled_chance_nats = 0;  ///< mean of 20 draws: samples that are in one group as wholes exchange their groups, families of them at once; where
                                    ///< samples hold both, as chance_nats
    std::int64_t tokens_a = 0, tokens_b = 0;
    Interval by_sample;      ///< mean over samples that hold both: the same content told twice; 95 %, skewedMeanInterval()
    double chance_nats = 0;  ///< of the samples' divergence when each sample's tokens are dealt to the two groups at random
};
[[nodiscard]] GroupDivergence groupDivergence(const store::RoutingView& view, std::span<const std::int32_t> group_T, std::uint64_t seed = 0,
                                              const SampleFamilies& families = {});

}  // namespace es::analysis
