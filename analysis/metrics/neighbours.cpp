// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/neighbours.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "analysis/metrics/load.h"

namespace es::analysis {
namespace {

/// Chance that the first two choices of two random tokens share an expert: Σ q_ij (a_i + a_j - q_ij), q_ij the share of tokens with that pair and a_i of
/// those with expert i among the two.
double chanceOfSharedPair(const store::RoutingTable& table) {
    const auto experts = static_cast<std::size_t>(std::max(table.router.experts, 0)), k = static_cast<std::size_t>(table.router.k);
    std::vector<double> pair_EE(experts * experts, 0), active(experts, 0);
    double tokens = 0;
    for (std::size_t at = 0; at + k <= table.expert_ids.size(); at += k) {
        const std::size_t a = std::min(table.expert_ids[at], table.expert_ids[at + 1]), b = std::max(table.expert_ids[at], table.expert_ids[at + 1]);
        if (b >= experts || a == b) continue;
        pair_EE[a * experts + b] += 1;
        active[a] += 1;
        active[b] += 1;
        tokens += 1;
    }
    if (!(tokens > 0)) return std::numeric_limits<double>::quiet_NaN();
    double chance = 0;
    for (std::size_t a = 0; a < experts; ++a)
        for (std::size_t b = a + 1; b < experts; ++b) {
            const double q = pair_EE[a * experts + b] / tokens;
            chance += q * (active[a] / tokens + active[b] / tokens - q);
        }
    return chance;
}

}  // namespace

NeighbourStats neighbourStats(const store::RoutingView& view, const std::unordered_map<std::uint64_t, std::int32_t>& grid_width) {
    NeighbourStats result;
    constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();
    const store::RoutingTable& table = view.table();
    const std::vector<std::int32_t> first = firstChoices(view);
    const std::int32_t experts = view.experts();
    const bool fixed = table.router.layout == store::RoutingLayout::kFixedK;
    const bool two = fixed && table.router.k >= 2;
    std::vector<double> first_load(static_cast<std::size_t>(std::max(experts, 0)), 0);
    for (const std::int32_t e : first)
        if (e >= 0) first_load[static_cast<std::size_t>(e)] += 1;
    for (const double share : loadOf(first_load).share_E) result.same_first_chance += share * share;
    std::int64_t same = 0, any = 0, both = 0;
    const auto sameRow = [&](std::size_t t) {
        if (table.position_T.empty() || table.sample_T.empty() || table.modality_T.empty() || table.modality_T[t] != Modality::kVision) return true;
        const auto width = grid_width.find(table.sample_T[t]);
        return width == grid_width.end() || width->second <= 0 || table.position_T[t] % width->second != 0;
    };
    const auto follows = [&](std::size_t t) {
        return (table.sample_T.empty() || table.sample_T[t] == table.sample_T[t - 1]) &&
               (table.modality_T.empty() || table.modality_T[t] == table.modality_T[t - 1]) &&
               (table.objective_T.empty() || table.objective_T[t] == table.objective_T[t - 1]) &&
               (table.position_T.empty() || table.position_T[t] == table.position_T[t - 1] + 1) && sameRow(t);
    };
    for (std::size_t t = 1; t < first.size(); ++t) {
        if (first[t] < 0 || first[t - 1] < 0 || !follows(t)) continue;
        ++result.pairs;
        same += first[t] == first[t - 1];
        if (!fixed) continue;
        const auto k = static_cast<std::size_t>(table.router.k);
        bool shared_two = false;
        for (std::size_t i = 0; i < k; ++i)
            for (std::size_t j = 0; j < k; ++j) {
                const std::uint16_t a = table.expert_ids[(t - 1) * k + i], b = table.expert_ids[t * k + j];
                if (a != b || a >= experts) continue;
                ++both;
                shared_two |= i < 2 && j < 2;
            }
        any += shared_two;
    }
    const double n = result.pairs > 0 ? static_cast<double>(result.pairs) : kUnset;
    result.same_first = static_cast<double>(same) / n;
    result.any_of_two = two ? static_cast<double>(any) / n : kUnset;
    result.any_of_two_chance = two ? chanceOfSharedPair(table) : kUnset;
    result.overlap = fixed && table.router.k > 0 ? static_cast<double>(both) / (n * table.router.k) : kUnset;
    result.overlap_chance = kUnset;
    if (fixed && table.tokens > 0) {
        result.overlap_chance = 0;
        for (const double load : expertLoads(view))
            result.overlap_chance += load / static_cast<double>(table.tokens) * load / static_cast<double>(table.tokens);
        result.overlap_chance /= table.router.k;
    }
    return result;
}

}  // namespace es::analysis
