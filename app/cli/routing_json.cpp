// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/routing_json.h"

#include <nlohmann/json.hpp>
#include <string>

#include "engine/store/routing_view.h"

namespace es::app {

nlohmann::json toJson(const store::RoutingTable& table) {
    const store::RoutingView view(table);
    nlohmann::json tokens = nlohmann::json::array();
    for (std::int64_t token = 0; token < table.tokens; ++token) {
        const auto at = static_cast<std::size_t>(token);
        nlohmann::json chosen = nlohmann::json::array();
        view.forEachAssignmentOf(token, [&](std::int64_t, ExpertIndex expert, float mass, bool kept) {
            nlohmann::json one{{"expert", expert.value}, {"gate", mass}, {"kept", kept}};
            if (!table.place.empty()) one["place"] = table.place[view.firstAssignmentOf(token) + chosen.size()];
            chosen.push_back(std::move(one));
        });
        nlohmann::json entry{{"position", table.position_T[at]}, {"modality", std::string(toString(table.modality_T[at]))}, {"chosen", std::move(chosen)}};
        if (!table.token_id_T.empty() && table.token_id_T[at] >= 0) entry["token_id"] = table.token_id_T[at];
        if (!table.masked_T.empty() && table.masked_T[at]) entry["masked"] = true;
        if (!table.slots_T.empty()) entry["slots"] = table.slots_T[at];
        if (!table.entropy_nats_T.empty()) entry["entropy_nats"] = table.entropy_nats_T[at];
        if (!table.boundary_margin_T.empty()) entry["boundary_margin"] = table.boundary_margin_T[at];
        if (!table.probs_TE.empty()) {
            const auto experts = static_cast<std::size_t>(table.router.experts);
            entry["probabilities"] = std::vector<float>(table.probs_TE.begin() + static_cast<std::ptrdiff_t>(at * experts),
                                                        table.probs_TE.begin() + static_cast<std::ptrdiff_t>((at + 1) * experts));
        }
        tokens.push_back(std::move(entry));
    }
    return {{"router", table.router.id.value}, {"layer", table.router.layer.value}, {"branch", std::string(toString(table.router.branch))},
            {"kind", table.router.kind},       {"experts", table.router.experts},   {"k", table.router.k},
            {"tokens", std::move(tokens)}};
}

}  // namespace es::app
