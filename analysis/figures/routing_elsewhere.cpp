// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/weighing.h"

namespace es::analysis {
namespace {

std::optional<std::int64_t> nearestProbe(const store::RunReader& run, std::int64_t wanted) {
    std::optional<std::int64_t> best;
    for (const store::ProbeKey& key : run.probes()) {
        if (key.variant != "trained") continue;
        if (wanted < 0 ? !best || key.step > *best : !best || std::llabs(key.step - wanted) < std::llabs(*best - wanted)) best = key.step;
    }
    return best;
}

/// The expert of `here` that each expert of `there` matches.
Result<ExpertMatch> matchRouters(const store::RoutingTable& here, const store::RoutingTable& there) {
    const std::vector<std::int64_t> rows = alignTokens(there, here);
    const std::vector<std::int32_t> first_there = firstChoices(store::RoutingView(there)), first_here = firstChoices(store::RoutingView(here));
    std::vector<std::int32_t> a, b;
    for (std::size_t t = 0; t < rows.size(); ++t) {
        if (rows[t] < 0) continue;
        a.push_back(first_there[t]);
        b.push_back(first_here[static_cast<std::size_t>(rows[t])]);
    }
    const ExpertMatch found = matchExperts(a, b, std::max(here.router.experts, there.router.experts));
    if (found.tokens == 0)
        return jobFailed("Cannot match the experts", "the two runs were not probed with the same samples",
                         "Choose runs on the same data with the same record.probe_samples", {});
    return found;
}

/// Gives the experts of a table other numbers; it then belongs to `router`.
void renumber(store::RoutingTable& table, const std::vector<std::int32_t>& number_E, const store::RouterInfo& router) {
    const auto from = static_cast<std::size_t>(table.router.experts), to = static_cast<std::size_t>(std::max(router.experts, table.router.experts));
    const auto numberOf = [&](std::size_t expert) { return expert < number_E.size() ? static_cast<std::size_t>(number_E[expert]) : expert; };
    for (auto& expert : table.expert_ids) expert = static_cast<std::uint16_t>(numberOf(expert));
    const auto permute = [&](std::vector<float>& values_TE) {
        if (values_TE.size() != static_cast<std::size_t>(table.tokens) * from) return;
        std::vector<float> moved(static_cast<std::size_t>(table.tokens) * to, 0.0f);
        for (std::size_t t = 0; t < static_cast<std::size_t>(table.tokens); ++t)
            for (std::size_t e = 0; e < from; ++e) moved[t * to + numberOf(e)] = values_TE[t * from + e];
        values_TE = std::move(moved);
    };
    permute(table.probs_TE);
    if (table.router.layout == store::RoutingLayout::kDenseMass) permute(table.gates);
    table.router.experts = static_cast<std::int32_t>(to);
    table.router.id = router.id;
}

}  // namespace

Result<SampleRouting> routingElsewhere(const store::RunReader& here, std::int64_t step_here, const store::RunReader& there, std::int64_t step_there,
                                       std::uint64_t sample, const JobContext& context) {
    auto routing = sampleRouting(there, sample, step_there);
    if (!routing) return routing;
    const auto probe_here = nearestProbe(here, step_here), probe_there = nearestProbe(there, routing->step);
    const std::vector<store::RouterInfo> routers = here.routers();
    std::vector<store::RoutingTable> tables;
    double agreement = 0;
    std::int64_t tokens = 0;
    for (store::RoutingTable& table : routing->routing) {
        if (context.stopRequested()) return stopped("Matching experts");
        const auto counterpart = std::find_if(routers.begin(), routers.end(), [&](const store::RouterInfo& router) {
            return router.layer == table.router.layer && router.branch == table.router.branch;
        });
        if (counterpart == routers.end() || !probe_here || !probe_there) continue;
        auto table_here = here.probe({*probe_here, "trained"}, counterpart->id), table_there = there.probe({*probe_there, "trained"}, table.router.id);
        if (!table_here) return tl::unexpected(table_here.error());
        if (!table_there) return tl::unexpected(table_there.error());
        const auto found = matchRouters(*table_here, *table_there);
        if (!found) return tl::unexpected(found.error());
        agreement += found->agreement * static_cast<double>(found->tokens);
        tokens += found->tokens;
        renumber(table, found->permutation_E, *counterpart);
        tables.push_back(std::move(table));
    }
    if (tables.empty())
        return jobFailed("Cannot compare the routing", "the two runs have no router of the same layer and branch with a probe",
                         "Choose a run with experts in the same layers", there.folder().string());
    routing->routing = std::move(tables);
    routing->notes.push_back(fmt::format("experts of {} are numbered as the experts here that they match best over {}, which agree on {}",
                                         there.folder().filename().string(), plural(tokens, "token"), percent(agreement / static_cast<double>(tokens), 0)));
    return routing;
}

}  // namespace es::analysis
