// SPDX-License-Identifier: GPL-3.0-or-later
// Routing tables with known balance, drift and specialisation, and the closed forms that metrics are compared with. Nothing is random here.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/store/records.h"

namespace es::test {

/// A fixed-k table from lists of experts (T x k, row-major, -1 none). Gates 1/k, all kept, patches 0 .. T-1 of one sample.
[[nodiscard]] store::RoutingTable tableOf(const std::vector<std::int32_t>& indices_TK, std::int32_t experts, std::int32_t k);
/// The same assignments in the other layouts. Ragged: -1 choices vanish. Dense: mass 1/k on the chosen.
[[nodiscard]] store::RoutingTable raggedOf(const std::vector<std::int32_t>& indices_TK, std::int32_t experts, std::int32_t k);
[[nodiscard]] store::RoutingTable denseOf(const std::vector<std::int32_t>& indices_TK, std::int32_t experts, std::int32_t k);

/// Token t takes experts t, t+1, .. t+k-1 modulo E: perfectly balanced when E divides T.
[[nodiscard]] store::RoutingTable roundRobin(std::int64_t tokens, std::int32_t experts, std::int32_t k);

/// Labels 0 .. labels-1, each with `per_label` tokens in `samples_per_label` samples, labels contiguous. Of a label's tokens `follow` (0..1)
/// take expert label modulo E, the rest go round over all experts. Exact when the counts divide.
struct Planted {
    std::int32_t labels = 4, experts = 4;
    std::int64_t per_label = 400, samples_per_label = 10;
    double follow = 0.5;
    Modality modality = Modality::kVision;
};
struct PlantedTable {
    store::RoutingTable table;  ///< with whole distributions: 0.9 on the choice, the rest shared
    std::vector<std::int32_t> label_T;
};
[[nodiscard]] PlantedTable planted(const Planted& plan);
/// Mutual information (nats) of label and first choice that `planted` has by construction.
[[nodiscard]] double plantedMutualInformation(const Planted& plan);

/// A copy in which the share of choices (spread evenly) has moved to the next expert.
[[nodiscard]] store::RoutingTable drifted(const store::RoutingTable& table, double share);

}  // namespace es::test
