// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/series.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/smoothing.h"

namespace es::analysis {
namespace {

bool has(const std::vector<std::string>& names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

Status notRecorded(XAxis axis, const std::string& what, const store::RunReader& run) {
    return jobFailed(fmt::format("Cannot draw against {}", toString(axis)), fmt::format("the run has not recorded {}", what),
                     "Choose another axis, for example step", run.folder().string());
}

}  // namespace

std::string_view toString(XAxis axis) {
    switch (axis) {
        case XAxis::kStep: return "step";
        case XAxis::kSamples: return "samples";
        case XAxis::kTokens: return "tokens";
        case XAxis::kTime: return "time";
        case XAxis::kActiveFlops: return "active-flops";
        case XAxis::kTotalFlops: return "total-flops";
        case XAxis::kMemory: return "memory";
    }
    return "step";
}

std::optional<XAxis> xAxisFromString(std::string_view text) {
    for (const XAxis axis : {XAxis::kStep, XAxis::kSamples, XAxis::kTokens, XAxis::kTime, XAxis::kActiveFlops, XAxis::kTotalFlops, XAxis::kMemory})
        if (text == toString(axis)) return axis;
    return std::nullopt;
}

std::string_view axisTitle(XAxis axis) {
    switch (axis) {
        case XAxis::kStep: return "step";
        case XAxis::kSamples: return "samples seen";
        case XAxis::kTokens: return "tokens seen";
        case XAxis::kTime: return "training time (s)";
        case XAxis::kActiveFlops: return "active training compute (FLOPs)";
        case XAxis::kTotalFlops: return "total training compute (FLOPs)";
        case XAxis::kMemory: return "peak memory (MB)";
    }
    return "step";
}

Result<AxisMap> AxisMap::make(const store::RunReader& run, XAxis axis) {
    AxisMap map;
    const auto byFactor = [&](double factor, const std::string& what) -> Result<AxisMap> {
        if (!(factor > 0)) return tl::unexpected(notRecorded(axis, what, run).error());
        map.factor_ = factor;
        return map;
    };
    switch (axis) {
        case XAxis::kStep: return map;
        case XAxis::kSamples: return byFactor(static_cast<double>(run.provenance().samples_per_step), "its samples per step");
        case XAxis::kTokens: return byFactor(static_cast<double>(run.provenance().tokens_per_step), "its tokens per step");
        case XAxis::kActiveFlops: return byFactor(run.provenance().flops_per_step_active, "its active FLOPs per step");
        case XAxis::kTotalFlops: return byFactor(run.provenance().flops_per_step_total, "its total FLOPs per step");
        case XAxis::kTime:
        case XAxis::kMemory: break;
    }
    map.table_ = true;
    const bool time = axis == XAxis::kTime;
    const std::string name = time ? "time/step_ms" : memoryName(run);
    auto series = run.scalars(name);
    if (!series) return tl::unexpected(series.error());
    if (series->step.empty()) return tl::unexpected(notRecorded(axis, time ? "how long its steps took" : "its memory", run).error());
    map.starts_at_zero_ = time;
    double total = 0;
    for (std::size_t i = 0; i < series->step.size(); ++i) {
        const double value = std::isfinite(series->value[i]) ? series->value[i] : 0;
        total = time ? total + value / 1000 : std::max(total, value);
        map.step_.push_back(series->step[i]);
        map.value_.push_back(total);
    }
    return map;
}

double AxisMap::operator()(double step) const {
    if (!table_) return step * factor_;
    const auto after = std::lower_bound(step_.begin(), step_.end(), step);
    if (after == step_.end()) return value_.back();
    const auto i = static_cast<std::size_t>(after - step_.begin());
    if (step_[i] == step) return value_[i];
    // Before the first record: from nothing at step 0, where the axis starts at nothing.
    const double x0 = i == 0 ? 0 : step_[i - 1], y0 = i == 0 ? (starts_at_zero_ ? 0 : value_[0]) : value_[i - 1];
    if (step <= x0 || step_[i] <= x0) return y0;
    return y0 + (value_[i] - y0) * (step - x0) / (step_[i] - x0);
}

std::vector<double> AxisMap::operator()(std::span<const double> steps) const {
    std::vector<double> result;
    result.reserve(steps.size());
    for (const double step : steps) result.push_back((*this)(step));
    return result;
}

Points reducedToExtremes(std::span<const double> x, std::span<const double> y, std::int64_t max_points) {
    Points result;
    const std::size_t n = std::min(x.size(), y.size());
    if (max_points <= 0 || n <= static_cast<std::size_t>(max_points)) {
        result.x.assign(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n));
        result.y.assign(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(n));
        return result;
    }
    const std::size_t buckets = std::max<std::size_t>(static_cast<std::size_t>(max_points) / 4, 1);
    for (std::size_t b = 0; b < buckets; ++b) {
        const std::size_t begin = b * n / buckets, end = (b + 1) * n / buckets;
        if (begin >= end) continue;
        std::array<std::size_t, 4> keep = {begin, begin, begin, end - 1};
        bool any = false;
        for (std::size_t i = begin; i < end; ++i) {
            if (!std::isfinite(y[i])) continue;
            if (!any || y[i] < y[keep[1]]) keep[1] = i;
            if (!any || y[i] > y[keep[2]]) keep[2] = i;
            any = true;
        }
        std::sort(keep.begin(), keep.end());
        for (std::size_t i = 0; i < keep.size(); ++i) {
            if (i > 0 && keep[i] == keep[i - 1]) continue;
            result.x.push_back(x[keep[i]]);
            result.y.push_back(y[keep[i]]);
        }
    }
    return result;
}

Result<Curve> scalarCurve(const store::RunReader& run, const CurveSource& source, const AxisMap& axis, std::vector<std::string>& notes) {
    // Smoothing needs every point; a raw curve only as many as there are pixels.
    const bool all = source.smoothing > 0;
    auto series = run.scalars(source.metric, all ? -1 : std::max<std::int64_t>(source.max_points / 2, 2), source.first_step, source.last_step);
    if (!series) return tl::unexpected(series.error());
    Curve curve;
    curve.series = source.metric;
    if (series->non_finite > 0)
        notes.push_back(fmt::format("{}: {} not finite, left as gaps", readableName(source.metric), plural(series->non_finite, "value")));
    const std::vector<double> x = axis(series->step);
    const bool reduced_by_store = !all && series->points > static_cast<std::int64_t>(series->step.size()) && series->low.size() == series->step.size() &&
                                  series->high.size() == series->step.size();
    if (reduced_by_store) {
        double last = series->value.empty() ? 0 : series->low.front();
        for (std::size_t i = 0; i < x.size(); ++i) {
            double first = series->low[i], second = series->high[i];
            if (std::abs(first - last) > std::abs(second - last)) std::swap(first, second);
            curve.x.push_back(x[i]);
            curve.y.push_back(first);
            if (second != first) {
                curve.x.push_back(x[i]);
                curve.y.push_back(second);
            }
            last = curve.y.back();
        }
    } else if (all) {
        Points smooth = reducedToExtremes(x, smoothed(series->value, source.smoothing), source.max_points);
        Points raw = reducedToExtremes(x, series->value, source.max_points);
        curve.x = std::move(smooth.x);
        curve.y = std::move(smooth.y);
        curve.raw_x = std::move(raw.x);
        curve.raw_y = std::move(raw.y);
    } else {
        Points raw = reducedToExtremes(x, series->value, source.max_points);
        curve.x = std::move(raw.x);
        curve.y = std::move(raw.y);
    }
    for (double& y : curve.y)
        if (!std::isfinite(y)) y = kMissing;
    for (double& y : curve.raw_y)
        if (!std::isfinite(y)) y = kMissing;
    const auto drawn = static_cast<std::int64_t>(std::max(curve.x.size(), curve.raw_x.size()));
    if (series->points > drawn)
        notes.push_back(
            fmt::format("{}: {} drawn as {}, minimum and maximum kept", readableName(source.metric), plural(series->points, "point"), grouped(drawn)));
    return curve;
}

std::string heldOutTotal(const store::RunReader& run) {
    const std::vector<std::string> names = run.scalarNames();
    for (const char* name : {"eval/loss/total", "eval/loss"})
        if (has(names, name)) return name;
    return {};
}

std::string heldOutName(const store::RunReader& run, const std::string& metric) {
    if (metric == "train/loss" || metric == "train/loss/total") return heldOutTotal(run);
    if (metric.rfind("train/", 0) != 0) return {};
    std::string name = "eval/" + metric.substr(6);
    return has(run.scalarNames(), name) ? name : std::string();
}

std::string memoryName(const store::RunReader& run) {
    const std::vector<std::string> names = run.scalarNames();
    for (const char* name : {"memory/peak_mb", "memory/resident_mb"})
        if (has(names, name)) return name;
    return {};
}

std::string labelOf(const RunSource& source) {
    if (!source.label.empty()) return source.label;
    const config::RunOptions& options = source.run->config().run;
    return fmt::format("{} · seed {}", options.name, options.seed);
}

std::string partialNote(const store::RunReader& run) {
    const store::RunStatus status = run.status();
    if (status.state == store::RunState::kFinished) return {};
    return fmt::format("{}: {} at step {} of {}", run.config().run.name, store::toString(status.state), grouped(status.step), grouped(status.steps));
}

}  // namespace es::analysis
