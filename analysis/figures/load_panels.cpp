// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "analysis/figures/series.h"
#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/smoothing.h"

namespace es::analysis {
namespace {

tl::unexpected<Error> noRouters(const store::RunReader& run, const std::string& what) {
    return jobFailed("No " + what, run.routers().empty() ? "this model is dense: it has no routers" : "the run has not recorded any load yet",
                     run.routers().empty() ? "Choose a sparse run" : "It fills with the first training step", run.folder().string());
}

std::vector<Modality> modalitiesOf(const store::RouterInfo& router) {
    if (router.branch == Branch::kVision) return {Modality::kVision, Modality::kUnknown};
    if (router.branch == Branch::kText) return {Modality::kText, Modality::kUnknown};
    return {Modality::kVision, Modality::kText, Modality::kUnknown};
}

/// The histories of a router by modality, those without records left out.
Result<std::vector<store::LoadHistory>> histories(const store::RunReader& run, const store::RouterInfo& router, std::int64_t max_columns) {
    std::vector<store::LoadHistory> result;
    for (const Modality modality : modalitiesOf(router)) {
        if (modality == Modality::kUnknown && !result.empty()) continue;
        auto history = run.loadHistory(router.id, modality, max_columns);
        if (!history) return tl::unexpected(history.error());
        history->modality = modality;
        if (!history->step.empty()) result.push_back(std::move(*history));
    }
    return result;
}

Curve curveOf(const std::vector<double>& step, const std::vector<float>& values, double smoothing, double factor = 1) {
    Curve curve;
    curve.x = step;
    std::vector<double> raw;
    for (const float value : values) raw.push_back(std::isfinite(value) ? value * factor : kMissing);
    if (smoothing > 0) {
        curve.y = smoothed(raw, std::min(smoothing, 0.99));
        curve.raw_x = step;
        curve.raw_y = std::move(raw);
    } else {
        curve.y = std::move(raw);
    }
    return curve;
}

void noteReduction(std::int64_t steps, std::size_t columns, Panel& panel) {
    if (steps <= static_cast<std::int64_t>(columns)) return;
    const std::string note = fmt::format("{} shown as {} means", plural(steps, "step"), columns);
    if (std::find(panel.notes.begin(), panel.notes.end(), note) == panel.notes.end()) panel.notes.push_back(note);
}

}  // namespace

Result<Panel> loadHeatmap(const store::RunReader& run, RouterId router_id, Modality modality, std::int64_t max_columns) {
    const std::vector<store::RouterInfo> routers = run.routers();
    const auto found = std::find_if(routers.begin(), routers.end(), [&](const store::RouterInfo& r) { return r.id == router_id; });
    if (found == routers.end()) return noRouters(run, "expert load");
    const store::RouterInfo& router = *found;
    auto read = run.loadHistory(router.id, modality, max_columns);
    if (!read) return tl::unexpected(read.error());
    const store::LoadHistory& history = *read;
    if (history.step.empty()) return noRouters(run, "expert load");
    const auto experts = static_cast<std::size_t>(router.experts);
    const std::size_t columns = history.step.size();
    HeatmapPanel map;
    map.x.title = "step";
    map.y.title = "expert";
    for (std::size_t e = 0; e < experts; ++e) map.y.categories.push_back(std::to_string(e));
    map.columns = static_cast<std::int32_t>(columns);
    map.rows = router.experts;
    map.x_values = history.step;
    map.value_title = "share ÷ even share";
    map.value_min = 0;
    map.value_max = 2;
    map.row_is_expert = true;
    double largest = 0;
    map.values.reserve(history.share_ES.size());
    for (const float share : history.share_ES) {
        const double value = std::isfinite(share) ? static_cast<double>(share) * static_cast<double>(experts) : kMissing;
        if (value > largest) largest = value;
        map.values.push_back(value);
    }
    Panel panel;
    panel.title = fmt::format("Expert load · layer {} · {}-router", router.layer.value, branchLetter(router.branch));
    panel.context = "expert x step · share ÷ even share";
    noteReduction(history.steps, columns, panel);
    if (largest > map.value_max) panel.notes.push_back(fmt::format("the scale ends at 2 x; the largest load is {:.1f} x the even share", largest));
    if (const std::string note = partialNote(run); !note.empty()) panel.notes.push_back(note);
    panel.content = std::move(map);
    return panel;
}

Result<Panel> maxVioByLayer(const store::RunReader& run, double smoothing, std::int64_t max_points) {
    Panel panel;
    LinePanel lines;
    lines.x.title = "step";
    lines.y.title = "MaxVio";
    lines.y.min = 0;
    std::vector<std::int32_t> layers;
    for (const store::RouterInfo& router : run.routers())
        if (std::find(layers.begin(), layers.end(), router.layer.value) == layers.end()) layers.push_back(router.layer.value);
    std::sort(layers.begin(), layers.end());
    for (const store::RouterInfo& router : run.routers()) {
        auto all = histories(run, router, max_points);
        if (!all) return tl::unexpected(all.error());
        for (const store::LoadHistory& history : *all) {
            Curve curve = curveOf(history.step, history.max_vio, smoothing);
            curve.label = routerLabel(router) + (all->size() > 1 ? fmt::format(" · {}", toString(history.modality)) : "");
            curve.color = {ColorRole::Kind::kSeries, static_cast<std::int32_t>(std::find(layers.begin(), layers.end(), router.layer.value) - layers.begin())};
            curve.style = router.branch == Branch::kText || history.modality == Modality::kText ? LineStyle::kDashed : LineStyle::kSolid;
            curve.series = fmt::format("{}/max_vio", routerName(router));
            noteReduction(history.steps, history.step.size(), panel);
            lines.curves.push_back(std::move(curve));
        }
    }
    if (lines.curves.empty()) return noRouters(run, "load imbalance");
    lines.lines.push_back({1, "2 x even share"});
    panel.title = "Load imbalance (MaxVio) by layer";
    panel.context = "solid V · dashed T";
    if (const std::string note = partialNote(run); !note.empty()) panel.notes.push_back(note);
    panel.content = std::move(lines);
    return panel;
}

Result<Panel> entropyAndDrops(const store::RunReader& run, RouterId only, double smoothing, std::int64_t max_points) {
    struct Sum {
        std::map<double, std::pair<double, int>> entropy, dropped;
        std::int64_t steps = 0;
        std::size_t routers = 0;
    };
    std::map<Modality, Sum> sums;
    std::vector<std::int32_t> experts;
    std::optional<store::RouterInfo> one;
    for (const store::RouterInfo& router : run.routers()) {
        if (only.valid() && router.id != only) continue;
        one = router;
        auto all = histories(run, router, max_points);
        if (!all) return tl::unexpected(all.error());
        for (const store::LoadHistory& history : *all) {
            Sum& sum = sums[history.modality];
            ++sum.routers;
            sum.steps = std::max(sum.steps, history.steps);
            for (std::size_t i = 0; i < history.step.size(); ++i) {
                if (i < history.entropy_nats.size() && std::isfinite(history.entropy_nats[i])) {
                    auto& [total, n] = sum.entropy[history.step[i]];
                    total += history.entropy_nats[i];
                    ++n;
                }
                if (i < history.dropped_share.size() && std::isfinite(history.dropped_share[i])) {
                    auto& [total, n] = sum.dropped[history.step[i]];
                    total += history.dropped_share[i];
                    ++n;
                }
            }
            if (std::find(experts.begin(), experts.end(), router.experts) == experts.end()) experts.push_back(router.experts);
        }
    }
    if (sums.empty()) return noRouters(run, "router entropy");
    Panel panel;
    LinePanel lines;
    lines.x.title = "step";
    lines.y.min = 0;
    bool any_dropped = false;
    for (const auto& [modality, sum] : sums) {
        const ColorRole color{ColorRole::Kind::kModality, modality == Modality::kText ? 1 : 0};
        const auto add = [&](const std::map<double, std::pair<double, int>>& values, const std::string& name, LineStyle style, double factor) {
            std::vector<double> step;
            std::vector<float> mean;
            for (const auto& [at, total] : values) {
                step.push_back(at);
                mean.push_back(static_cast<float>(total.first / total.second));
            }
            Curve curve = curveOf(step, mean, smoothing, factor);
            curve.label = name;
            curve.color = color;
            curve.style = style;
            curve.series = fmt::format("{}/{}", toString(modality), style == LineStyle::kDotted ? "dropped_percent" : "entropy_nats");
            noteReduction(sum.steps, step.size(), panel);
            lines.curves.push_back(std::move(curve));
        };
        add(sum.entropy, std::string(toString(modality)), LineStyle::kSolid, 1);
        if (std::any_of(sum.dropped.begin(), sum.dropped.end(), [](const auto& value) { return value.second.first > 0; })) {
            any_dropped = true;
            add(sum.dropped, fmt::format("{} dropped (%)", toString(modality)), LineStyle::kDotted, 100);
        }
        if (sum.routers > 1) panel.notes.push_back(fmt::format("{}: mean over {} routers", toString(modality), sum.routers));
    }
    for (const std::int32_t e : experts) lines.lines.push_back({std::log(static_cast<double>(e)), fmt::format("uniform: ln {}", e)});
    // Room for the word above the line: entropy cannot exceed it.
    const std::int32_t most = *std::max_element(experts.begin(), experts.end());
    if (!any_dropped && most > 1) lines.y.max = 1.25 * std::log(static_cast<double>(most));
    lines.y.title = any_dropped ? "entropy (nats) · dropped (%)" : "entropy (nats)";
    if (!any_dropped) panel.notes.push_back("no assignment was dropped");
    panel.title = "Router entropy and dropped tokens";
    panel.context = only.valid() && one ? routerWords(*one) : "by modality";
    if (const std::string note = partialNote(run); !note.empty()) panel.notes.push_back(note);
    panel.content = std::move(lines);
    return panel;
}

}  // namespace es::analysis
