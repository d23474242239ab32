// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/load.h"

namespace es::analysis {
namespace {

bool takesPatches(Branch branch) { return branch != Branch::kText; }
bool takesWords(Branch branch) { return branch != Branch::kVision; }

/// The streams that a router saw this sample's tokens of a modality in, the pair first.
std::vector<Objective> streamsOf(const store::RoutingTable& table, Modality modality) {
    std::vector<Objective> streams;
    for (std::size_t t = 0; t < static_cast<std::size_t>(table.tokens); ++t) {
        if (!table.modality_T.empty() && table.modality_T[t] != modality) continue;
        const Objective objective = table.objective_T.empty() ? Objective::kImage : table.objective_T[t];
        if (std::find(streams.begin(), streams.end(), objective) == streams.end()) streams.push_back(objective);
    }
    std::sort(streams.begin(), streams.end(), [](Objective a, Objective b) { return a > b; });
    return streams;
}

float valueOf(const TokenReading& reading, OverlayMode mode, std::int32_t rank) {
    const auto at = static_cast<std::size_t>(rank);
    switch (mode) {
        case OverlayMode::kExpert: return std::numeric_limits<float>::quiet_NaN();
        case OverlayMode::kWeight: return at < reading.choices.size() ? reading.choices[at].weight : std::numeric_limits<float>::quiet_NaN();
        case OverlayMode::kEntropy: return static_cast<float>(reading.entropy_nats);
        case OverlayMode::kMargin: return static_cast<float>(reading.boundary_margin);
        case OverlayMode::kDropped: return reading.dropped ? 1.0f : 0.0f;
    }
    return std::numeric_limits<float>::quiet_NaN();
}

OverlayPanel::Cell cellOf(const TokenReading& reading, const OverlayOptions& options) {
    OverlayPanel::Cell cell;
    const auto rank = static_cast<std::size_t>(std::max(options.rank, 0));
    if (rank < reading.choices.size()) {
        cell.expert = reading.choices[rank].expert;
        cell.mass = reading.choices[rank].weight;
        cell.dropped = !reading.choices[rank].kept;
    }
    cell.masked = reading.masked;
    cell.value = valueOf(reading, options.mode, static_cast<std::int32_t>(rank));
    if (reading.choices.size() > 1)
        for (const TokenReading::Choice& choice : reading.choices) cell.choices.push_back({choice.expert, choice.weight});
    return cell;
}

/// All tokens of one modality and stream of one router, by position.
std::vector<std::pair<std::int32_t, OverlayPanel::Cell>> cellsOf(const store::RoutingTable& table, Modality modality, Objective stream,
                                                                 const OverlayOptions& options) {
    std::vector<std::pair<std::int32_t, OverlayPanel::Cell>> cells;
    for (std::int64_t t = 0; t < table.tokens; ++t) {
        const auto at = static_cast<std::size_t>(t);
        if (!table.modality_T.empty() && table.modality_T[at] != modality) continue;
        if (!table.objective_T.empty() && table.objective_T[at] != stream) continue;
        const std::int32_t position = table.position_T.empty() ? static_cast<std::int32_t>(t) : table.position_T[at];
        cells.emplace_back(position, cellOf(readToken(table, t), options));
    }
    return cells;
}

std::string_view valueTitle(OverlayMode mode) {
    switch (mode) {
        case OverlayMode::kExpert: return "expert";
        case OverlayMode::kWeight: return "combine weight";
        case OverlayMode::kEntropy: return "router entropy (nats)";
        case OverlayMode::kMargin: return "margin to the next expert";
        case OverlayMode::kDropped: return "dropped";
    }
    return "";
}

}  // namespace

std::string_view toString(OverlayMode mode) {
    switch (mode) {
        case OverlayMode::kExpert: return "expert";
        case OverlayMode::kWeight: return "weight";
        case OverlayMode::kEntropy: return "entropy";
        case OverlayMode::kMargin: return "margin";
        case OverlayMode::kDropped: return "dropped";
    }
    return "expert";
}

std::optional<OverlayMode> overlayModeFromString(std::string_view text) {
    for (const OverlayMode mode : {OverlayMode::kExpert, OverlayMode::kWeight, OverlayMode::kEntropy, OverlayMode::kMargin, OverlayMode::kDropped})
        if (text == toString(mode)) return mode;
    return std::nullopt;
}

Result<Panel> overlay(const SampleRouting& routing, const OverlayOptions& options) {
    LayerIndex layer = options.layer;
    for (const store::RoutingTable& table : routing.routing)
        if (!options.layer.valid() && (!layer.valid() || table.router.layer < layer)) layer = table.router.layer;
    Panel panel;
    OverlayPanel content;
    content.picture = routing.sample.picture;
    content.grid_width = routing.sample.grid_width;
    content.grid_height = routing.sample.grid_height;
    content.patches.resize(static_cast<std::size_t>(content.grid_width) * static_cast<std::size_t>(content.grid_height));
    for (std::size_t i = 0; i < routing.sample.token_texts.size(); ++i) {
        OverlayPanel::Chip chip;
        chip.text = routing.sample.token_texts[i];
        chip.position = static_cast<std::int32_t>(i);
        content.words.push_back(std::move(chip));
    }
    content.show_values = options.mode != OverlayMode::kExpert;
    content.value_title = valueTitle(options.mode);
    bool any_patch = false, any_word = false;
    std::string streams;
    const auto streamOf = [&](const store::RoutingTable& table, Modality modality, std::optional<Objective> wanted) -> std::optional<Objective> {
        const std::vector<Objective> present = streamsOf(table, modality);
        if (present.empty()) return std::nullopt;
        if (!wanted || std::find(present.begin(), present.end(), *wanted) != present.end()) {
            const Objective stream = wanted.value_or(present.front());
            streams += (streams.empty() ? "" : ", ") + std::string(toString(stream));
            return stream;
        }
        panel.notes.push_back(
            fmt::format("{}: the sample did not pass here as {}; shown as {}", routerWords(table.router), toString(*wanted), toString(present.front())));
        return present.front();
    };
    for (const store::RoutingTable& table : routing.routing) {
        if (table.router.layer != layer) continue;
        content.experts = std::max(content.experts, table.router.experts);
        if (takesPatches(table.router.branch) && !content.patches.empty())
            if (const auto stream = streamOf(table, Modality::kVision, options.patches))
                for (auto& [position, cell] : cellsOf(table, Modality::kVision, *stream, options))
                    if (position >= 0 && position < static_cast<std::int32_t>(content.patches.size())) {
                        content.patches[static_cast<std::size_t>(position)] = std::move(cell);
                        any_patch = true;
                    }
        if (takesWords(table.router.branch) && !content.words.empty())
            if (const auto stream = streamOf(table, Modality::kText, options.words))
                for (auto& [position, cell] : cellsOf(table, Modality::kText, *stream, options))
                    if (position >= 0 && position < static_cast<std::int32_t>(content.words.size())) {
                        content.words[static_cast<std::size_t>(position)].cell = std::move(cell);
                        any_word = true;
                    }
    }
    content.value_max = options.mode == OverlayMode::kEntropy ? std::log(static_cast<double>(std::max(content.experts, 2))) : 1;
    if (!content.patches.empty() && !any_patch)
        panel.notes.push_back(layer.valid() ? fmt::format("layer {} has no router for patches", layer.value) : "no router took its patches");
    if (!content.words.empty() && !any_word)
        panel.notes.push_back(layer.valid() ? fmt::format("layer {} has no router for words", layer.value) : "no router took its words");
    const auto valueMissing = [](const OverlayPanel::Cell& cell) { return cell.expert >= 0 && std::isnan(cell.value); };
    if (content.show_values &&
        (std::any_of(content.patches.begin(), content.patches.end(), valueMissing) ||
         std::any_of(content.words.begin(), content.words.end(), [&](const OverlayPanel::Chip& chip) { return valueMissing(chip.cell); })))
        panel.notes.push_back(fmt::format("{} was not recorded for some tokens", content.value_title));
    if (content.picture.empty()) panel.notes.push_back("this sample has no picture");
    panel.notes.insert(panel.notes.end(), routing.notes.begin(), routing.notes.end());
    panel.title = routing.sample.caption.empty() ? "Routing overlay" : "Routing overlay · " + routing.sample.caption;
    panel.context = layer.valid() ? fmt::format("layer {}", layer.value) : "no router";
    if (routing.step >= 0) panel.context += fmt::format(" · step {}", grouped(routing.step));
    if (options.rank > 0) panel.context += fmt::format(" · choice {}", options.rank + 1);
    if (!streams.empty()) panel.context += " · as " + streams;
    panel.content = std::move(content);
    return panel;
}

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
        map.y.categories.push_back(fmt::format("{} {}", branchLetter(table.router.branch), table.router.layer.value));
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

Result<Panel> tokenDistribution(const SampleRouting& routing, RouterId router, Modality modality, TokenIndex token, std::optional<Objective> objective) {
    std::vector<TokenReading> path = tokenPath(routing, modality, token, objective);
    std::stable_sort(path.begin(), path.end(), [](const TokenReading& a, const TokenReading& b) { return a.objective > b.objective; });
    const auto found = std::find_if(path.begin(), path.end(), [&](const TokenReading& reading) { return !router.valid() || reading.router.id == router; });
    if (found == path.end())
        return jobFailed("No router distribution", "this router did not take the token", "Choose a layer and branch that the token passes", {});
    const TokenReading& reading = *found;
    Panel panel;
    BarPanel bars;
    bars.x.title = "expert";
    bars.y.title = "router probability";
    bars.y.min = 0;
    const bool whole = !reading.probabilities_E.empty();
    if (!whole) {
        bars.y.title = "combine weight";
        panel.notes.push_back("the whole distribution was not recorded: combine weights of the chosen experts");
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
