// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "analysis/figures/compare_panels.h"
#include "analysis/figures/series.h"
#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/weighing.h"

namespace es::analysis {
namespace {

std::set<std::int64_t> trainedSteps(const store::RunReader& run) {
    std::set<std::int64_t> steps;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == "trained") steps.insert(key.step);
    return steps;
}

}  // namespace

Result<Panel> expertMatch(const RunSource& a, const RunSource& b, const std::string& router, std::int64_t step) {
    auto router_a = routerFromName(*a.run, router);
    if (!router_a) return tl::unexpected(router_a.error());
    auto router_b = routerFromName(*b.run, router);
    if (!router_b) return tl::unexpected(router_b.error());
    const std::set<std::int64_t> steps_a = trainedSteps(*a.run), steps_b = trainedSteps(*b.run);
    std::int64_t step_a = step, step_b = step;
    if (step < 0) {
        std::vector<std::int64_t> common;
        std::set_intersection(steps_a.begin(), steps_a.end(), steps_b.begin(), steps_b.end(), std::back_inserter(common));
        if (steps_a.empty() || steps_b.empty())
            return jobFailed("Cannot match experts", "one of the runs has no probe yet", "Probes are written with every checkpoint",
                             (steps_a.empty() ? a : b).run->folder().string());
        step_a = common.empty() ? *steps_a.rbegin() : common.back();
        step_b = common.empty() ? *steps_b.rbegin() : common.back();
    }
    auto table_a = a.run->probe({step_a, "trained"}, router_a->id);
    if (!table_a) return tl::unexpected(table_a.error());
    auto table_b = b.run->probe({step_b, "trained"}, router_b->id);
    if (!table_b) return tl::unexpected(table_b.error());
    const std::vector<std::int64_t> rows = alignTokens(*table_a, *table_b);
    const std::vector<std::int32_t> first_a = firstChoices(store::RoutingView(*table_a)), first_b = firstChoices(store::RoutingView(*table_b));
    std::vector<std::int32_t> x, y;
    for (std::size_t t = 0; t < rows.size(); ++t)
        if (rows[t] >= 0) {
            x.push_back(first_a[t]);
            y.push_back(first_b[static_cast<std::size_t>(rows[t])]);
        }
    const std::int32_t experts = std::max(router_a->experts, router_b->experts);
    const ExpertMatch match = matchExperts(x, y, experts);
    if (match.tokens == 0)
        return jobFailed("Cannot match experts", "the two runs were not probed with the same samples",
                         "Choose runs on the same data with the same record.probe_samples", {});
    const auto size = static_cast<std::size_t>(experts);
    HeatmapPanel map;
    // Two long names do not fit on axes; the notes have them then.
    constexpr std::size_t kLong = 20;
    const bool brief = std::max(labelOf(a).size(), labelOf(b).size()) > kLong;
    map.y.title = (brief ? "baseline" : labelOf(a)) + " expert";
    map.x.title = (brief ? "comparison" : labelOf(b)) + " expert (matched order)";
    map.rows = map.columns = experts;
    map.row_is_expert = map.column_is_expert = true;
    map.column_expert = match.permutation_E;
    map.value_title = "share of the row's tokens";
    map.values.assign(size * size, kMissing);
    std::vector<double> column_sum(size, 0), row_sum(size, 0);
    for (std::size_t e = 0; e < size; ++e) {
        for (std::size_t j = 0; j < size; ++j) {
            row_sum[e] += match.count_EE[e * size + j];
            column_sum[j] += match.count_EE[e * size + j];
        }
        map.y.categories.push_back(std::to_string(e));
        map.x.categories.push_back(std::to_string(match.permutation_E[e]));
    }
    // What two routers with these loads would agree on by chance, under the same matching.
    double chance = 0;
    const double n = static_cast<double>(match.tokens);
    for (std::size_t e = 0; e < size; ++e) {
        const auto matched = static_cast<std::size_t>(match.permutation_E[e]);
        chance += row_sum[e] / n * column_sum[matched] / n;
        for (std::size_t j = 0; j < size && row_sum[e] > 0; ++j)
            map.values[e * size + j] = match.count_EE[e * size + static_cast<std::size_t>(match.permutation_E[j])] / row_sum[e];
    }
    Panel panel;
    panel.title = "Routing of two runs, experts matched";
    panel.context = fmt::format("{} · agreement {} (chance {})", routerWords(*router_a), percent(match.agreement, 0), percent(chance, 1));
    panel.notes.push_back(
        fmt::format("{} at step {}{}", plural(match.tokens, "token"), grouped(step_a), step_b != step_a ? fmt::format(" and {}", grouped(step_b)) : ""));
    if (brief) panel.notes.push_back(fmt::format("rows: {}; columns: {}", labelOf(a), labelOf(b)));
    if (router_a->experts != router_b->experts) panel.notes.push_back(fmt::format("{} against {} experts", router_a->experts, router_b->experts));
    panel.notes.push_back("the matching is fitted to these tokens: two unrelated routers agree somewhat more than chance");
    panel.content = std::move(map);
    return panel;
}

}  // namespace es::analysis
