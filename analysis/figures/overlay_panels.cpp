// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/wording.h"

namespace es::analysis {
namespace {

constexpr std::array<std::string_view, kOverlayModes> kModeNames{"expert",    "weight",      "entropy", "margin",    "dropped",
                                                                 "attention", "probability", "changed", "difference"};
constexpr float kNoCellValue = std::numeric_limits<float>::quiet_NaN();

bool takesPatches(Branch branch) { return branch != Branch::kText; }
bool takesWords(Branch branch) { return branch != Branch::kVision; }

Objective streamOf(const store::RoutingTable& table, std::size_t token) { return table.objective_T.empty() ? Objective::kImage : table.objective_T[token]; }

/// The streams that a router saw this sample's tokens of a modality in, the pair first.
std::vector<Objective> streamsOf(const store::RoutingTable& table, Modality modality) {
    std::vector<Objective> streams;
    for (std::size_t t = 0; t < static_cast<std::size_t>(table.tokens); ++t) {
        if (!table.modality_T.empty() && table.modality_T[t] != modality) continue;
        if (std::find(streams.begin(), streams.end(), streamOf(table, t)) == streams.end()) streams.push_back(streamOf(table, t));
    }
    std::sort(streams.begin(), streams.end(), [](Objective a, Objective b) { return a > b; });
    return streams;
}

/// Rows of one modality and stream: (position, row).
std::vector<std::pair<std::int32_t, std::int64_t>> rowsOfStream(const store::RoutingTable& table, Modality modality, Objective stream) {
    std::vector<std::pair<std::int32_t, std::int64_t>> rows;
    for (std::int64_t t = 0; t < table.tokens; ++t) {
        const auto at = static_cast<std::size_t>(t);
        if (!table.modality_T.empty() && table.modality_T[at] != modality) continue;
        if (!table.objective_T.empty() && table.objective_T[at] != stream) continue;
        rows.emplace_back(table.position_T.empty() ? static_cast<std::int32_t>(t) : table.position_T[at], t);
    }
    return rows;
}

/// What a router made of the same token elsewhere.
struct Elsewhere {
    std::int32_t first = -1;
    std::vector<std::int32_t> experts;  ///< ascending
    float probability = kNoCellValue;   ///< of the expert asked for
};

std::vector<std::int32_t> expertSet(const TokenReading& reading) {
    std::vector<std::int32_t> experts;
    for (const TokenReading::Choice& choice : reading.choices) experts.push_back(choice.expert);
    std::sort(experts.begin(), experts.end());
    return experts;
}

/// Dense mass is its own distribution where none was recorded.
float probabilityOf(const TokenReading& reading, std::int32_t expert) {
    if (expert < 0 || expert >= reading.router.experts) return kNoCellValue;
    if (!reading.probabilities_E.empty()) return reading.probabilities_E[static_cast<std::size_t>(expert)];
    if (reading.router.layout != store::RoutingLayout::kDenseMass) return kNoCellValue;
    for (const TokenReading::Choice& choice : reading.choices)
        if (choice.expert == expert) return choice.weight;
    return 0;
}

/// A router's counterpart in the routing that is compared with, row by row.
class Counterpart {
public:
    Counterpart(const store::RoutingTable& table, const OverlayOptions& options, std::int32_t expert) : expert_(expert) {
        if (!options.other || !options.other->routing) return;
        for (const store::RoutingTable& other : options.other->routing->routing)
            if (other.router.layer == table.router.layer && other.router.branch == table.router.branch) other_ = &other;
        by_set_ = options.other->by_set;
    }
    /// Looks among the rows of one modality and stream.
    void begin(Modality modality, Objective stream) {
        rows_.clear();
        if (other_)
            for (const auto& [position, row] : rowsOfStream(*other_, modality, stream)) rows_.emplace(position, row);
    }
    [[nodiscard]] std::optional<Elsewhere> at(std::int32_t position) const {
        const auto found = rows_.find(position);
        if (found == rows_.end()) return std::nullopt;
        const TokenReading reading = readToken(*other_, found->second);
        return Elsewhere{reading.choices.empty() ? -1 : reading.choices.front().expert, expertSet(reading), probabilityOf(reading, expert_)};
    }
    [[nodiscard]] bool changed(const TokenReading& reading, const Elsewhere& other) const {
        if (by_set_) return expertSet(reading) != other.experts;
        return (reading.choices.empty() ? -1 : reading.choices.front().expert) != other.first;
    }

private:
    const store::RoutingTable* other_ = nullptr;
    std::unordered_map<std::int32_t, std::int64_t> rows_;
    std::int32_t expert_;
    bool by_set_ = false;
};

float valueOf(const TokenReading& reading, OverlayMode mode, std::size_t rank) {
    switch (mode) {
        case OverlayMode::kWeight: return rank < reading.choices.size() ? reading.choices[rank].weight : kNoCellValue;
        case OverlayMode::kEntropy: return static_cast<float>(reading.entropy_nats);
        case OverlayMode::kMargin: return static_cast<float>(reading.boundary_margin);
        case OverlayMode::kDropped: {
            if (reading.choices.empty()) return 1;  // nobody took it
            const auto lost = std::count_if(reading.choices.begin(), reading.choices.end(), [](const TokenReading::Choice& choice) { return !choice.kept; });
            return static_cast<float>(lost) / static_cast<float>(reading.choices.size());
        }
        default: return kNoCellValue;
    }
}

OverlayPanel::Cell cellOf(const TokenReading& reading, const OverlayOptions& options) {
    OverlayPanel::Cell cell;
    const auto rank = static_cast<std::size_t>(std::max(options.rank, 0));
    if (rank < reading.choices.size()) {
        cell.expert = reading.choices[rank].expert;
        cell.mass = reading.choices[rank].weight;
        cell.dropped = !reading.choices[rank].kept;
    }
    cell.unseen = reading.choices.empty();
    cell.masked = reading.masked;
    cell.value = valueOf(reading, options.mode, rank);
    if (reading.choices.size() > 1)
        for (const TokenReading::Choice& choice : reading.choices) cell.choices.push_back({choice.expert, choice.weight});
    return cell;
}

/// Of the tokens that have any; empty where none has.
std::vector<double> meanShares(const OverlayPanel& panel) {
    std::vector<double> share_E(static_cast<std::size_t>(std::max(panel.experts, 0)), 0.0);
    std::int64_t tokens = 0;
    const auto add = [&](const OverlayPanel::Cell& cell) {
        tokens += !cell.choices.empty();
        for (const auto& choice : cell.choices)
            if (choice.expert >= 0 && choice.expert < panel.experts) share_E[static_cast<std::size_t>(choice.expert)] += static_cast<double>(choice.mass);
    };
    for (const auto& cell : panel.patches) add(cell);
    if (panel.patches.empty())
        for (const auto& word : panel.words) add(word.cell);
    if (tokens == 0) return {};
    for (double& share : share_E) share /= static_cast<double>(tokens);
    return share_E;
}

std::string valueTitle(OverlayMode mode, std::int32_t expert, bool dense) {
    const std::string whose = fmt::format("{} of expert {}", dense ? "combine weight" : "router probability", expert);
    switch (mode) {
        case OverlayMode::kWeight: return "combine weight";
        case OverlayMode::kEntropy: return "router entropy (nats)";
        case OverlayMode::kMargin: return "margin to the next expert";
        case OverlayMode::kDropped: return "share of its assignments dropped";
        case OverlayMode::kAttention: return "attention received ÷ even share";
        case OverlayMode::kProbability: return whose;
        case OverlayMode::kDifference: return whose + ", difference";
        case OverlayMode::kExpert:
        case OverlayMode::kChanged: break;
    }
    return "expert";
}

LayerIndex layerOf(const SampleRouting& routing, LayerIndex wanted) {
    LayerIndex layer = wanted;
    for (const store::RoutingTable& table : routing.routing)
        if (!wanted.valid() && (!layer.valid() || table.router.layer < layer)) layer = table.router.layer;
    return layer;
}

const AttentionMass* attentionOf(const SampleRouting& routing, LayerIndex layer) {
    for (const AttentionMass& mass : routing.attention)
        if (mass.layer == layer) return &mass;
    return nullptr;
}

/// The router and expert that a heat map is of: those asked for, else the layer's first router with tokens and its most frequent first choice.
std::pair<const store::RoutingTable*, std::int32_t> expertOf(const SampleRouting& routing, const OverlayOptions& options, LayerIndex layer) {
    const store::RoutingTable* chosen = nullptr;
    for (const store::RoutingTable& table : routing.routing) {
        if (table.router.layer != layer || table.tokens == 0) continue;
        if (!chosen || table.router.id == options.expert_router) chosen = &table;
    }
    if (!chosen) return {nullptr, -1};
    if (options.expert.valid() && (!options.expert_router.valid() || chosen->router.id == options.expert_router)) return {chosen, options.expert.value};
    std::vector<std::int64_t> count_E(static_cast<std::size_t>(std::max(1, chosen->router.experts)), 0);
    for (std::int64_t t = 0; t < chosen->tokens; ++t)
        if (const TokenReading reading = readToken(*chosen, t); !reading.choices.empty()) ++count_E[static_cast<std::size_t>(reading.choices.front().expert)];
    return {chosen, static_cast<std::int32_t>(std::max_element(count_E.begin(), count_E.end()) - count_E.begin())};
}

/// Whose value each token of a panel shows, from smallest to largest.
std::pair<double, double> rangeOf(const OverlayPanel& panel) {
    double low = 0, high = 0;
    const auto take = [&](const OverlayPanel::Cell& cell) {
        if (!std::isfinite(cell.value)) return;
        low = std::min<double>(low, cell.value);
        high = std::max<double>(high, cell.value);
    };
    for (const auto& cell : panel.patches) take(cell);
    for (const auto& word : panel.words) take(word.cell);
    return {low, high};
}

void scaleValues(OverlayPanel& panel, OverlayMode mode) {
    panel.value_max = 1;
    if (mode == OverlayMode::kEntropy) panel.value_max = std::log(static_cast<double>(std::max(panel.experts, 2)));
    const auto [low, high] = rangeOf(panel);
    if (mode == OverlayMode::kMargin) panel.value_min = std::min(low, 0.0);
    // One word can receive ten times what all patches do: the scale is theirs, where there are any.
    if (mode == OverlayMode::kAttention) {
        double of_patches = 0;
        for (const auto& cell : panel.patches)
            if (std::isfinite(cell.value)) of_patches = std::max<double>(of_patches, cell.value);
        panel.value_max = std::max(of_patches > 0 ? of_patches : high, 1.0);
    }
    if (mode == OverlayMode::kProbability) panel.value_max = high > 0 ? high : 1;
    if (mode == OverlayMode::kDifference) {
        const double largest = std::max(std::abs(low), std::abs(high));
        panel.value_max = largest > 0 ? largest : 1;
        panel.value_min = -panel.value_max;
        panel.map = ColorMap::kDiverging;
    }
}

struct TokenCounts {
    std::int64_t routed = 0, unseen = 0, changed = 0, compared = 0, valueless = 0;
    void add(const OverlayPanel::Cell& cell, bool was_compared, bool values) {
        ++routed;
        unseen += cell.unseen;
        changed += cell.changed;
        compared += was_compared;
        valueless += values && std::isnan(cell.value);
    }
};

void noteCounts(const TokenCounts& counts, const char* what, const OverlayOptions& options, const OverlayPanel& content, std::vector<std::string>& notes) {
    if (counts.unseen > 0) notes.push_back(fmt::format("{} of {} {} are taken by no expert (hatched)", counts.unseen, counts.routed, what));
    if (counts.compared > 0)
        notes.push_back(fmt::format("{} of {} {} ({}) {}", counts.changed, counts.compared, what,
                                    percent(static_cast<double>(counts.changed) / static_cast<double>(counts.compared), 0), content.change_title));
    else if (options.other && counts.routed > 0) notes.push_back(fmt::format("{}: no routing of these {}", options.other->name, what));
    if (counts.valueless > 0) notes.push_back(fmt::format("{}: not known for {} of {} {}", content.value_title, counts.valueless, counts.routed, what));
}

}  // namespace

std::string_view toString(OverlayMode mode) { return kModeNames.at(static_cast<std::size_t>(mode)); }

std::optional<OverlayMode> overlayModeFromString(std::string_view text) {
    const auto found = std::find(kModeNames.begin(), kModeNames.end(), text);
    if (found == kModeNames.end()) return std::nullopt;
    return static_cast<OverlayMode>(found - kModeNames.begin());
}

std::string overlayMissing(const SampleRouting& routing, const OverlayOptions& options) {
    const LayerIndex layer = layerOf(routing, options.layer);
    std::vector<const store::RoutingTable*> tables;
    for (const store::RoutingTable& table : routing.routing)
        if (table.router.layer == layer && table.tokens > 0) tables.push_back(&table);
    if (tables.empty()) return "No router of this layer took the sample's tokens";
    const auto any = [&](const auto& has) { return std::any_of(tables.begin(), tables.end(), [&](const store::RoutingTable* table) { return has(*table); }); };
    const auto dense = [](const store::RoutingTable& table) { return table.router.layout == store::RoutingLayout::kDenseMass; };
    const auto distributions = [&](const store::RoutingTable& table) { return !table.probs_TE.empty() || dense(table); };
    switch (options.mode) {
        case OverlayMode::kExpert:
        case OverlayMode::kWeight: return {};
        case OverlayMode::kEntropy:
            if (any([](const auto& table) { return !table.probs_TE.empty() || !table.entropy_nats_T.empty(); })) return {};
            return "Neither the entropy nor the distribution of this layer's routers was recorded";
        case OverlayMode::kMargin:
            if (any([&](const auto& table) { return !dense(table) && (!table.probs_TE.empty() || !table.boundary_margin_T.empty()); })) return {};
            if (any(dense)) return "Soft routing has no margin: no expert is left out";
            return "Neither the margin nor the distribution of this layer's routers was recorded";
        case OverlayMode::kDropped:
            if (any([](const auto& table) { return !table.kept.empty() || table.router.layout == store::RoutingLayout::kRagged; })) return {};
            return any(dense) ? "Soft routing drops nothing: every expert takes a share of every token"
                              : "This routing drops nothing: every choice found a place";
        case OverlayMode::kAttention:
            if (attentionOf(routing, layer)) return {};
            return "Attention is not recorded: it needs a run of the sample through a checkpoint that is still there";
        case OverlayMode::kProbability:
        case OverlayMode::kDifference: {
            const auto [table, expert] = expertOf(routing, options, layer);
            if (!table || !distributions(*table)) return "The whole distribution of this router was not recorded";
            if (options.mode == OverlayMode::kProbability) return {};
            break;
        }
        case OverlayMode::kChanged: break;
    }
    if (options.other && options.other->routing && !options.other->routing->routing.empty()) return {};
    return "There is nothing to compare with: it needs another checkpoint that recorded this sample";
}

Result<Panel> overlay(const SampleRouting& routing, const OverlayOptions& options) {
    const LayerIndex layer = layerOf(routing, options.layer);
    const auto [expert_table, expert] = expertOf(routing, options, layer);
    const bool of_expert = options.mode == OverlayMode::kProbability || options.mode == OverlayMode::kDifference;
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
    content.show_values = options.mode != OverlayMode::kExpert && options.mode != OverlayMode::kChanged;
    content.value_title = valueTitle(options.mode, expert, expert_table && expert_table->router.layout == store::RoutingLayout::kDenseMass);
    if (options.other && options.other->routing)
        content.change_title = options.other->by_set ? "re-routed: " + options.other->name : "changed since " + options.other->name;
    const AttentionMass* attention = options.mode == OverlayMode::kAttention ? attentionOf(routing, layer) : nullptr;
    const double even = attention ? 1.0 / std::max<double>(1, static_cast<double>(attention->patches.size() + attention->words.size())) : 1;
    std::string streams;
    const auto chosenStream = [&](const store::RoutingTable& table, Modality modality, std::optional<Objective> wanted) -> std::optional<Objective> {
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
    TokenCounts patches, words;
    std::int64_t of_others = 0;  // tokens of other routers than the expert's
    const auto fill = [&](const store::RoutingTable& table, Modality modality, std::optional<Objective> wanted, std::size_t size,
                          const std::function<OverlayPanel::Cell&(std::size_t)>& cellAt, TokenCounts& counts) {
        const auto stream = size > 0 ? chosenStream(table, modality, wanted) : std::nullopt;
        if (!stream) return;
        Counterpart counterpart(table, options, expert);
        counterpart.begin(modality, *stream);
        const std::vector<float>* received = !attention ? nullptr : modality == Modality::kVision ? &attention->patches : &attention->words;
        for (const auto& [position, row] : rowsOfStream(table, modality, *stream)) {
            const auto at = static_cast<std::size_t>(position);
            if (position < 0 || at >= size) continue;
            const TokenReading reading = readToken(table, row);
            OverlayPanel::Cell& cell = cellAt(at);
            cell = cellOf(reading, options);
            const auto elsewhere = counterpart.at(position);
            if (elsewhere) {
                cell.before = elsewhere->first;
                cell.changed = counterpart.changed(reading, *elsewhere);
            }
            if (received && at < received->size()) cell.value = static_cast<float>((*received)[at] / even);
            of_others += of_expert && &table != expert_table;
            if (of_expert && &table == expert_table) {
                cell.value = probabilityOf(reading, expert);
                if (options.mode == OverlayMode::kDifference) cell.value = elsewhere ? cell.value - elsewhere->probability : kNoCellValue;
            }
            counts.add(cell, elsewhere.has_value(), content.show_values && (!of_expert || &table == expert_table));
        }
    };
    for (const store::RoutingTable& table : routing.routing) {
        if (table.router.layer != layer) continue;
        content.experts = std::max(content.experts, table.router.experts);
        content.show_mass = content.show_mass || (table.router.layout == store::RoutingLayout::kDenseMass && table.tokens > 0);
        if (takesPatches(table.router.branch))
            fill(
                table, Modality::kVision, options.patches, content.patches.size(), [&](std::size_t i) -> OverlayPanel::Cell& { return content.patches[i]; },
                patches);
        if (takesWords(table.router.branch))
            fill(
                table, Modality::kText, options.words, content.words.size(), [&](std::size_t i) -> OverlayPanel::Cell& { return content.words[i].cell; },
                words);
    }
    scaleValues(content, options.mode);
    if (const double most = rangeOf(content).second; options.mode == OverlayMode::kAttention && most > content.value_max)
        panel.notes.push_back(fmt::format("words receive up to {:.3g}: their colour ends with the scale of the patches, at {:.3g}", most, content.value_max));
    if (!content.patches.empty() && patches.routed == 0)
        panel.notes.push_back(layer.valid() ? fmt::format("layer {} has no router for patches", layer.value) : "no router took its patches");
    if (!content.words.empty() && words.routed == 0)
        panel.notes.push_back(layer.valid() ? fmt::format("layer {} has no router for words", layer.value) : "no router took its words");
    noteCounts(patches, "patches", options, content, panel.notes);
    noteCounts(words, "words", options, content, panel.notes);
    if (of_others > 0 && expert_table)
        panel.notes.push_back(fmt::format("expert {} is of the {}: tokens of other routers have no value", expert, routerWords(expert_table->router)));
    if (content.show_mass && !content.show_values) {
        content.share_E = meanShares(content);
        panel.notes.push_back("soft routing: every expert takes a share of every token; the largest is shown, below it the mean shares");
    }
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

}  // namespace es::analysis
