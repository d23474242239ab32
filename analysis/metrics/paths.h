// SPDX-License-Identifier: GPL-3.0-or-later
// The way of tokens through all routers of a branch, and how alike routers are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

/// First choices of a token in one router after another.
struct RoutingPath {
    std::vector<std::int32_t> experts;  ///< one a router
    std::int64_t tokens = 0;
    double expected = 0;  ///< tokens it would have if routers chose independently of each other, each with its own load
};
struct RoutingPaths {
    std::vector<store::RouterInfo> routers;  ///< in the order given
    std::vector<RoutingPath> paths;          ///< most tokens first, then by experts
    std::int64_t tokens = 0;                 ///< with a choice in every router
    std::int64_t left_out = 0;               ///< of the first router's tokens
    double entropy_nats = 0;                 ///< of the distribution over paths; biased low by about paths ÷ 2T
    double independent_entropy_nats = 0;     ///< sum of the routers' own: what independence would give, never less than the first
    double effective_paths = 0;              ///< exp of the entropy
    double top10_share = 0;                  ///< of the ten most frequent paths
};
/// Tokens are matched by sample, objective, modality and position. Empty without tables or common tokens.
[[nodiscard]] RoutingPaths routingPaths(std::span<const store::RoutingTable> tables);

/// Σ_e min(u_e, v_e) of two usages that each sum to one: 0 apart, 1 equal. Only where e means the same expert on both sides (one pool of experts
/// used in several layers); between layers with experts of their own the numbers of experts are arbitrary.
[[nodiscard]] double usageOverlap(std::span<const double> u_E, std::span<const double> v_E);

/// Linear CKA (see linearCka) of two routers' probabilities over the same tokens: do they tell tokens apart alike, whatever the experts are called?
/// At most `most_tokens` evenly spread rows. NaN when distributions were not recorded or no token is common. Biased upwards when tokens are few beside
/// the numbers of experts.
[[nodiscard]] double routerCka(const store::RoutingTable& a, const store::RoutingTable& b, std::int64_t most_tokens = 20'000);

/// Pearson correlation over tokens of the router probabilities of each pair of experts, E x E: who is wanted by the same tokens. Negative for rivals:
/// probabilities sum to one. 1 on the diagonal; 0 where an expert's probability never varies. Empty when distributions were not recorded.
[[nodiscard]] std::vector<double> probabilityCorrelation(const store::RoutingTable& table);

}  // namespace es::analysis
