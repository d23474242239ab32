// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/compare_panels.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/compare/checks.h"
#include "analysis/compare/loss_difference.h"
#include "analysis/figures/series.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/moments.h"

namespace es::analysis {
namespace {

std::string lossWords(std::string loss) {
    std::replace(loss.begin(), loss.end(), '_', ' ');
    return loss;
}

std::string costText(double value) {
    if (!std::isfinite(value)) return "not recorded";
    return std::abs(value) >= 10000 ? abbreviated(value) : number(value, 4);
}

/// The unit goes with the name, so that columns of values stay narrow; a name that says it needs none.
std::string costName(const CostRow& row) {
    const bool said = row.unit.empty() || row.unit == "1/s" || row.name.find(row.unit) != std::string::npos;
    return said ? row.name : row.name + " (" + row.unit + ")";
}

constexpr std::size_t kLongName = 24;  // letters; two longer names do not fit on an axis

bool areLong(const std::string& a, const std::string& b) { return std::max(a.size(), b.size()) > kLongName; }

/// Names of baseline and candidate for an axis; by their parts in the comparison where they are long.
std::pair<std::string, std::string> sides(const Comparison& comparison) {
    if (areLong(comparison.baseline_name, comparison.candidate_name)) return {"baseline", "comparison"};
    return {comparison.baseline_name, comparison.candidate_name};
}

void addNotes(const Comparison& comparison, Panel& panel) {
    if (areLong(comparison.baseline_name, comparison.candidate_name))
        panel.notes.push_back(fmt::format("baseline: {}; comparison: {}", comparison.baseline_name, comparison.candidate_name));
    panel.notes.insert(panel.notes.end(), comparison.notes.begin(), comparison.notes.end());
    for (const ComparabilityCheck& check : comparison.checks)
        if (!check.ok) panel.notes.push_back(check.words);
}

}  // namespace

Panel comparisonCurves(const Comparison& comparison) {
    Panel panel;
    LinePanel lines;
    lines.x.title = axisTitle(comparison.axis);
    lines.y.title = "held-out loss";
    const auto add = [&](const GroupCurve& group) {
        Curve curve;
        curve.label = group.name;
        curve.color = {ColorRole::Kind::kRun, group.color};
        curve.x = group.x;
        curve.y = group.mean;
        curve.low = group.low;
        curve.high = group.high;
        curve.points = group.x.size() == 1;
        curve.series = group.name + "/eval/loss/total";
        lines.curves.push_back(std::move(curve));
    };
    add(comparison.baseline_curve);
    add(comparison.candidate_curve);
    for (const ReachRatio& reach : comparison.reach)
        if (reach.axis == comparison.axis && std::isfinite(reach.target_loss))
            lines.lines.push_back({reach.target_loss, reach.ratio ? reach.words : comparison.baseline_name + "'s end: not reached"});
    const std::size_t seeds_a = comparison.baseline_curve.runs.size(), seeds_b = comparison.candidate_curve.runs.size();
    if (std::max(seeds_a, seeds_b) < 2) panel.notes.push_back("1 seed a side: no band");
    else
        panel.notes.push_back(
            fmt::format("{} against {} seeds; band: {}", seeds_a, seeds_b, std::min(seeds_a, seeds_b) >= 3 ? "mean and one sd" : "smallest and largest"));
    panel.title = "Held-out loss";
    panel.context = fmt::format("x: {}", toString(comparison.axis));
    addNotes(comparison, panel);
    panel.content = std::move(lines);
    return panel;
}

Panel computeToReach(const Comparison& comparison) {
    Panel panel;
    LinePanel lines;
    lines.x.title = "held-out loss reached";
    lines.y.title = fmt::format("cost of {} ÷ cost of {}", sides(comparison).first, sides(comparison).second);
    std::int32_t series = 0;
    for (const ReachCurve& reach : comparison.reach_curves) {
        Curve curve;
        curve.label = fmt::format("in {}", toString(reach.axis));
        std::replace(curve.label.begin(), curve.label.end(), '-', ' ');
        curve.color = {ColorRole::Kind::kSeries, series++};
        curve.x = reach.loss;
        curve.y = reach.ratio;
        if (std::any_of(reach.low.begin(), reach.low.end(), [](double v) { return std::isfinite(v); })) {
            curve.low = reach.low;
            curve.high = reach.high;
        }
        curve.series = std::string(toString(reach.axis)) + "/cost_ratio";
        // From the losses of the start to those of the end, as training goes: the axis runs backwards.
        for (const double loss : reach.loss) {
            if (!std::isfinite(loss)) continue;
            lines.x.min = std::max(lines.x.min.value_or(loss), loss);
            lines.x.max = std::min(lines.x.max.value_or(loss), loss);
        }
        lines.curves.push_back(std::move(curve));
    }
    lines.lines.push_back({1, "equal cost"});
    if (lines.curves.empty()) panel.notes.push_back("the two curves share no range of losses on any recorded axis");
    for (const ReachRatio& reach : comparison.reach)
        if (!reach.ratio) {
            panel.notes.push_back(
                fmt::format("{} does not reach the final loss of {} in {}", comparison.candidate_name, comparison.baseline_name, toString(reach.axis)));
            break;
        }
    panel.title = "Compute to reach the same loss";
    panel.context = "above 1: cheaper";
    addNotes(comparison, panel);
    panel.content = std::move(lines);
    return panel;
}

Panel lossForest(const Comparison& comparison) {
    Panel panel;
    ForestPanel forest;
    forest.x.title = fmt::format("{} minus {} (held-out loss)", sides(comparison).second, sides(comparison).first);
    for (const LossDifference& difference : comparison.losses) {
        ForestPanel::Row row{lossWords(difference.loss),
                             difference.mean,
                             difference.low,
                             difference.high,
                             difference.n,
                             {ColorRole::Kind::kRun, comparison.candidate_curve.color}};
        if (!std::isfinite(row.low)) panel.notes.push_back(fmt::format("{}: no interval, {}", row.label, difference.over));
        forest.rows.push_back(std::move(row));
    }
    panel.title = "Difference in held-out loss";
    panel.context = comparison.losses.empty() ? "" : fmt::format("{} interval {}", percent(comparison.confidence, 0), comparison.losses.front().over);
    panel.notes.push_back("negative: the candidate is better; intervals are not corrected for several losses");
    addNotes(comparison, panel);
    panel.content = std::move(forest);
    return panel;
}

Panel categoryForest(const Comparison& comparison) {
    Panel panel;
    ForestPanel forest;
    forest.x.title = fmt::format("{} minus {} (held-out loss)", sides(comparison).second, sides(comparison).first);
    for (const CategoryDifference& category : comparison.categories)
        forest.rows.push_back(
            {category.category, category.mean, category.low, category.high, category.samples, {ColorRole::Kind::kRun, comparison.candidate_curve.color}});
    if (forest.rows.empty()) panel.notes.push_back("no held-out sample has both a recorded category and per-sample losses on both sides");
    panel.title = "Gain by category";
    panel.context = fmt::format("loss difference, {} interval over samples", percent(comparison.confidence, 0));
    panel.notes.push_back(fmt::format("{}, intervals not corrected for that many comparisons", plural(static_cast<std::int64_t>(forest.rows.size()), "row")));
    addNotes(comparison, panel);
    panel.content = std::move(forest);
    return panel;
}

Panel costTable(const Comparison& comparison) {
    Panel panel;
    TablePanel table;
    table.columns = {"", comparison.baseline_name, comparison.candidate_name, "ratio"};
    table.right_aligned = {0, 1, 1, 1};
    for (const CostRow& row : comparison.cost)
        table.rows.push_back({costName(row), costText(row.baseline), costText(row.candidate), row.baseline != 0 ? number(row.candidate / row.baseline) : "–"});
    panel.title = "Cost";
    panel.context = "means over runs";
    panel.notes.push_back("step time and samples per second: medians after the first tenth of the run; time is training steps only");
    panel.content = std::move(table);
    return panel;
}

Panel configurationTable(const Comparison& comparison) {
    Panel panel;
    TablePanel table;
    table.columns = {"key", comparison.baseline_name, comparison.candidate_name};
    table.right_aligned = {0, 0, 0};
    for (const config::ConfigDifference& difference : comparison.configuration) table.rows.push_back({difference.key, difference.a, difference.b});
    if (table.rows.empty()) panel.notes.push_back("the configurations are equal");
    panel.title = "What differs in the configurations";
    panel.context = "first run of each side";
    panel.content = std::move(table);
    return panel;
}

Panel comparabilityTable(const Comparison& comparison) {
    Panel panel;
    TablePanel table;
    table.columns = {"", "check"};
    table.right_aligned = {0, 0};
    for (const ComparabilityCheck& check : comparison.checks) table.rows.push_back({check.ok ? "ok" : "mind", check.words});
    panel.title = "Verdict";
    panel.notes.push_back(comparison.verdict);
    panel.content = std::move(table);
    return panel;
}

Result<Panel> speedAgainstQuality(std::span<const RunGroup> groups) {
    Panel panel;
    LinePanel lines;
    lines.x.title = "samples per second";
    lines.y.title = "held-out loss (end)";
    for (const RunGroup& group : groups) {
        if (group.runs.empty()) continue;
        auto losses = finalLossBySeed(group, "total");
        if (!losses) return tl::unexpected(losses.error());
        auto cost = costRows(Baseline<RunGroup>(group), Candidate<RunGroup>(group));
        if (!cost) return tl::unexpected(cost.error());
        const auto speed = std::find_if(cost->begin(), cost->end(), [](const CostRow& row) { return row.name.rfind("samples per second", 0) == 0; });
        std::vector<double> values;
        for (const auto& [seed, loss] : *losses) values.push_back(loss);
        if (values.empty() || speed == cost->end()) {
            panel.notes.push_back(fmt::format("{} is left out: no held-out loss or no throughput", group.name));
            continue;
        }
        const Moments m = moments(values);
        Curve curve;
        curve.label = group.name.empty() ? labelOf(group.runs.front()) : group.name;
        curve.color = {ColorRole::Kind::kRun, group.color};
        curve.points = true;
        curve.x = {speed->candidate};
        curve.y = {m.mean};
        if (m.n >= 2) {
            curve.low = {m.mean - m.sdSample()};
            curve.high = {m.mean + m.sdSample()};
        }
        curve.series = curve.label;
        lines.curves.push_back(std::move(curve));
    }
    if (lines.curves.empty())
        return jobFailed("Nothing to draw", "no group has both a held-out loss and throughput", "Choose runs that have been evaluated", {});
    panel.title = "Speed against quality";
    panel.context = "each point a configuration, bars ± sd over seeds";
    constexpr std::size_t kManyPoints = 10;
    if (lines.curves.size() > kManyPoints) panel.notes.emplace_back("names without room are left out: the data of the panel has them all");
    panel.content = std::move(lines);
    return panel;
}

Result<Panel> resultsTable(std::span<const RunGroup> groups) {
    TablePanel table;
    table.columns = {"configuration", "seeds", "loss"};
    // Objectives that no run has learnt have no column.
    std::vector<std::string> losses = {"total"};
    for (int o = 0; o < kObjectiveCount; ++o) {
        const std::string name(toString(static_cast<Objective>(o)));
        bool known = o < kMaskedObjectiveCount;
        for (const RunGroup& group : groups) {
            if (known) break;
            auto by_seed = finalLossBySeed(group, name);
            if (!by_seed) return tl::unexpected(by_seed.error());
            known = !by_seed->empty();
        }
        if (known) losses.push_back(name);
    }
    table.columns.resize(2);
    for (const std::string& loss : losses) table.columns.push_back(lossWords(loss));
    table.right_aligned.assign(table.columns.size(), 1);
    table.right_aligned[0] = 0;
    std::vector<std::pair<double, std::vector<std::string>>> rows;
    for (const RunGroup& group : groups) {
        if (group.runs.empty()) continue;
        std::vector<std::string> cells = {group.name.empty() ? labelOf(group.runs.front()) : group.name, std::to_string(group.runs.size())};
        double order = kMissing;
        for (const std::string& loss : losses) {
            auto by_seed = finalLossBySeed(group, loss);
            if (!by_seed) return tl::unexpected(by_seed.error());
            std::vector<double> values;
            for (const auto& [seed, value] : *by_seed) values.push_back(value);
            const Moments m = moments(values);
            if (loss == "total") order = m.mean;
            cells.push_back(m.n >= 2 ? fmt::format("{} ± {}", fixed(m.mean, 4), fixed(m.sdSample(), 4)) : fixed(m.mean, 4));
        }
        rows.emplace_back(std::isfinite(order) ? order : 1e300, std::move(cells));
    }
    if (rows.empty()) return wrongCall("Nothing to show", "no run is chosen", "Choose at least one run");
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [order, cells] : rows) table.rows.push_back(std::move(cells));
    Panel panel;
    panel.title = "Held-out losses";
    panel.context = "mean ± sd over seeds, best first";
    panel.content = std::move(table);
    return panel;
}

}  // namespace es::analysis
