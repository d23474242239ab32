// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/planted_routing.h"

#include <cmath>

namespace es::test {
namespace {

constexpr std::uint16_t kNoExpert = 0xFFFF;

store::RoutingTable empty(store::RoutingLayout layout, std::size_t assignments, std::int32_t experts, std::int32_t k) {
    store::RoutingTable table;
    table.router = {RouterId(0), LayerIndex(1), Branch::kVision, "softmax_topk", experts, k, layout};
    table.tokens = static_cast<std::int64_t>(assignments) / k;
    const auto tokens = static_cast<std::size_t>(table.tokens);
    table.sample_T.assign(tokens, 1);
    table.modality_T.assign(tokens, Modality::kVision);
    table.token_id_T.assign(tokens, -1);
    table.masked_T.assign(tokens, 0);
    table.objective_T.assign(tokens, Objective::kImage);
    for (std::size_t t = 0; t < tokens; ++t) table.position_T.push_back(static_cast<std::uint16_t>(t));
    return table;
}

}  // namespace

store::RoutingTable tableOf(const std::vector<std::int32_t>& indices_TK, std::int32_t experts, std::int32_t k) {
    store::RoutingTable table = empty(store::RoutingLayout::kFixedK, indices_TK.size(), experts, k);
    for (const std::int32_t e : indices_TK) table.expert_ids.push_back(e < 0 ? kNoExpert : static_cast<std::uint16_t>(e));
    table.gates.assign(indices_TK.size(), 1.0f / static_cast<float>(k));
    return table;
}

store::RoutingTable raggedOf(const std::vector<std::int32_t>& indices_TK, std::int32_t experts, std::int32_t k) {
    store::RoutingTable table = empty(store::RoutingLayout::kRagged, indices_TK.size(), experts, k);
    table.offsets.push_back(0);
    for (std::size_t i = 0; i < indices_TK.size(); ++i) {
        if (indices_TK[i] >= 0) {
            table.expert_ids.push_back(static_cast<std::uint16_t>(indices_TK[i]));
            table.gates.push_back(1.0f / static_cast<float>(k));
        }
        if ((i + 1) % static_cast<std::size_t>(k) == 0) table.offsets.push_back(static_cast<std::int64_t>(table.expert_ids.size()));
    }
    return table;
}

store::RoutingTable denseOf(const std::vector<std::int32_t>& indices_TK, std::int32_t experts, std::int32_t k) {
    store::RoutingTable table = empty(store::RoutingLayout::kDenseMass, indices_TK.size(), experts, k);
    table.gates.assign(static_cast<std::size_t>(table.tokens * experts), 0);
    for (std::size_t i = 0; i < indices_TK.size(); ++i)
        if (indices_TK[i] >= 0)
            table.gates[i / static_cast<std::size_t>(k) * static_cast<std::size_t>(experts) + static_cast<std::size_t>(indices_TK[i])] +=
                1.0f / static_cast<float>(k);
    return table;
}

store::RoutingTable roundRobin(std::int64_t tokens, std::int32_t experts, std::int32_t k) {
    std::vector<std::int32_t> indices;
    for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int32_t j = 0; j < k; ++j) indices.push_back(static_cast<std::int32_t>((t + j) % experts));
    return tableOf(indices, experts, k);
}

PlantedTable planted(const Planted& plan) {
    PlantedTable result;
    std::vector<std::int32_t> indices;
    const auto following = static_cast<std::int64_t>(std::llround(plan.follow * static_cast<double>(plan.per_label)));
    for (std::int32_t label = 0; label < plan.labels; ++label)
        for (std::int64_t i = 0; i < plan.per_label; ++i) {
            indices.push_back(i < following ? label % plan.experts : static_cast<std::int32_t>((i - following) % plan.experts));
            result.label_T.push_back(label);
        }
    result.table = tableOf(indices, plan.experts, 1);
    const float rest = plan.experts > 1 ? 0.1f / static_cast<float>(plan.experts - 1) : 0.0f;
    for (std::size_t t = 0; t < indices.size(); ++t) {
        // Tokens of a label are dealt to its samples like cards, so that followers and others are in every sample.
        const std::int64_t within = static_cast<std::int64_t>(t) % plan.per_label;
        result.table.sample_T[t] = static_cast<std::uint64_t>(result.label_T[t] * plan.samples_per_label + within % plan.samples_per_label + 1);
        result.table.position_T[t] = static_cast<std::uint16_t>(within / plan.samples_per_label);
        result.table.modality_T[t] = plan.modality;
        result.table.token_id_T[t] = plan.modality == Modality::kText ? result.label_T[t] : -1;
        result.table.objective_T[t] = plan.modality == Modality::kText ? Objective::kText : Objective::kImage;
        for (std::int32_t e = 0; e < plan.experts; ++e) result.table.probs_TE.push_back(e == indices[t] ? (plan.experts > 1 ? 0.9f : 1.0f) : rest);
    }
    if (plan.modality == Modality::kText) result.table.router.branch = Branch::kText;
    return result;
}

double plantedMutualInformation(const Planted& plan) {
    // p(l) = 1/L; p(e|l) = follow [e = l mod E] + (1 - follow)/E.
    const double labels = plan.labels, experts = plan.experts, rest = (1 - plan.follow) / experts;
    std::vector<double> p_expert(static_cast<std::size_t>(plan.experts), rest);
    for (std::int32_t l = 0; l < plan.labels; ++l) p_expert[static_cast<std::size_t>(l % plan.experts)] += plan.follow / labels;
    double information = 0;
    for (std::int32_t l = 0; l < plan.labels; ++l)
        for (std::int32_t e = 0; e < plan.experts; ++e) {
            const double conditional = rest + (e == l % plan.experts ? plan.follow : 0);
            if (conditional > 0) information += conditional / labels * std::log(conditional / p_expert[static_cast<std::size_t>(e)]);
        }
    return information;
}

store::RoutingTable drifted(const store::RoutingTable& table, double share) {
    store::RoutingTable result = table;
    double due = 0;
    for (std::uint16_t& expert : result.expert_ids) {
        due += share;
        if (due < 1 - 1e-9) continue;
        due -= 1;
        expert = static_cast<std::uint16_t>((expert + 1) % table.router.experts);
    }
    return result;
}

}  // namespace es::test
