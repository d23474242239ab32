// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/compare/loss_curves.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/figures/series.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/intervals.h"
#include "analysis/stats/moments.h"

namespace es::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Points of the mean: the runs' own where all have the same, else evenly spread over the range that all cover.
std::vector<double> commonPoints(const std::vector<GroupCurve::RunCurve>& runs, std::int64_t max_points) {
    bool same = true;
    double first = -std::numeric_limits<double>::infinity(), last = std::numeric_limits<double>::infinity();
    std::size_t most = 0;
    for (const GroupCurve::RunCurve& run : runs) {
        same = same && run.x == runs.front().x;
        first = std::max(first, run.x.front());
        last = std::min(last, run.x.back());
        most = std::max(most, run.x.size());
    }
    if (same) return runs.front().x;
    std::vector<double> points;
    if (!(first < last)) return {last};
    const auto n = static_cast<std::size_t>(std::clamp<std::int64_t>(static_cast<std::int64_t>(most), 2, std::max<std::int64_t>(max_points, 2)));
    for (std::size_t i = 0; i < n; ++i) points.push_back(i + 1 == n ? last : first + (last - first) * static_cast<double>(i) / static_cast<double>(n - 1));
    return points;
}

std::string axisWords(XAxis axis) {
    switch (axis) {
        case XAxis::kStep: return "fewer steps";
        case XAxis::kSamples: return "fewer samples";
        case XAxis::kTokens: return "fewer tokens";
        case XAxis::kTime: return "less time";
        case XAxis::kActiveFlops: return "less active compute";
        case XAxis::kTotalFlops: return "less total compute";
        case XAxis::kMemory: return "less memory";
    }
    return "";
}

std::string moreWords(XAxis axis) {
    const std::string less = axisWords(axis);
    return "more" + less.substr(less.find(' '));
}

}  // namespace

std::optional<double> valueAt(std::span<const double> x, std::span<const double> y, double at) {
    if (x.empty() || at < x.front() || at > x.back()) return std::nullopt;
    const auto after = std::lower_bound(x.begin(), x.end(), at);
    const auto i = static_cast<std::size_t>(after - x.begin());
    if (x[i] == at || i == 0) return y[i];
    return y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]);
}

std::optional<double> costToReach(std::span<const double> x, std::span<const double> y, double loss) {
    for (std::size_t i = 0; i < y.size(); ++i) {
        if (!(y[i] <= loss)) continue;
        if (i == 0 || !(y[i - 1] > loss)) return x[i];
        return x[i - 1] + (x[i] - x[i - 1]) * (y[i - 1] - loss) / (y[i - 1] - y[i]);
    }
    return std::nullopt;
}

Result<GroupCurve> groupCurve(const RunGroup& group, XAxis axis, std::int64_t max_points) {
    GroupCurve curve;
    curve.name = group.name;
    curve.color = group.color;
    for (const RunSource& source : group.runs) {
        const std::string name = heldOutTotal(*source.run);
        if (name.empty())
            return jobFailed("Cannot compare", fmt::format("{} has no held-out loss", labelOf(source)),
                             "Let it reach its first evaluation (train.evaluate_every)", source.run->folder().string());
        auto map = AxisMap::make(*source.run, axis);
        if (!map) return tl::unexpected(map.error());
        auto series = source.run->scalars(name);
        if (!series) return tl::unexpected(series.error());
        GroupCurve::RunCurve run;
        run.label = labelOf(source);
        for (std::size_t i = 0; i < series->step.size(); ++i) {
            if (!std::isfinite(series->value[i])) continue;
            run.x.push_back((*map)(series->step[i]));
            run.loss.push_back(series->value[i]);
            run.step.push_back(series->step[i]);
        }
        if (run.x.empty())
            return jobFailed("Cannot compare", fmt::format("{} has no finite held-out loss", run.label), "Choose another run", source.run->folder().string());
        curve.runs.push_back(std::move(run));
    }
    if (curve.runs.empty()) return wrongCall("Cannot compare", fmt::format("the group '{}' holds no run", group.name), "Choose at least one run for each side");
    curve.x = commonPoints(curve.runs, max_points);
    for (const double x : curve.x) {
        std::vector<double> values;
        for (const GroupCurve::RunCurve& run : curve.runs)
            if (const auto value = valueAt(run.x, run.loss, x)) values.push_back(*value);
        const Moments m = moments(values);
        curve.mean.push_back(m.mean);
        if (curve.runs.size() < 2) continue;
        const auto [low, high] = std::minmax_element(values.begin(), values.end());
        const bool spread = m.n >= 3;
        curve.low.push_back(values.empty() ? kNaN : spread ? m.mean - m.sdSample() : *low);
        curve.high.push_back(values.empty() ? kNaN : spread ? m.mean + m.sdSample() : *high);
    }
    return curve;
}

ReachRatio reachRatio(const Baseline<GroupCurve>& baseline, const Candidate<GroupCurve>& candidate, XAxis axis, double confidence) {
    ReachRatio result;
    result.axis = axis;
    result.low = result.high = kNaN;
    result.target_loss = baseline->mean.empty() ? kNaN : baseline->mean.back();
    std::vector<double> logs;
    for (std::size_t i = 0; i < std::min(baseline->runs.size(), candidate->runs.size()); ++i) {
        const GroupCurve::RunCurve &b = baseline->runs[i], &c = candidate->runs[i];
        const double target = b.loss.back();
        const auto own = costToReach(b.x, b.loss, target), other = costToReach(c.x, c.loss, target);
        if (own && other && *own > 0 && *other > 0) logs.push_back(std::log(*own / *other));
    }
    const auto own = costToReach(baseline->x, baseline->mean, result.target_loss), other = costToReach(candidate->x, candidate->mean, result.target_loss);
    if (!own || !other) {
        result.words = "does not reach it";
        return result;
    }
    if (!(*own > 0) || !(*other > 0)) {
        result.words = "costs nothing on this axis";
        return result;
    }
    result.ratio = *own / *other;
    result.n = static_cast<std::int64_t>(logs.size());
    if (const Interval interval = meanInterval(logs, confidence); logs.size() >= 2) {
        result.low = std::exp(interval.low);
        result.high = std::exp(interval.high);
    }
    if (*result.ratio >= 1.005) result.words = fmt::format("{} x {}", number(*result.ratio), axisWords(axis));
    else if (*result.ratio <= 0.995) result.words = fmt::format("{} x {}", number(1 / *result.ratio), moreWords(axis));
    else result.words = fmt::format("the same {}", axisWords(axis).substr(axisWords(axis).find(' ') + 1));
    return result;
}

ReachCurve reachCurve(const Baseline<GroupCurve>& baseline, const Candidate<GroupCurve>& candidate, XAxis axis) {
    constexpr int kPoints = 60;
    ReachCurve curve;
    curve.axis = axis;
    if (baseline->mean.empty() || candidate->mean.empty()) return curve;
    // Losses from where both have started to come down to the higher of the two ends.
    const double worst = std::min(baseline->mean.front(), candidate->mean.front());
    const double best =
        std::max(*std::min_element(baseline->mean.begin(), baseline->mean.end()), *std::min_element(candidate->mean.begin(), candidate->mean.end()));
    if (!(best < worst)) return curve;
    const std::size_t pairs = std::min(baseline->runs.size(), candidate->runs.size());
    for (int i = 0; i < kPoints; ++i) {
        const double loss = worst + (best - worst) * i / (kPoints - 1);
        const auto own = costToReach(baseline->x, baseline->mean, loss), other = costToReach(candidate->x, candidate->mean, loss);
        if (!own || !other || !(*own > 0) || !(*other > 0)) continue;
        double low = kNaN, high = kNaN;
        std::size_t reached = 0;
        for (std::size_t r = 0; r < pairs; ++r) {
            const auto b = costToReach(baseline->runs[r].x, baseline->runs[r].loss, loss), c = costToReach(candidate->runs[r].x, candidate->runs[r].loss, loss);
            if (!b || !c || !(*b > 0) || !(*c > 0)) continue;
            low = reached ? std::min(low, *b / *c) : *b / *c;
            high = reached ? std::max(high, *b / *c) : *b / *c;
            ++reached;
        }
        curve.loss.push_back(loss);
        curve.ratio.push_back(*own / *other);
        curve.low.push_back(reached >= 2 ? low : kNaN);
        curve.high.push_back(reached >= 2 ? high : kNaN);
    }
    return curve;
}

}  // namespace es::analysis
