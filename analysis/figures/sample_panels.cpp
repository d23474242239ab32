// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/load.h"

namespace es::analysis {

Result<Panel> layerExpertMap(const SampleRouting& routing) {
    std::vector<const store::RoutingTable*> tables;
    for (const store::RoutingTable& table : routing.routing)
        if (table.tokens > 0) tables.push_back(&table);
    if (tables.empty())
        return jobFailed("No layer x expert map", "none of the recorded routers took a token of this sample", "Choose a probed sample of a sparse run", {});
    std::stable_sort(tables.begin(), tables.end(), [](const auto* a, const auto* b) {
        return a->router.layer != b->router.layer ? a->router.layer < b->router.layer : a->router.branch < b->router.branch;
    });
    HeatmapPanel map;
    map.x.title = "expert";
    map.y.title = "router";
    map.value_title = "share of the sample's tokens";
    map.column_is_expert = true;
    for (const auto* table : tables) map.columns = std::max(map.columns, table->router.experts);
    for (std::int32_t e = 0; e < map.columns; ++e) map.x.categories.push_back(std::to_string(e));
    map.rows = static_cast<std::int32_t>(tables.size());
    double largest = 0;
    for (std::size_t row = 0; row < tables.size(); ++row) {
        const store::RoutingTable& table = *tables[row];
        map.y.categories.push_back(routerLabel(table.router));
        map.row_group_start.push_back(row > 0 && tables[row - 1]->router.layer != table.router.layer);
        const LoadStats load = loadOf(expertLoads(store::RoutingView(table)));
        for (std::int32_t e = 0; e < map.columns; ++e) {
            const double share = e < table.router.experts ? load.share_E[static_cast<std::size_t>(e)] : kMissing;
            if (share > largest) largest = share;
            map.values.push_back(share);
        }
    }
    map.value_max = largest > 0 ? largest : 1;
    Panel panel;
    panel.title = "Expert x layer for this sample";
    panel.context = "share of tokens";
    panel.notes = routing.notes;
    panel.content = std::move(map);
    return panel;
}

namespace {

/// Bars of router probabilities, or of combine weights where no distribution was recorded.
BarPanel barsOf(const TokenReading& reading, std::vector<std::string>& notes) {
    BarPanel bars;
    bars.x.title = "expert";
    bars.y.title = "router probability";
    bars.y.min = 0;
    if (reading.router.kind == "expert_choice")
        notes.push_back("experts choose tokens here: each takes those it scores highest, so the highest bar need not be among the chosen");
    const bool whole = !reading.probabilities_E.empty();
    if (!whole) {
        bars.y.title = "combine weight";
        notes.push_back("the whole distribution was not recorded: combine weights of the chosen experts");
    }
    for (std::int32_t e = 0; e < reading.router.experts; ++e) {
        BarPanel::Bar bar;
        bar.label = std::to_string(e);
        bar.color = {ColorRole::Kind::kExpert, e};
        const auto chosen = std::find_if(reading.choices.begin(), reading.choices.end(), [e](const TokenReading::Choice& c) { return c.expert == e; });
        bar.emphasised = chosen != reading.choices.end();
        bar.value = whole ? reading.probabilities_E[static_cast<std::size_t>(e)] : (bar.emphasised ? chosen->weight : kMissing);
        bars.bars.push_back(std::move(bar));
    }
    return bars;
}

/// The token in one router, of the pair where the sample ran as one.
std::optional<TokenReading> readingOf(const SampleRouting& routing, RouterId router, Modality modality, TokenIndex token, std::optional<Objective> objective) {
    std::vector<TokenReading> path = tokenPath(routing, modality, token, objective);
    std::stable_sort(path.begin(), path.end(), [](const TokenReading& a, const TokenReading& b) { return a.objective > b.objective; });
    const auto found = std::find_if(path.begin(), path.end(), [&](const TokenReading& reading) { return !router.valid() || reading.router.id == router; });
    if (found == path.end()) return std::nullopt;
    return std::move(*found);
}

}  // namespace

Result<Panel> tokensDistribution(const SampleRouting& routing, RouterId router, Modality modality, const std::vector<TokenIndex>& tokens) {
    std::optional<BarPanel> mean;
    std::vector<std::int64_t> first_E;
    std::int64_t seen = 0;
    Panel panel;
    for (const TokenIndex token : tokens) {
        const auto reading = readingOf(routing, router, modality, token, {});
        if (!reading) continue;
        std::vector<std::string> notes;
        const BarPanel bars = barsOf(*reading, notes);
        if (!mean) {
            mean = bars;
            for (auto& bar : mean->bars) bar.value = 0;
            first_E.resize(bars.bars.size());
            panel.context = routerWords(reading->router);
            panel.notes = std::move(notes);
        }
        for (std::size_t e = 0; e < std::min(bars.bars.size(), mean->bars.size()); ++e)
            if (std::isfinite(bars.bars[e].value)) mean->bars[e].value += bars.bars[e].value;
        if (!reading->choices.empty()) ++first_E[static_cast<std::size_t>(reading->choices.front().expert)];
        ++seen;
    }
    if (!mean) return jobFailed("No router distribution", "this router took none of the tokens", "Choose a layer and branch that the tokens pass", {});
    mean->y.title += ", mean";
    for (std::size_t e = 0; e < mean->bars.size(); ++e) {
        mean->bars[e].value /= static_cast<double>(seen);
        mean->bars[e].emphasised = first_E[e] > 0;
    }
    std::vector<std::size_t> order;
    for (std::size_t e = 0; e < first_E.size(); ++e)
        if (first_E[e] > 0) order.push_back(e);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return first_E[a] > first_E[b]; });
    std::string chosen;
    for (const std::size_t e : order) chosen += fmt::format("{}expert {} by {}", chosen.empty() ? "" : ", ", e, first_E[e]);
    panel.notes.push_back(chosen.empty() ? "chosen first: none" : "chosen first: " + chosen);
    if (seen < static_cast<std::int64_t>(tokens.size()))
        panel.notes.push_back(fmt::format("{} of {} did not pass this router", static_cast<std::int64_t>(tokens.size()) - seen, tokens.size()));
    panel.title = plural(seen, modality == Modality::kText ? "word" : "patch");
    if (modality != Modality::kText && seen != 1) panel.title = fmt::format("{} patches", seen);
    panel.content = std::move(*mean);
    return panel;
}

Result<Panel> tokenDistribution(const SampleRouting& routing, RouterId router, Modality modality, TokenIndex token, std::optional<Objective> objective) {
    const auto found = readingOf(routing, router, modality, token, objective);
    if (!found) return jobFailed("No router distribution", "this router did not take the token", "Choose a layer and branch that the token passes", {});
    const TokenReading& reading = *found;
    Panel panel;
    BarPanel bars = barsOf(reading, panel.notes);
    panel.title = fmt::format("{} {}", modality == Modality::kText ? "Word" : "Patch", token.value);
    if (modality == Modality::kVision && routing.sample.grid_width > 0)
        panel.title = fmt::format("Patch ({}, {})", token.value / routing.sample.grid_width, token.value % routing.sample.grid_width);
    else if (modality == Modality::kText && token.value >= 0 && token.value < static_cast<std::int32_t>(routing.sample.token_texts.size()))
        panel.title = fmt::format("Word “{}”", routing.sample.token_texts[static_cast<std::size_t>(token.value)]);
    panel.context = routerWords(reading.router);
    panel.notes.insert(panel.notes.end(), routing.notes.begin(), routing.notes.end());
    panel.content = std::move(bars);
    return panel;
}

}  // namespace es::analysis
