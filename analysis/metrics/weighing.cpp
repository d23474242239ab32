// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/weighing.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace es::analysis {
namespace {

struct TokenKey {
    std::uint64_t sample = 0;
    std::uint32_t rest = 0;
    bool operator==(const TokenKey&) const = default;
};
struct TokenKeyHash {
    std::size_t operator()(const TokenKey& key) const { return static_cast<std::size_t>(key.sample ^ (std::uint64_t{key.rest} * 0x9E3779B97F4A7C15u)); }
};

TokenKey keyOf(const store::RoutingTable& table, std::size_t row) {
    const auto objective = table.objective_T.empty() ? 0u : static_cast<std::uint32_t>(table.objective_T[row]);
    const auto modality = table.modality_T.empty() ? 0u : static_cast<std::uint32_t>(table.modality_T[row]);
    const std::uint32_t position = table.position_T.empty() ? static_cast<std::uint32_t>(row) : table.position_T[row];
    return {table.sample_T.empty() ? 0 : table.sample_T[row], position | (modality & 0xFF) << 16 | objective << 24};
}

bool sameColumns(const store::RoutingTable& a, const store::RoutingTable& b) {
    return a.tokens == b.tokens && a.sample_T == b.sample_T && a.position_T == b.position_T && a.modality_T == b.modality_T && a.objective_T == b.objective_T;
}

}  // namespace

std::vector<std::int32_t> firstChoices(const store::RoutingView& view) {
    const store::RoutingTable& table = view.table();
    const std::int32_t experts = view.experts();
    std::vector<std::int32_t> result(static_cast<std::size_t>(view.tokens()), -1);
    if (table.router.layout == store::RoutingLayout::kFixedK) {
        const auto k = static_cast<std::size_t>(table.router.k);
        for (std::size_t t = 0; t < result.size() && k > 0; ++t)
            if (const std::int32_t expert = table.expert_ids[t * k]; expert < experts) result[t] = expert;
        return result;
    }
    std::int64_t last = -1;
    float best = 0;
    forEachWeighted(view, Weighing::kMass, [&](std::int64_t token, std::int32_t expert, double mass) {
        const float gate = static_cast<float>(mass);
        if (token == last && (gate < best || (gate == best && expert > result[static_cast<std::size_t>(token)]))) return;
        last = token;
        best = gate;
        result[static_cast<std::size_t>(token)] = expert;
    });
    return result;
}

store::RoutingTable firstChoiceTable(const store::RoutingTable& table) {
    store::RoutingTable result;
    result.router = table.router;
    result.router.k = 1;
    result.router.layout = store::RoutingLayout::kFixedK;
    result.step = table.step;
    result.tokens = table.tokens;
    constexpr std::uint16_t kNone = 0xFFFF;
    for (const std::int32_t expert : firstChoices(store::RoutingView(table)))
        result.expert_ids.push_back(expert < 0 ? kNone : static_cast<std::uint16_t>(expert));
    result.sample_T = table.sample_T;
    result.position_T = table.position_T;
    result.modality_T = table.modality_T;
    result.token_id_T = table.token_id_T;
    result.masked_T = table.masked_T;
    result.objective_T = table.objective_T;
    return result;
}

std::vector<TokenChoice> choicesOf(const store::RoutingView& view, std::int64_t token) {
    std::vector<TokenChoice> result;
    const std::vector<std::uint32_t>& places = view.table().place;
    std::size_t at = places.empty() ? 0 : view.firstAssignmentOf(token);
    view.forEachAssignmentOf(token, [&](std::int64_t, ExpertIndex expert, float gate, bool kept) {
        const std::int64_t place = places.empty() ? -1 : static_cast<std::int64_t>(places[at++]);
        if (expert.valid() && expert.value < view.experts()) result.push_back({expert.value, gate, kept, place});
    });
    if (view.router().layout != store::RoutingLayout::kFixedK)
        std::stable_sort(result.begin(), result.end(), [](const TokenChoice& a, const TokenChoice& b) { return a.weight > b.weight; });
    return result;
}

std::vector<std::int64_t> alignTokens(const store::RoutingTable& a, const store::RoutingTable& b) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(a.tokens), -1);
    if (sameColumns(a, b)) {
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
        return rows;
    }
    std::unordered_map<TokenKey, std::int64_t, TokenKeyHash> where;
    where.reserve(static_cast<std::size_t>(b.tokens));
    for (std::int64_t row = 0; row < b.tokens; ++row) where.emplace(keyOf(b, static_cast<std::size_t>(row)), row);
    for (std::size_t row = 0; row < rows.size(); ++row)
        if (const auto found = where.find(keyOf(a, row)); found != where.end()) rows[row] = found->second;
    return rows;
}

std::string tableProblem(const store::RoutingTable& table) {
    const auto tokens = static_cast<std::size_t>(std::max<std::int64_t>(table.tokens, 0));
    const auto experts = static_cast<std::size_t>(std::max(table.router.experts, 0)), k = static_cast<std::size_t>(std::max(table.router.k, 0));
    if (experts == 0) return "the router has no experts";
    std::size_t assignments = 0;
    switch (table.router.layout) {
        case store::RoutingLayout::kFixedK:
            if (k == 0) return "k is 0";
            assignments = tokens * k;
            if (table.expert_ids.size() != assignments) return "expert ids do not fit tokens times k";
            break;
        case store::RoutingLayout::kRagged:
            if (table.offsets.size() != tokens + 1) return "offsets do not fit the tokens";
            for (std::size_t i = 0; i < tokens; ++i)
                if (table.offsets[i] > table.offsets[i + 1] || table.offsets[i] < 0) return "offsets do not ascend";
            assignments = static_cast<std::size_t>(table.offsets.back());
            if (table.expert_ids.size() != assignments) return "expert ids do not fit the offsets";
            break;
        case store::RoutingLayout::kDenseMass:
            if (table.gates.size() != tokens * experts) return "masses do not fit tokens times experts";
            break;
    }
    if (table.router.layout != store::RoutingLayout::kDenseMass) {
        if (!table.gates.empty() && table.gates.size() != assignments) return "gates do not fit the assignments";
        if (!table.kept.empty() && table.kept.size() != assignments) return "kept bits do not fit the assignments";
        if (table.place.size() != (table.slots_T.empty() ? 0 : assignments)) return "places do not fit the assignments";
    }
    if (!table.probs_TE.empty() && table.probs_TE.size() != tokens * experts) return "probabilities do not fit tokens times experts";
    const auto fits = [tokens](const auto& column) { return column.empty() || column.size() == tokens; };
    if (!fits(table.entropy_nats_T) || !fits(table.boundary_margin_T) || !fits(table.sample_T) || !fits(table.position_T) || !fits(table.modality_T) ||
        !fits(table.token_id_T) || !fits(table.masked_T) || !fits(table.objective_T) || !fits(table.slots_T))
        return "a token column does not fit the tokens";
    return {};
}

}  // namespace es::analysis
