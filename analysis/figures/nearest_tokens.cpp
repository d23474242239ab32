// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/nearest_tokens.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>

#include "engine/store/routing_view.h"

namespace es::analysis {
namespace {

constexpr std::size_t kLookEvery = 8192;

auto nearness(const NearToken& token) { return std::tuple(token.distance, token.sample, token.token.value); }

}  // namespace

NearestTokens nearestTokens(const store::RoutingTable& table, std::span<const float> p_E, const NearOptions& options, const JobContext& context) {
    NearestTokens result;
    const auto experts = static_cast<std::size_t>(std::max(0, table.router.experts));
    const auto tokens = static_cast<std::size_t>(table.tokens);
    if (experts == 0 || p_E.size() != experts || table.probs_TE.size() != tokens * experts) return result;
    // A sample may have passed as image and as pair: one of its streams stands for it.
    std::unordered_map<std::uint64_t, Objective> stream;
    if (!table.objective_T.empty())
        for (std::size_t t = 0; t < tokens; ++t) {
            if (options.modality != Modality::kUnknown && table.modality_T[t] != options.modality) continue;
            auto [at, first] = stream.emplace(table.sample_T[t], table.objective_T[t]);
            if (!first) at->second = std::max(at->second, table.objective_T[t]);
        }
    std::vector<float> root_E(experts);
    for (std::size_t e = 0; e < experts; ++e) root_E[e] = std::sqrt(std::max(0.0f, p_E[e]));
    const store::RoutingView view(table);
    std::unordered_map<std::uint64_t, NearToken> best;
    std::vector<NearToken> all;
    for (std::size_t t = 0; t < tokens; ++t) {
        if (t % kLookEvery == 0 && context.stopRequested()) break;
        if (options.except != 0 && table.sample_T[t] == options.except) continue;
        if (options.modality != Modality::kUnknown && table.modality_T[t] != options.modality) continue;
        if (!table.masked_T.empty() && table.masked_T[t] != 0) continue;
        if (!table.objective_T.empty() && options.modality != Modality::kUnknown && stream.at(table.sample_T[t]) != table.objective_T[t]) continue;
        double overlap = 0;
        const float* q_E = table.probs_TE.data() + t * experts;
        for (std::size_t e = 0; e < experts; ++e) overlap += static_cast<double>(root_E[e] * std::sqrt(std::max(0.0f, q_E[e])));
        ++result.compared;
        NearToken token{table.sample_T[t], table.modality_T[t], TokenIndex(table.position_T[t]), std::sqrt(std::max(0.0, 1 - overlap)), -1};
        if (!options.one_a_sample) {
            all.push_back(token);
            continue;
        }
        const auto [at, first] = best.emplace(token.sample, token);
        if (!first && nearness(token) < nearness(at->second)) at->second = token;
    }
    for (const auto& [sample, token] : best) all.push_back(token);
    const std::size_t count = std::min(options.count, all.size());
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                      [](const NearToken& a, const NearToken& b) { return nearness(a) < nearness(b); });
    all.resize(count);
    if (!all.empty()) {
        // First choices only of those that are shown.
        for (std::size_t t = 0; t < tokens; ++t)
            for (NearToken& token : all)
                if (token.sample == table.sample_T[t] && token.token.value == table.position_T[t] && token.modality == table.modality_T[t] &&
                    (table.objective_T.empty() || stream.empty() || stream.at(token.sample) == table.objective_T[t]))
                    token.expert = view.firstChoice(static_cast<std::int64_t>(t)).value;
    }
    result.tokens = std::move(all);
    return result;
}

}  // namespace es::analysis
