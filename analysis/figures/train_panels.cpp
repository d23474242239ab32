// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/train_panels.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "analysis/figures/series.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/spikes.h"

namespace es::analysis {
namespace {

constexpr std::int64_t kSpikeWindow = 128;
constexpr double kSpikeSigmas = 6;

/// Spikes of every recorded value of a scalar, whatever the curve was reduced to.
Result<std::vector<double>> spikeSteps(const store::RunReader& run, const std::string& metric) {
    auto series = run.scalars(metric);
    if (!series) return tl::unexpected(series.error());
    const std::vector<std::uint8_t> flags = spikeFlags(series->value, kSpikeWindow, kSpikeSigmas);
    std::vector<double> steps;
    for (std::size_t i = 0; i < flags.size(); ++i)
        if (flags[i]) steps.push_back(series->step[i]);
    return steps;
}

/// Spikes in a row are one mark.
Status markSpikes(const store::RunReader& run, const std::string& metric, const AxisMap& axis, LinePanel& panel) {
    auto steps = spikeSteps(run, metric);
    if (!steps) return tl::unexpected(steps.error());
    double last = -1e300;
    for (const double step : *steps) {
        if (step > last + 1)
            panel.markers.push_back({axis(step), fmt::format("spike at step {}", grouped(static_cast<std::int64_t>(step))), {ColorRole::Kind::kBad, 0}});
        last = step;
    }
    return {};
}

void markEvents(const store::RunReader& run, const AxisMap& axis, LinePanel& panel) {
    for (const store::Event& event : run.events()) {
        if (event.kind == "run_resumed") panel.markers.push_back({axis(static_cast<double>(event.step)), "resumed", {ColorRole::Kind::kMuted, 0}});
        if (event.kind == "non_finite") panel.markers.push_back({axis(static_cast<double>(event.step)), "not finite", {ColorRole::Kind::kBad, 0}});
    }
}

/// The trivial predictor's held-out loss of the same objective, once for all runs on the same data.
Status addTrivialLine(const store::RunReader& run, const std::string& metric, LinePanel& panel) {
    const auto at = metric.find("/loss/");
    if (at == std::string::npos) return {};
    auto series = run.scalars("eval/trivial/" + metric.substr(at + 6));
    if (!series) return tl::unexpected(series.error());
    if (series->value.empty() || !std::isfinite(series->value.back())) return {};
    const double loss = series->value.back();
    const auto known =
        std::find_if(panel.lines.begin(), panel.lines.end(), [loss](const YLine& line) { return std::abs(line.y - loss) <= 1e-6 * std::abs(loss); });
    if (known == panel.lines.end()) panel.lines.push_back({loss, "trivial predictor"});
    return {};
}

std::string contextOf(const CurveOptions& options) {
    std::string context = options.smoothing > 0 ? fmt::format("smoothing {:.2g} (raw kept)", options.smoothing) : "raw";
    if (options.y_scale == Scale::kLog) context += " · log y";
    return context + fmt::format(" · x: {}", toString(options.x));
}

}  // namespace

std::string readableName(std::string_view scalar) {
    static constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
        {"train/loss", "training loss"},
        {"train/loss/total", "training loss"},
        {"eval/loss", "held-out loss"},
        {"eval/loss/total", "held-out loss"},
        {"time/step_ms", "step (ms)"},
        {"throughput/samples_per_s", "samples per second"},
        {"throughput/tokens_per_s", "tokens per second"},
    };
    for (const auto& [name, words] : kKnown)
        if (scalar == name) return std::string(words);
    std::string text(scalar);
    const auto replaceStart = [&](std::string_view start, std::string_view with) {
        if (text.rfind(start, 0) == 0) text.replace(0, start.size(), with);
    };
    replaceStart("train/loss/", "training loss, ");
    replaceStart("eval/loss/", "held-out loss, ");
    replaceStart("grad_norm/", "gradient norm, ");
    static constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
        {"_nats", " (nats)"}, {"_ms", " (ms)"}, {"_mb", " (MB)"}, {"_per_s", " per second"}, {"_s", " (s)"}};
    for (const auto& [ending, unit] : kUnits)
        if (text.size() > ending.size() && text.ends_with(ending)) {
            text.replace(text.size() - ending.size(), ending.size(), unit);
            break;
        }
    std::replace(text.begin(), text.end(), '_', ' ');
    std::replace(text.begin(), text.end(), '/', ' ');
    return text;
}

std::string routerName(const store::RouterInfo& router) { return fmt::format("{}.{}", router.layer.value, toString(router.branch)); }

Result<store::RouterInfo> routerFromName(const store::RunReader& run, std::string_view name) {
    const std::vector<store::RouterInfo> routers = run.routers();
    std::int32_t id = -1;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), id);
    const bool plain = problem == std::errc() && end == name.data() + name.size();
    std::string known;
    for (const store::RouterInfo& router : routers) {
        if (routerName(router) == name || "l" + routerName(router) == name || (plain && router.id.value == id)) return router;
        known += (known.empty() ? "" : ", ") + routerName(router);
    }
    return badInput(fmt::format("There is no router '{}'", name), routers.empty() ? "the run has no routers (a dense model)" : "the run's routers are " + known,
                    routers.empty() ? "Choose a sparse run" : "Name one of them", run.folder().string());
}

Result<Panel> scalarCurves(std::span<const RunSource> runs, const CurveOptions& options) {
    Panel panel;
    LinePanel lines;
    lines.x.title = axisTitle(options.x);
    lines.y.scale = options.y_scale;
    lines.y.title = options.metrics.size() == 1 ? readableName(options.metrics.front()) : "value";
    std::string missing;
    static constexpr LineStyle kStyles[] = {LineStyle::kSolid, LineStyle::kDashed, LineStyle::kDotted};
    for (const RunSource& source : runs) {
        const store::RunReader& run = *source.run;
        auto axis = AxisMap::make(run, options.x);
        if (!axis) {
            if (runs.size() == 1) return tl::unexpected(axis.error());
            panel.notes.push_back(fmt::format("{} is left out: {}", labelOf(source), axis.error().why));
            continue;
        }
        for (std::size_t m = 0; m < options.metrics.size(); ++m) {
            const std::string& metric = options.metrics[m];
            const bool held_out = metric.rfind("eval/", 0) == 0;
            const double smoothing = held_out ? 0 : std::clamp(options.smoothing, 0.0, 0.99);
            auto curve = scalarCurve(run, {metric, smoothing, options.max_points, options.first_step, options.last_step}, *axis, panel.notes);
            if (!curve) return tl::unexpected(curve.error());
            const bool several = runs.size() > 1;
            // One metric of one run has the run's colour too: it is the same curve when a second run joins it.
            const ColorRole color = several || options.metrics.size() == 1 ? ColorRole{ColorRole::Kind::kRun, source.color}
                                                                           : ColorRole{ColorRole::Kind::kSeries, static_cast<std::int32_t>(m)};
            const std::string name = !several && options.metrics.size() > 1 ? readableName(metric)
                                     : options.metrics.size() > 1           ? labelOf(source) + " · " + readableName(metric)
                                                                            : labelOf(source);
            if (curve->x.empty()) {
                missing += (missing.empty() ? "" : ", ") + fmt::format("{} ({})", metric, labelOf(source));
            } else {
                curve->label = name;
                curve->color = color;
                curve->style = several ? kStyles[m % 3] : LineStyle::kSolid;
                curve->series = labelOf(source) + "/" + metric;
                lines.curves.push_back(std::move(*curve));
            }
            if (const std::string evaluated = options.evaluations ? heldOutName(run, metric) : std::string(); !evaluated.empty()) {
                auto points = scalarCurve(run, {evaluated, 0, options.max_points, options.first_step, options.last_step}, *axis, panel.notes);
                if (!points) return tl::unexpected(points.error());
                if (!points->x.empty()) {
                    points->label = name + " (held out)";
                    points->color = color;
                    points->points = true;
                    points->series = labelOf(source) + "/" + evaluated;
                    lines.curves.push_back(std::move(*points));
                }
            }
            if (options.evaluations)
                if (auto added = addTrivialLine(run, metric, lines); !added) return tl::unexpected(added.error());
            if (options.mark_spikes)
                if (auto marked = markSpikes(run, metric, *axis, lines); !marked) return tl::unexpected(marked.error());
        }
        if (options.mark_events) markEvents(run, *axis, lines);
        if (const std::string note = partialNote(run); !note.empty()) panel.notes.push_back(note);
    }
    if (lines.curves.empty())
        return jobFailed("There is nothing to draw yet", missing.empty() ? "no run is chosen" : "not recorded: " + missing,
                         "It fills as soon as the run records its first steps", runs.empty() ? std::string() : runs.front().run->folder().string());
    if (!missing.empty()) panel.notes.push_back("not recorded: " + missing);
    panel.title = options.metrics.size() == 1 ? readableName(options.metrics.front()) : "Scalars";
    panel.context = contextOf(options);
    panel.content = std::move(lines);
    return panel;
}

Result<Panel> lossCurves(std::span<const RunSource> runs, const CurveOptions& options) {
    auto panel = scalarCurves(runs, options);
    if (!panel) return panel;
    const auto isLoss = [](const std::string& metric) { return metric == "train/loss" || metric.find("/loss/") != std::string::npos; };
    if (!std::ranges::all_of(options.metrics, isLoss)) return panel;  // it says itself what it is
    panel->title = "Loss";
    if (const auto at = options.metrics.size() == 1 ? options.metrics.front().find("/loss/") : std::string::npos; at != std::string::npos) {
        std::string objective = options.metrics.front().substr(at + 6);
        std::replace(objective.begin(), objective.end(), '_', ' ');
        panel->title += " · " + objective;
    }
    auto& lines = std::get<LinePanel>(panel->content);
    lines.y.title = options.metrics.size() == 1 && options.metrics.front().ends_with("text") ? "loss (nats)" : "loss";
    return panel;
}

Result<Panel> gradientNorms(const store::RunReader& run, double smoothing, std::int64_t max_points) {
    Panel panel;
    LinePanel lines;
    lines.x.title = "step";
    lines.y.title = "gradient norm";
    lines.y.scale = Scale::kLog;  // a spike is many times the usual norm, which would be flat beside it
    const AxisMap steps;
    std::vector<std::string> names;
    // Those of single experts are too many for one panel; they are curves of their own.
    for (const std::string& name : run.scalarNames())
        if (name.starts_with("grad_norm/") && !name.starts_with("grad_norm/expert/")) names.push_back(name);
    std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name == "grad_norm/all"; });
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto curve = scalarCurve(run, {names[i], smoothing, max_points}, steps, panel.notes);
        if (!curve) return tl::unexpected(curve.error());
        curve->label = names[i].substr(10);
        std::replace(curve->label.begin(), curve->label.end(), '_', ' ');
        curve->color = {ColorRole::Kind::kSeries, static_cast<std::int32_t>(i)};
        lines.curves.push_back(std::move(*curve));
    }
    if (lines.curves.empty())
        return jobFailed("No gradient norms yet", "the run has recorded none", "They are recorded with every training step", run.folder().string());
    if (auto marked = markSpikes(run, names.front(), steps, lines); !marked) return tl::unexpected(marked.error());
    panel.title = "Stability";
    panel.context = "gradient norm · spikes marked (mean + 6 sd of the last 128)";
    if (run.status().step <= kSpikeWindow) panel.notes.push_back(fmt::format("spikes are looked for once {} steps are recorded", kSpikeWindow));
    if (const std::string note = partialNote(run); !note.empty()) panel.notes.push_back(note);
    panel.content = std::move(lines);
    return panel;
}

Result<Panel> throughput(const store::RunReader& run, double minutes, std::int64_t max_points) {
    Panel panel;
    LinePanel lines;
    auto series = run.scalars("throughput/samples_per_s");
    if (!series) return tl::unexpected(series.error());
    if (series->step.empty())
        return jobFailed("No throughput yet", "the run has not recorded samples per second", "It is recorded with every training step", run.folder().string());
    const auto time = AxisMap::make(run, XAxis::kTime);
    lines.y.title = "samples per second";
    lines.y.min = 0;
    Points points;
    if (time) {
        lines.x.title = "training time before now (min)";
        const double now = (*time)(series->step.back());
        Points shown;
        for (std::size_t i = 0; i < series->step.size(); ++i) {
            const double ago = ((*time)(series->step[i]) - now) / 60;
            if (minutes > 0 && ago < -minutes) continue;
            shown.x.push_back(ago);
            shown.y.push_back(series->value[i]);
        }
        points = reducedToExtremes(shown.x, shown.y, max_points);
        panel.context = minutes > 0 ? fmt::format("last {:.3g} min of training", minutes) : "whole run";
        if (points.x.size() < shown.x.size())
            panel.notes.push_back(
                fmt::format("{} drawn as {}, minimum and maximum kept", plural(static_cast<std::int64_t>(shown.x.size()), "point"), points.x.size()));
    } else {
        lines.x.title = "step";
        points = reducedToExtremes(series->step, series->value, max_points);
        panel.context = "whole run";
        panel.notes.push_back("step times were not recorded: drawn against the step");
    }
    Curve curve;
    curve.label = fmt::format("{} samples/s", number(series->value.back()));
    curve.series = "throughput/samples_per_s";
    curve.x = std::move(points.x);
    curve.y = std::move(points.y);
    lines.curves.push_back(std::move(curve));
    panel.title = "Throughput";
    panel.content = std::move(lines);
    return panel;
}

}  // namespace es::analysis
