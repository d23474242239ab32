// SPDX-License-Identifier: GPL-3.0-or-later
// Panels over a probe's tokens: change over checkpoints, categories, modalities, pairs of experts.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/series.h"
#include "analysis/figures/structure_panels.h"
#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/labels.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/specialisation.h"
#include "analysis/metrics/stability.h"
#include "engine/store/routing_tables.h"

namespace es::analysis {
namespace {

Result<store::RoutingTable> probeTable(const store::RunReader& run, RouterId router, std::int64_t step) {
    std::optional<store::ProbeKey> best;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == "trained" && (step < 0 || key.step == step) && (!best || key.step > best->step)) best = key;
    if (!best)
        return jobFailed("No probe to show", step < 0 ? "the run has no probe yet" : fmt::format("the run has no probe of step {}", step),
                         "Probes are written with every checkpoint when record.probe_samples is above 0", run.folder().string());
    return run.probe(*best, router);
}

std::vector<std::string> expertNames(std::int32_t experts) {
    std::vector<std::string> names;
    for (std::int32_t e = 0; e < experts; ++e) names.push_back(std::to_string(e));
    return names;
}

std::string contextOf(const store::RoutingTable& table) {
    return fmt::format("{} · step {} · {}", routerWords(table.router), grouped(table.step), plural(table.tokens, "token"));
}

store::RoutingTable onlySample(store::RoutingTable table, std::optional<std::uint64_t> sample) {
    if (!sample) return table;
    std::vector<std::uint8_t> include(static_cast<std::size_t>(table.tokens), 0);
    for (std::size_t t = 0; t < include.size() && t < table.sample_T.size(); ++t) include[t] = table.sample_T[t] == *sample;
    return selectTokens(table, include);
}

}  // namespace

Result<Panel> routingChange(const store::RunReader& run, ChangeMeasure measure, std::optional<std::uint64_t> sample, RouterId only, const JobContext& context) {
    std::vector<store::ProbeKey> keys;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == "trained") keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    if (keys.size() < 2)
        return jobFailed("No change between checkpoints yet",
                         fmt::format("the run has {}, two are needed", plural(static_cast<std::int64_t>(keys.size()), "probe")),
                         "A probe is written with every checkpoint", run.folder().string());
    const bool churn = measure == ChangeMeasure::kChurn;
    Panel panel;
    LinePanel lines;
    lines.x.title = "step";
    lines.y.title = churn ? "first choices changed" : "router saturation";
    lines.y.min = 0;
    lines.y.max = 1;
    const std::vector<store::RouterInfo> routers = run.routers();
    std::vector<std::int32_t> layers;
    for (const store::RouterInfo& router : routers)
        if (std::find(layers.begin(), layers.end(), router.layer.value) == layers.end()) layers.push_back(router.layer.value);
    std::vector<double> chances;
    std::map<std::int64_t, std::string> unread;
    std::int64_t last_step = keys.back().step;
    for (std::size_t r = 0; r < routers.size(); ++r) {
        if (only.valid() && routers[r].id != only) continue;
        if (context.stopRequested()) return stopped("Comparing checkpoints");
        context.progress(static_cast<std::int64_t>(r), static_cast<std::int64_t>(routers.size()), "Comparing checkpoints");
        Curve curve;
        curve.label = routerLabel(routers[r]);
        curve.color = {ColorRole::Kind::kSeries, static_cast<std::int32_t>(std::find(layers.begin(), layers.end(), routers[r].layer.value) - layers.begin())};
        curve.style = routers[r].branch == Branch::kText ? LineStyle::kDashed : LineStyle::kSolid;
        curve.series = routerName(routers[r]) + (churn ? "/changed_first" : "/saturation");
        std::optional<store::RoutingTable> other;
        if (!churn) {
            // Of the newest that can be read, as below.
            for (std::size_t i = keys.size(); i-- > 0 && !other;)
                if (auto last = run.probe(keys[i], routers[r].id)) {
                    other = onlySample(std::move(*last), sample);
                    last_step = keys[i].step;
                }
        }
        for (const store::ProbeKey& key : keys) {
            auto table = run.probe(key, routers[r].id);
            if (!table) {
                // Between the checkpoints at its sides there is no line.
                curve.x.push_back(static_cast<double>(key.step));
                curve.y.push_back(kMissing);
                if (churn) other.reset();
                unread.emplace(key.step, unreadProbe(key.step, table.error()));
                continue;
            }
            store::RoutingTable now = onlySample(std::move(*table), sample);
            if (other) {
                const RoutingChange change = compareRouting(now, *other);
                curve.x.push_back(static_cast<double>(key.step));
                curve.y.push_back(churn ? change.changed_first : change.overlap);
            }
            if (churn) other = std::move(now);
        }
        if (std::none_of(curve.y.begin(), curve.y.end(), [](double y) { return std::isfinite(y); })) continue;
        lines.curves.push_back(std::move(curve));
        const double chance = chanceOverlap(routers[r].experts, routers[r].k);
        if (!churn && std::find(chances.begin(), chances.end(), chance) == chances.end()) chances.push_back(chance);
    }
    if (lines.curves.empty())
        return jobFailed("No change between checkpoints", sample ? "the probes do not hold this sample" : "the probes hold no tokens of this router",
                         "Choose a probed sample of a sparse run", run.folder().string());
    for (const double chance : chances) lines.lines.push_back({chance, "chance: k / E"});
    panel.title = churn ? "Routing churn" : "Router saturation";
    panel.context = churn ? "against the checkpoint before" : fmt::format("overlap with step {}", grouped(last_step));
    panel.notes.push_back(fmt::format("{}, {}", plural(static_cast<std::int64_t>(keys.size()), "checkpoint"), sample ? "one sample" : "all probed samples"));
    for (const auto& [step, note] : unread) panel.notes.push_back(note);
    if (const std::string note = partialNote(run); !note.empty()) panel.notes.push_back(note);
    panel.content = std::move(lines);
    return panel;
}

Result<Panel> categoryByExpert(const store::RunReader& run, RouterId router, std::int64_t step, CategoryValue value) {
    auto table = probeTable(run, router, step);
    if (!table) return tl::unexpected(table.error());
    auto categories = categoryLabels(run, samplesOf(*table));
    if (!categories) return tl::unexpected(categories.error());
    const std::vector<std::int32_t> labels = categories->of(*table);
    std::vector<std::string> names = categories->names;
    names.push_back("blank patches");
    const auto rows = static_cast<std::int32_t>(names.size());
    const auto experts = static_cast<std::size_t>(table->router.experts);
    const std::vector<double> joint = labelByExpert(store::RoutingView(*table), labels, rows);
    std::vector<double> row_sum(names.size(), 0), column_sum(experts, 0);
    double total = 0;
    for (std::size_t l = 0; l < names.size(); ++l)
        for (std::size_t e = 0; e < experts; ++e) {
            row_sum[l] += joint[l * experts + e];
            column_sum[e] += joint[l * experts + e];
            total += joint[l * experts + e];
        }
    if (!(total > 0))
        return jobFailed("No categories to show", "none of the probed samples has a known category",
                         "Use data with categories (metadata.csv with a category column)", run.folder().string());
    const std::vector<double> pointwise = npmi(joint, rows, table->router.experts);
    HeatmapPanel map;
    map.x.title = "expert";
    map.x.categories = expertNames(table->router.experts);
    map.y.title = "category";
    map.columns = table->router.experts;
    map.column_is_expert = true;
    double largest = 0;
    for (std::size_t l = 0; l < names.size(); ++l) {
        if (!(row_sum[l] > 0)) continue;
        map.y.categories.push_back(fmt::format("{} ({})", names[l], grouped(std::llround(row_sum[l]))));
        map.row_group_start.push_back(l + 1 == names.size() && map.rows > 0);
        ++map.rows;
        for (std::size_t e = 0; e < experts; ++e) {
            const double share = joint[l * experts + e] / row_sum[l];
            double cell = share;
            if (value == CategoryValue::kLift) cell = column_sum[e] > 0 ? share / (column_sum[e] / total) : kMissing;
            if (value == CategoryValue::kNpmi) cell = pointwise[l * experts + e];
            if (cell > largest) largest = cell;
            map.values.push_back(cell);
        }
    }
    Panel panel;
    switch (value) {
        case CategoryValue::kShare:
            map.value_title = "share of the category's tokens";
            map.value_max = largest;
            break;
        case CategoryValue::kLift:
            map.value_title = "share ÷ share over all categories";
            map.value_max = 2;
            map.map = ColorMap::kDiverging;
            if (largest > 2) panel.notes.push_back(fmt::format("the scale ends at 2 x; the largest is {:.1f} x", largest));
            break;
        case CategoryValue::kNpmi:
            map.value_title = "nPMI";
            map.value_min = -1;
            map.map = ColorMap::kDiverging;
            break;
    }
    panel.title = fmt::format("Category by expert, layer {}", table->router.layer.value);
    panel.context = contextOf(*table);
    panel.notes.push_back("tokens in parentheses; masked tokens are left out; blank patches are a row of their own");
    panel.notes.push_back("a picture's patches are not independent: judge by the specialisation table with its baselines");
    panel.content = std::move(map);
    return panel;
}

Result<Panel> modalitySplitBars(const store::RunReader& run, RouterId router, std::int64_t step) {
    auto table = probeTable(run, router, step);
    if (!table) return tl::unexpected(table.error());
    const ModalitySplit split = modalitySplit(store::RoutingView(*table));
    const auto experts = static_cast<std::size_t>(split.experts);
    Panel panel;
    BarPanel bars;
    bars.x.title = "expert";
    bars.y.title = "p(expert | modality)";
    bars.y.min = 0;
    for (std::size_t m = 0; m < static_cast<std::size_t>(split.modalities); ++m) {
        if (!(split.base_M[m] > 0)) continue;
        const std::string modality(toString(static_cast<Modality>(m)));
        panel.notes.push_back(fmt::format("{}: {} of the assignments", modality, percent(split.base_M[m])));
        for (std::size_t e = 0; e < experts; ++e) {
            BarPanel::Bar bar;
            bar.label = fmt::format("{} {}", modality.substr(0, 1), e);
            bar.value = split.p_expert_given_modality_ME[m * experts + e];
            bar.color = {ColorRole::Kind::kModality, static_cast<std::int32_t>(m)};
            bars.bars.push_back(std::move(bar));
        }
    }
    if (bars.bars.empty()) return jobFailed("No modalities to show", "the probe does not say what its tokens are", "Choose another run", run.folder().string());
    panel.title = "Experts by modality";
    panel.context = contextOf(*table);
    panel.content = std::move(bars);
    return panel;
}

Result<Panel> coactivationMap(const store::RunReader& run, RouterId router, std::int64_t step, bool ordered) {
    auto table = probeTable(run, router, step);
    if (!table) return tl::unexpected(table.error());
    if (table->router.layout == store::RoutingLayout::kFixedK && table->router.k < 2)
        return jobFailed("No co-activation", "every token has one expert (k = 1), so no two are ever active together",
                         "Look at the flow between layers instead", run.folder().string());
    const Coactivation pairs = coactivation(store::RoutingView(*table));
    HeatmapPanel map;
    map.x.title = "with expert";
    map.y.title = "expert";
    map.columns = map.rows = pairs.experts;
    map.row_is_expert = map.column_is_expert = true;
    std::vector<std::int32_t> order(static_cast<std::size_t>(pairs.experts));
    std::iota(order.begin(), order.end(), 0);
    if (ordered) order = coactivationOrder(pairs);
    map.row_expert = map.column_expert = order;
    double largest = 0;
    for (const std::int32_t e : order) {
        map.x.categories.push_back(std::to_string(e));
        for (const std::int32_t j : order) {
            const double cell = e == j ? kMissing : pairs.conditional_EE[static_cast<std::size_t>(e * pairs.experts + j)];
            map.values.push_back(cell);
            if (e != j) largest = std::max(largest, cell);
        }
    }
    map.y.categories = map.x.categories;
    map.value_title = "share of the row's tokens";
    map.value_max = largest > 0 ? largest : 1;
    Panel panel;
    panel.title = "Co-activation";
    panel.context = contextOf(*table);
    panel.notes.push_back("N_ij / N_i over all pairs of a token's experts; the diagonal is left out");
    if (table->router.k > 0 && table->router.experts > 1)
        panel.notes.push_back(fmt::format("even and unrelated: {}", fixed(static_cast<double>(table->router.k - 1) / (table->router.experts - 1), 3)));
    if (ordered) panel.notes.push_back("ordered by clustering (average linkage)");
    panel.content = std::move(map);
    return panel;
}

Result<Panel> flowMap(const store::RunReader& run, RouterId from, RouterId to, std::int64_t step) {
    auto a = probeTable(run, from, step);
    if (!a) return tl::unexpected(a.error());
    auto b = probeTable(run, to, step);
    if (!b) return tl::unexpected(b.error());
    const Flow counts = flow(*a, *b);
    if (counts.tokens == 0)
        return jobFailed("No flow between these routers", "they share no tokens", "Choose two routers of the same branch", run.folder().string());
    HeatmapPanel map;
    map.y.title = fmt::format("expert in {}", routerWords(a->router));
    map.x.title = fmt::format("expert in {}", routerWords(b->router));
    map.y.categories = expertNames(counts.from_experts);
    map.x.categories = expertNames(counts.to_experts);
    map.rows = counts.from_experts;
    map.columns = counts.to_experts;
    map.row_is_expert = map.column_is_expert = true;
    map.value_title = "share of the row's pairs";
    map.values.assign(counts.count_EE.size(), kMissing);
    for (std::int32_t r = 0; r < map.rows; ++r) {
        double sum = 0;
        const auto at = static_cast<std::size_t>(r * map.columns);
        for (std::size_t c = 0; c < static_cast<std::size_t>(map.columns); ++c) sum += counts.count_EE[at + c];
        for (std::size_t c = 0; c < static_cast<std::size_t>(map.columns) && sum > 0; ++c) map.values[at + c] = counts.count_EE[at + c] / sum;
    }
    Panel panel;
    panel.title = "Flow between layers";
    panel.context = fmt::format("{} · step {}", plural(counts.tokens, "token"), grouped(a->step));
    panel.content = std::move(map);
    return panel;
}

Result<Panel> specialisationTable(const store::RunReader& run, std::int64_t step, const JobContext& context) {
    auto rows = specialisation(run, step, {}, context);
    if (!rows) return tl::unexpected(rows.error());
    if (rows->empty())
        return jobFailed("No specialisation to show", "the run has no routers with labelled tokens", "Choose a sparse run", run.folder().string());
    return specialisationPanel(*rows);
}

Result<Panel> specialisationBars(const store::RunReader& run, RouterId router, std::int64_t step, const JobContext& context) {
    SpecialisationOptions options;
    options.labels = {LabelKind::kCategory, LabelKind::kTokenId};
    auto rows = specialisation(run, step, options, context);
    if (!rows) return tl::unexpected(rows.error());
    Panel panel;
    BarPanel bars;
    bars.y.title = "normalised mutual information";
    bars.y.min = 0;
    for (const Specialisation& row : *rows) {
        if (router.valid() && row.router.id != router) continue;
        const bool both = std::count_if(rows->begin(), rows->end(), [&](const Specialisation& other) { return other.router.id == row.router.id; }) > 1;
        const std::string kind = row.label == LabelKind::kCategory ? "category" : "token id";
        const std::string name = routerLabel(row.router) + (both ? " " + kind : "");
        if (const std::string note = std::string(row.label == LabelKind::kCategory ? "patches: the category of their picture" : "words: their token id");
            std::find(panel.notes.begin(), panel.notes.end(), note) == panel.notes.end())
            panel.notes.push_back(note);
        const auto add = [&](const std::string& what, double value, double high, bool emphasised) {
            BarPanel::Bar bar;
            bar.label = name + " " + what;
            bar.value = value;
            bar.color = emphasised ? ColorRole{ColorRole::Kind::kAccent, 0} : ColorRole{ColorRole::Kind::kMuted, 0};
            bar.emphasised = emphasised;
            if (std::isfinite(high)) {
                bar.low = value;
                bar.high = high;
            }
            bars.bars.push_back(std::move(bar));
        };
        add("trained", row.nmi, kMissing, true);
        if (row.random_router.available()) add("random router", row.random_router.nmi_mean, row.random_router.nmi_max, false);
        if (row.untrained.available()) add("untrained", row.untrained.nmi_max, kMissing, false);
        if (row.permutation.available()) add("permutation", row.permutation.nmi_mean, row.permutation.nmi_max, false);
        for (const auto* baseline : {&row.random_router, &row.untrained, &row.permutation})
            if (!baseline->available()) panel.notes.push_back(name + ": " + baseline->missing);
    }
    if (bars.bars.empty()) return jobFailed("No specialisation to show", "this router has no labelled tokens", "Choose another router", run.folder().string());
    panel.title = "Specialisation";
    panel.context = fmt::format("step {}", grouped(rows->front().step));
    panel.notes.push_back("whiskers: largest of the random routers; 97.5 % of the permutations");
    panel.content = std::move(bars);
    return panel;
}

}  // namespace es::analysis
