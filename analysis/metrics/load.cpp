// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/load.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/stats/entropy.h"
#include "analysis/stats/moments.h"

namespace es::analysis {

LoadStats loadOf(std::span<const double> n_E) {
    LoadStats result;
    const double experts = static_cast<double>(n_E.size());
    for (const double n : n_E) {
        result.total += n;
        result.dead += n == 0;
    }
    result.share_E.assign(n_E.size(), 0);
    if (n_E.empty() || !(result.total > 0)) return result;
    double largest = 0, smallest = n_E.front();
    for (std::size_t e = 0; e < n_E.size(); ++e) {
        result.share_E[e] = n_E[e] / result.total;
        largest = std::max(largest, n_E[e]);
        smallest = std::min(smallest, n_E[e]);
    }
    const double mean = result.total / experts;
    result.cv = moments(n_E).sdPopulation() / mean;
    result.imbalance = largest / mean;
    result.max_vio = result.imbalance - 1;
    result.min_share = smallest / result.total;
    result.max_min_ratio = largest / smallest;
    std::vector<double> sorted(n_E.begin(), n_E.end());
    std::sort(sorted.begin(), sorted.end());
    const std::size_t fifth = (n_E.size() + 4) / 5;
    for (std::size_t i = 0; i < fifth; ++i) {
        result.bottom_share += sorted[i] / result.total;
        result.top_share += sorted[sorted.size() - 1 - i] / result.total;
    }
    const double entropy = entropyNats(n_E);
    result.effective_experts = std::exp(entropy);
    result.relative_perplexity = result.effective_experts / experts;
    result.normalized_entropy = n_E.size() > 1 ? entropy / std::log(experts) : 1;
    return result;
}

LoadStats loadOf(std::span<const std::uint32_t> n_E) {
    const std::vector<double> values(n_E.begin(), n_E.end());
    return loadOf(std::span<const double>(values));
}

std::vector<double> expertLoads(const store::RoutingView& view, Weighing weighing, std::span<const std::uint8_t> include_T) {
    const store::RoutingTable& table = view.table();
    const auto experts = static_cast<std::size_t>(view.experts());
    std::vector<double> loads(experts, 0);
    const bool counted = weighing == Weighing::kCount || (weighing == Weighing::kAuto && table.router.layout != store::RoutingLayout::kDenseMass);
    if (counted && include_T.empty() && table.router.layout != store::RoutingLayout::kDenseMass) {
        // Four tables in turn: neighbouring assignments often hit the same expert, and one table would wait for its own last store.
        constexpr std::size_t kTables = 4, kIds = 1u << 16;
        const std::size_t stride = std::min(experts + 1, kIds);
        std::vector<std::uint64_t> counts(kTables * stride, 0);
        const auto slot = [&](std::uint16_t id) { return std::min<std::size_t>(id, stride - 1); };
        std::size_t i = 0;
        const std::size_t n = table.expert_ids.size();
        for (; i + kTables <= n; i += kTables)
            for (std::size_t j = 0; j < kTables; ++j) ++counts[j * stride + slot(table.expert_ids[i + j])];
        for (; i < n; ++i) ++counts[slot(table.expert_ids[i])];
        for (std::size_t e = 0; e < experts && e < stride; ++e) {
            std::uint64_t sum = 0;
            for (std::size_t j = 0; j < kTables; ++j) sum += counts[j * stride + e];
            loads[e] = static_cast<double>(sum);
        }
        return loads;
    }
    forEachWeighted(view, weighing, [&](std::int64_t token, std::int32_t expert, double weight) {
        if (include_T.empty() || include_T[static_cast<std::size_t>(token)]) loads[static_cast<std::size_t>(expert)] += weight;
    });
    return loads;
}

DropStats drops(const store::RoutingView& view) {
    DropStats result;
    result.tokens = view.tokens();
    std::vector<std::uint8_t> alive(static_cast<std::size_t>(view.tokens()), 0);
    view.forEachAssignment([&](std::int64_t token, ExpertIndex expert, float, bool kept) {
        if (!expert.valid() || expert.value >= view.experts()) return;
        ++result.assignments;
        result.dropped += !kept;
        if (kept) alive[static_cast<std::size_t>(token)] = 1;
    });
    result.left_behind = static_cast<std::int64_t>(std::count(alive.begin(), alive.end(), 0));
    return result;
}

}  // namespace es::analysis
