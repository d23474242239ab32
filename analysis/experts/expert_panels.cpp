// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/expert_panels.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "analysis/figures/wording.h"

namespace es::analysis {
namespace {

std::string rangeWords(double low, double high, int decimals) {
    return std::isfinite(low) && std::isfinite(high) ? fmt::format("{} to {}", fixed(low, decimals), fixed(high, decimals)) : std::string("–");
}

std::string verdictWords(const LabelShare& row) {
    if (!std::isfinite(row.npmi_low)) return "too few samples";
    return row.above() ? "above base" : row.below() ? "below base" : "as base";
}

std::string tokenPlace(const GalleryItem& item, const store::SampleRecord* record) {
    const int index = item.token.value;
    if (item.modality == Modality::kText) {
        return record ? fmt::format("word {} “{}”", index, wordText(*record, index)) : fmt::format("word {}", index);
    }
    if (record && record->grid_width > 0) return fmt::format("patch ({}, {})", index / record->grid_width, index % record->grid_width);
    return fmt::format("patch {}", index);
}

}  // namespace

std::string expertName(const ExpertTokens& tokens) {
    return fmt::format("{}, expert {} · step {}", routerWords(tokens.router()), tokens.query.expert.value, grouped(tokens.query.step));
}

Panel labelPanel(const ExpertTokens& tokens, const LabelShares& shares, const std::string& title, const std::string& label_title) {
    Panel panel;
    TablePanel table;
    const std::string interval = fmt::format("{:.4g} % interval", shares.confidence * 100);
    table.columns = {label_title, "share", interval, "base rate", "nPMI", interval, "PMI (nats)", "verdict", "taken", "tokens", "samples"};
    table.right_aligned = {0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1};
    for (const LabelShare& row : shares.rows)
        table.rows.push_back({row.label, fixed(row.share, 3), rangeWords(row.share_low, row.share_high, 3), fixed(row.base, 3), fixed(row.npmi, 3),
                              rangeWords(row.npmi_low, row.npmi_high, 2), row.takers > 0 ? fixed(row.pmi_nats, 2) : "-inf", verdictWords(row),
                              grouped(row.takers), grouped(row.tokens), grouped(row.samples)});
    panel.title = title;
    panel.context = fmt::format("{} · {} of {} taken", expertName(tokens), grouped(shares.takers), plural(shares.tokens, "token"));
    if (shares.comparisons > 0)
        panel.notes.push_back(fmt::format("intervals over {}, near-copies counted once (the tokens of one sample are alike), correction: {}",
                                          plural(shares.taker_samples, "sample"), shares.correction));
    const auto without = std::count_if(shares.rows.begin(), shares.rows.end(), [](const LabelShare& row) { return !std::isfinite(row.npmi_low); });
    if (without > 0) panel.notes.push_back(fmt::format("{} in too few samples for an interval", plural(without, "label")));
    panel.notes.push_back("share: of what the expert takes; base rate: of everything that its router sees");
    panel.content = std::move(table);
    return panel;
}

Panel positionPanel(const ExpertTokens& tokens, const PositionMap& map) {
    Panel panel;
    HeatmapPanel heat;
    heat.columns = map.width;
    heat.rows = map.height;
    for (std::int32_t i = 0; i < map.width; ++i) heat.x.categories.push_back(std::to_string(i));
    for (std::int32_t i = 0; i < map.height; ++i) heat.y.categories.push_back(map.modality == Modality::kText ? std::string() : std::to_string(i));
    heat.x.title = map.modality == Modality::kText ? "word of the caption" : "column";
    heat.y.title = map.modality == Modality::kText ? "" : "row";
    heat.values = map.share_P;
    heat.value_title = tokens.dense() ? "its share of the weight" : "its share of assignments";
    heat.value_min = 0;
    double largest = 0;
    for (const double share : map.share_P)
        if (std::isfinite(share)) largest = std::max(largest, share);
    // The base rate at the middle, so that colour says more or less than everywhere.
    heat.value_max = map.base > 0 ? 2 * map.base : 1;
    heat.map = ColorMap::kDiverging;
    if (largest > heat.value_max) panel.notes.push_back(fmt::format("the scale ends at twice the base rate; the largest is {}", fixed(largest, 3)));
    panel.notes.insert(panel.notes.begin(),
                       fmt::format("base rate {} of {}: the middle of the scale", fixed(map.base, 3), tokens.dense() ? "the weight" : "assignments"));
    if (map.samples_of_other_grids > 0) panel.notes.push_back(fmt::format("{} with another grid left out", plural(map.samples_of_other_grids, "picture")));
    panel.title = map.modality == Modality::kText ? "Place in the caption" : "Place in the picture";
    panel.context = fmt::format("{} · {}", expertName(tokens), plural(map.samples, "sample"));
    panel.content = std::move(heat);
    return panel;
}

Panel looksPanel(const ExpertTokens& tokens, const ExpertLooks& looks) {
    Panel panel;
    TablePanel table;
    table.columns = {"property of a patch",
                     "unit",
                     "its patches",
                     "all patches",
                     "difference",
                     fmt::format("{:.4g} % interval", looks.confidence * 100),
                     "taken",
                     "samples"};
    table.right_aligned = {0, 0, 1, 1, 1, 1, 1, 1};
    for (const LookRow& row : looks.rows)
        table.rows.push_back({row.name, row.unit, fixed(row.expert, 3), fixed(row.all, 3), fixed(row.difference, 3), rangeWords(row.low, row.high, 3),
                              grouped(row.takers), grouped(row.samples)});
    panel.title = "Colour and detail of its patches";
    panel.context =
        fmt::format("{} · {} of {}", expertName(tokens), looks.patches == 1 ? "1 patch" : grouped(looks.patches) + " patches", plural(looks.samples, "sample"));
    panel.notes.push_back(fmt::format("intervals over samples, correction: Bonferroni over {} properties", looks.rows.size()));
    panel.notes.push_back("fine detail: what 2 x 2 means lose of the variance of luma; flat patches have none");
    panel.content = std::move(table);
    return panel;
}

Panel partnersPanel(const ExpertTokens& tokens, const ExpertPartners& partners, const std::vector<KeptSimilarity>& similar) {
    Panel panel;
    TablePanel table;
    table.columns = {"expert", "co-routing", "together", "base rate"};
    table.right_aligned = {0, 1, 1, 1};
    for (const KeptSimilarity& one : similar) {
        table.columns.push_back(one.measure == "router_rows" ? "router rows" : one.measure);
        table.right_aligned.push_back(1);
    }
    for (const Partner& row : partners.rows) {
        table.rows.push_back(
            {std::to_string(row.expert.value), fixed(row.co_routing, 3), partners.several_choices ? fixed(row.together, 3) : "–", fixed(row.base, 3)});
        for (const KeptSimilarity& one : similar) table.rows.back().push_back(fixed(one.value_E[static_cast<std::size_t>(row.expert.value)], 3));
    }
    panel.title = "Other experts of its router";
    panel.context = expertName(tokens);
    panel.notes.push_back(fmt::format("co-routing: correlation of {}, n = {}", partners.correlation_of, grouped(partners.n)));
    panel.notes.push_back(partners.several_choices ? "together: share of its tokens that the other takes too; base rate: share of all tokens"
                                                   : "one expert a token: no two are ever active together");
    for (const KeptSimilarity& one : similar)
        if (one.tokens > 0) panel.notes.push_back(fmt::format("{}: on {}", one.measure, plural(one.tokens, "token")));
    panel.content = std::move(table);
    return panel;
}

Panel loadPanel(const ExpertLoad& load) {
    Panel panel;
    LinePanel lines;
    lines.x.title = "step";
    lines.y.title = "share of assignments";
    lines.y.min = 0;
    Curve curve;
    curve.label = fmt::format("expert {}", load.expert);
    curve.color = {ColorRole::Kind::kExpert, load.expert};
    curve.x = load.history.step;
    for (std::size_t column = 0; column < load.history.step.size(); ++column) curve.y.push_back(load.share(column));
    curve.series = fmt::format("load/expert {}", load.expert);
    lines.curves.push_back(std::move(curve));
    lines.lines.push_back({load.even, "even"});
    panel.title = "Load over training";
    panel.context = fmt::format("{} · {}", routerWords(load.history.router), plural(load.history.steps, "step"));
    const auto columns = static_cast<std::int64_t>(load.history.step.size());
    if (columns > 0 && load.history.steps > columns)
        panel.notes.push_back(fmt::format("each point is a mean over about {} steps", load.history.steps / columns));
    panel.notes.push_back("training batches, with masks; the gallery and the tables are of the probe");
    panel.content = std::move(lines);
    return panel;
}

Panel galleryPanel(const ExpertTokens& tokens, const ExpertGallery& gallery, const std::vector<store::SampleRecord>& records) {
    std::unordered_map<std::uint64_t, const store::SampleRecord*> known;
    for (const store::SampleRecord& record : records) known.emplace(record.hash, &record);
    Panel panel;
    TablePanel table;
    table.columns = {"chosen as", "sample", "token", "weight", "probability", "rank", "caption", "category", "licence", "source"};
    table.right_aligned = {0, 0, 0, 1, 1, 1, 0, 0, 0, 0};
    std::vector<GalleryItem> all;
    const auto add = [&](const std::vector<GalleryItem>& items, const char* how) {
        for (const GalleryItem& item : items) {
            const auto found = known.find(item.sample);
            const store::SampleRecord* record = found == known.end() ? nullptr : found->second;
            table.rows.push_back({how, fmt::format("{:016x}", item.sample), tokenPlace(item, record), fixed(item.weight, 4), fixed(item.probability, 4),
                                  std::to_string(item.rank + 1), record ? record->caption : "", record ? record->category : "",
                                  record ? (record->license.empty() ? "not stated" : record->license) : "", record ? record->source : ""});
            all.push_back(item);
        }
    };
    add(gallery.top, "top");
    add(gallery.random, "random");
    panel.title = fmt::format("Expert {} · what it takes", tokens.query.expert.value);
    panel.context = fmt::format("{} · {} in {}", expertName(tokens), plural(gallery.takers, "token"), plural(gallery.samples, "sample"));
    panel.notes = gallery.notes;
    for (const Credit& credit : creditsOf(all, records)) panel.notes.push_back("credit: " + credit.text());
    panel.content = std::move(table);
    return panel;
}

std::string bestLabelWords(const LabelShares& shares) {
    for (const LabelShare& row : shares.rows)
        if (row.above())
            return fmt::format("{} {} (base {}, nPMI {}, {})", row.label, fixed(row.share, 2), fixed(row.base, 2), fixed(row.npmi, 2),
                               rangeWords(row.npmi_low, row.npmi_high, 2));
    if (shares.rows.empty()) return "none known";
    return shares.comparisons == 0 ? "too few samples to say" : "none above its base rate";
}

std::vector<std::string> topWords(const LabelShares& words, std::size_t count) {
    std::vector<std::string> best;
    for (const LabelShare& row : words.rows)
        if (row.above() && best.size() < count) best.push_back(row.label);
    return best;
}

}  // namespace es::analysis
