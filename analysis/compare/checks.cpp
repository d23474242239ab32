// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/compare/checks.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "analysis/compare/loss_difference.h"
#include "analysis/figures/panel_data.h"
#include "analysis/figures/series.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/moments.h"
#include "analysis/stats/quantiles.h"
#include "engine/config/objectives.h"

namespace es::analysis {
namespace {

template <class Of>
auto distinct(const RunGroup& a, const RunGroup& b, Of&& of) {
    std::set<std::decay_t<decltype(of(*a.runs.front().run))>> values;
    for (const RunGroup* group : {&a, &b})
        for (const RunSource& source : group->runs) values.insert(of(*source.run));
    return values;
}

std::vector<std::int64_t> seedsOf(const RunGroup& group) {
    std::vector<std::int64_t> seeds;
    for (const RunSource& source : group.runs) seeds.push_back(source.run->config().run.seed);
    std::sort(seeds.begin(), seeds.end());
    return seeds;
}

std::string listed(const std::vector<std::int64_t>& values) {
    std::string text;
    for (const std::int64_t value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
    return text;
}

double meanOf(const RunGroup& group, const std::function<double(const store::RunReader&)>& of) {
    std::vector<double> values;
    for (const RunSource& source : group.runs) values.push_back(of(*source.run));
    return moments(values).mean;
}

/// The value where it was recorded, NaN where it is 0.
double known(double value) { return value > 0 ? value : kMissing; }

/// Median of a scalar after the first tenth of its values (the start warms up caches).
double typical(const store::RunReader& run, const std::string& name) {
    if (name.empty()) return kMissing;
    const auto series = run.scalars(name);
    if (!series || series->value.empty()) return kMissing;
    return quantile(std::span(series->value).subspan(series->value.size() / 10), 0.5);
}
double largest(const store::RunReader& run, const std::string& name) {
    if (name.empty()) return kMissing;
    const auto series = run.scalars(name);
    if (!series || series->value.empty()) return kMissing;
    return quantile(series->value, 1);
}

}  // namespace

Result<std::vector<ComparabilityCheck>> comparabilityChecks(const Baseline<RunGroup>& baseline, const Candidate<RunGroup>& candidate) {
    const RunGroup &a = *baseline, &b = *candidate;
    std::vector<ComparabilityCheck> checks;
    const auto data = distinct(a, b, [](const store::RunReader& run) { return run.provenance().data_hash; });
    if (data.size() > 1) checks.push_back({false, "the runs were trained on different data"});
    else if (data.begin()->empty()) checks.push_back({false, "the runs do not say which data they were trained on"});
    else checks.push_back({true, fmt::format("all runs saw the same data (hash {})", *data.begin())});

    const std::vector<std::int64_t> seeds_a = seedsOf(a), seeds_b = seedsOf(b);
    if (seeds_a == seeds_b)
        checks.push_back({true, fmt::format("both sides have the same seeds ({}): order of data and masks are equal within a pair", listed(seeds_a))});
    else checks.push_back({false, fmt::format("seeds differ: {} against {}", listed(seeds_a), listed(seeds_b))});

    auto left = sampleLosses(*a.runs.front().run);
    if (!left) return tl::unexpected(left.error());
    auto right = sampleLosses(*b.runs.front().run);
    if (!right) return tl::unexpected(right.error());
    std::int64_t common = 0, differ = 0;
    for (const auto& [key, value] : left->values)
        if (const auto other = right->values.find(key); other != right->values.end()) other->second.targets == value.targets ? ++common : ++differ;
    const auto only = static_cast<std::int64_t>(left->values.size() + right->values.size()) - 2 * (common + differ);
    if (left->values.empty() || right->values.empty()) checks.push_back({false, "per-sample losses were not recorded on both sides"});
    else if (differ > 0) checks.push_back({false, fmt::format("evaluation masks differ for {}", plural(differ, "loss") + (differ == 1 ? "" : "es"))});
    else if (only > 0) checks.push_back({false, fmt::format("{} of the per-sample losses are on one side only", grouped(only))});
    else checks.push_back({true, fmt::format("the same {} held-out losses under the same masks", grouped(common))});

    const auto objectives = distinct(a, b, [](const store::RunReader& run) { return objectiveWeights(run.config()); });
    checks.push_back(objectives.size() == 1 ? ComparabilityCheck{true, "objectives are weighted alike"}
                                            : ComparabilityCheck{false, "objectives are weighted differently: total losses do not compare"});

    const double flops_a =
        meanOf(a, [](const store::RunReader& run) { return run.provenance().flops_per_step_active * static_cast<double>(run.status().step); });
    const double flops_b =
        meanOf(b, [](const store::RunReader& run) { return run.provenance().flops_per_step_active * static_cast<double>(run.status().step); });
    if (!(flops_a > 0) || !(flops_b > 0)) checks.push_back({false, "active FLOPs were not recorded on both sides"});
    else if (const double gap = flops_b / flops_a - 1; std::abs(gap) <= 0.02)
        checks.push_back({true, fmt::format("active compute is equal within {}", percent(std::abs(gap)))});
    else checks.push_back({false, fmt::format("the candidate used {} {} active compute", percent(std::abs(gap), 0), gap > 0 ? "more" : "less")});

    const auto samples = distinct(a, b, [](const store::RunReader& run) { return run.provenance().samples_per_step * run.status().step; });
    checks.push_back(samples.size() == 1
                         ? ComparabilityCheck{true, fmt::format("all runs saw {}", plural(*samples.begin(), "sample"))}
                         : ComparabilityCheck{false, fmt::format("runs saw between {} and {} samples", grouped(*samples.begin()), grouped(*samples.rbegin()))});
    const auto devices = distinct(a, b, [](const store::RunReader& run) {
        const store::Provenance p = run.provenance();
        return p.device + " · " + p.cpu + " · " + p.precision + " · " + plural(p.threads, "thread");
    });
    if (devices.size() > 1) checks.push_back({false, "device, precision or threads differ: times do not compare"});
    for (const RunGroup* group : {&a, &b})
        for (const RunSource& source : group->runs)
            if (const std::string note = partialNote(*source.run); !note.empty()) checks.push_back({false, "not finished: " + note});
    return checks;
}

Result<std::vector<CostRow>> costRows(const Baseline<RunGroup>& baseline, const Candidate<RunGroup>& candidate) {
    std::vector<CostRow> rows;
    const auto add = [&](std::string name, std::string unit, bool lower, bool judged, const std::function<double(const store::RunReader&)>& of) {
        CostRow row{std::move(name), std::move(unit), meanOf(*baseline, of), meanOf(*candidate, of), lower, judged};
        if (std::isfinite(row.baseline) || std::isfinite(row.candidate)) rows.push_back(std::move(row));
    };
    add("parameters, total", "", true, false, [](const store::RunReader& run) { return known(static_cast<double>(run.provenance().parameters_total)); });
    add("parameters, active", "", true, false, [](const store::RunReader& run) { return known(static_cast<double>(run.provenance().parameters_active)); });
    const auto perSample = [](double flops, const store::RunReader& run) {
        const auto samples = static_cast<double>(run.provenance().samples_per_step);
        return samples > 0 ? known(flops / samples) : kMissing;
    };
    add("FLOPs per sample, active", "FLOPs", true, false, [&](const store::RunReader& run) { return perSample(run.provenance().flops_per_step_active, run); });
    add("FLOPs per sample, total", "FLOPs", true, false, [&](const store::RunReader& run) { return perSample(run.provenance().flops_per_step_total, run); });
    add("step time, median", "ms", true, true, [](const store::RunReader& run) { return typical(run, "time/step_ms"); });
    add("samples per second, median", "1/s", false, true, [](const store::RunReader& run) { return typical(run, "throughput/samples_per_s"); });
    add("peak memory", "MB", true, true, [](const store::RunReader& run) { return largest(run, memoryName(run)); });
    const auto unit = [&](std::size_t loss) {
        if (loss == 0 || candidate->runs.empty()) return std::string();
        return std::string(config::lossUnit(candidate->runs.front().run->config(), static_cast<Objective>(loss - 1)));
    };
    std::vector<std::string> losses = {"total"};
    for (int o = 0; o < kObjectiveCount; ++o) losses.emplace_back(toString(static_cast<Objective>(o)));
    for (std::size_t i = 0; i < losses.size(); ++i) {
        const std::string& loss = losses[i];
        auto a = finalLossBySeed(*baseline, loss);
        if (!a) return tl::unexpected(a.error());
        auto b = finalLossBySeed(*candidate, loss);
        if (!b) return tl::unexpected(b.error());
        const auto mean = [](const std::map<std::int64_t, double>& values) {
            std::vector<double> list;
            for (const auto& [seed, value] : values) list.push_back(value);
            return moments(list).mean;
        };
        if (a->empty() && b->empty()) continue;
        std::string words = loss;
        std::replace(words.begin(), words.end(), '_', ' ');
        rows.push_back({"held-out loss, " + words, unit(i), mean(*a), mean(*b), true, true});
    }
    return rows;
}

}  // namespace es::analysis
