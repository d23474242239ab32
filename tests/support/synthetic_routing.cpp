// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/synthetic_routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace es::test {

store::RoutingTable routeTokens(const store::RouterInfo& router, std::int64_t step, const std::vector<PlantedToken>& tokens, double strength, std::int32_t dead,
                                bool withProbs, RandomStream& random) {
    store::RoutingTable table;
    table.router = router;
    table.step = step;
    table.tokens = static_cast<std::int64_t>(tokens.size());
    const auto experts = static_cast<std::size_t>(router.experts);
    const auto k = static_cast<std::size_t>(router.k);
    std::vector<double> probs(experts);
    std::vector<std::uint16_t> order(experts);
    for (const PlantedToken& token : tokens) {
        double sum = 0, entropy = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            const bool planted = token.planted >= 0 && static_cast<std::size_t>(token.planted) % experts == e;
            const double logit = static_cast<std::int32_t>(e) == dead ? -30.0 : (planted ? strength : 0.0) + random.normal();
            probs[e] = std::exp(logit);
            sum += probs[e];
        }
        for (double& p : probs) {
            p /= sum;
            if (p > 0) entropy -= p * std::log(p);
        }
        std::iota(order.begin(), order.end(), std::uint16_t{0});
        std::stable_sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) { return probs[a] > probs[b]; });
        for (std::size_t i = 0; i < k; ++i) {
            table.expert_ids.push_back(order[i]);
            table.gates.push_back(static_cast<float>(probs[order[i]]));
        }
        table.entropy_nats_T.push_back(static_cast<float>(entropy));
        table.boundary_margin_T.push_back(k < experts ? static_cast<float>(probs[order[k - 1]] - probs[order[k]]) : 1.0f);
        if (withProbs)
            for (const double p : probs) table.probs_TE.push_back(static_cast<float>(p));
        table.sample_T.push_back(token.sample);
        table.position_T.push_back(token.position);
        table.modality_T.push_back(token.modality);
        table.objective_T.push_back(token.objective);
        table.token_id_T.push_back(token.token_id);
        table.masked_T.push_back(token.masked ? 1 : 0);
    }
    return table;
}

}  // namespace es::test
