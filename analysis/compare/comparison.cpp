// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/compare/comparison.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "analysis/compare/checks.h"
#include "analysis/compare/loss_curves.h"
#include "analysis/compare/loss_difference.h"
#include "analysis/figures/series.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/moments.h"

namespace es::analysis {
namespace {

/// Runs ordered by seed, so that the i-th of both sides are a pair where the seeds are the same.
RunGroup prepared(RunGroup group) {
    std::stable_sort(group.runs.begin(), group.runs.end(),
                     [](const RunSource& a, const RunSource& b) { return a.run->config().run.seed < b.run->config().run.seed; });
    if (group.name.empty() && !group.runs.empty()) group.name = group.runs.front().run->config().run.name;
    return group;
}

/// Only the runs whose seeds both groups have; the groups as they are when there are fewer than two such seeds.
std::pair<RunGroup, RunGroup> pairedBySeed(const RunGroup& a, const RunGroup& b) {
    const auto seeds = [](const RunGroup& group) {
        std::set<std::int64_t> result;
        for (const RunSource& source : group.runs) result.insert(source.run->config().run.seed);
        return result;
    };
    const std::set<std::int64_t> left = seeds(a), right = seeds(b);
    const auto kept = [](RunGroup group, const std::set<std::int64_t>& other) {
        std::set<std::int64_t> used;
        std::erase_if(group.runs, [&](const RunSource& source) {
            const std::int64_t seed = source.run->config().run.seed;
            return !other.contains(seed) || !used.insert(seed).second;
        });
        return group;
    };
    RunGroup one = kept(a, right), two = kept(b, left);
    if (one.runs.size() < 2) return {a, b};
    return {std::move(one), std::move(two)};
}

Result<std::vector<CategoryDifference>> categoryDifferences(const RunGroup& a, const RunGroup& b, double confidence, std::vector<std::string>& notes) {
    std::vector<CategoryDifference> result;
    const store::RunReader &left = *a.runs.front().run, &right = *b.runs.front().run;
    auto list = left.sampleList();
    if (!list) return tl::unexpected(list.error());
    std::map<std::string, std::int32_t> number;
    std::map<std::uint64_t, std::int32_t> group;
    for (const store::SampleRecord& sample : *list)
        if (!sample.category.empty()) group[sample.hash] = number.emplace(sample.category, static_cast<std::int32_t>(number.size())).first->second;
    // Losses averaged over the seeds of a side first: the interval is over samples.
    const auto averaged = [](const RunGroup& runs) -> Result<SampleLosses> {
        SampleLosses sum;
        std::map<SampleLosses::Key, int> n;
        for (const RunSource& source : runs.runs) {
            auto one = sampleLosses(*source.run);
            if (!one) return one;
            sum.families = one->families;
            for (const auto& [key, value] : one->values) {
                auto& total = sum.values[key];
                total.loss += value.loss;
                total.targets = value.targets;
                ++n[key];
            }
        }
        for (auto& [key, value] : sum.values) value.loss /= n[key];
        return sum;
    };
    auto losses_a = averaged(a);
    if (!losses_a) return tl::unexpected(losses_a.error());
    auto losses_b = averaged(b);
    if (!losses_b) return tl::unexpected(losses_b.error());
    std::int64_t known = 0;
    const Baseline<SampleLosses> baseline(std::move(*losses_a));
    const Candidate<SampleLosses> candidate(std::move(*losses_b));
    for (const auto& [name, index] : number) {
        const SampleDifference over = sampleDifference(baseline, candidate, objectiveWeights(right.config()), confidence, &group, index);
        if (over.samples == 0) continue;
        known += over.samples;
        result.push_back({name, over.mean, over.low, over.high, over.samples});
    }
    std::stable_sort(result.begin(), result.end(), [](const CategoryDifference& x, const CategoryDifference& y) { return x.mean < y.mean; });
    const SampleDifference all = sampleDifference(baseline, candidate, objectiveWeights(right.config()), confidence);
    if (known < all.samples)
        notes.push_back(fmt::format("by category: {} of {} held-out samples have a recorded category", grouped(known), grouped(all.samples)));
    return result;
}

std::string verdictOf(const Comparison& c) {
    if (c.losses.empty()) return "There is no loss that both sides recorded.";
    const LossDifference& total = c.losses.front();
    const std::string& name = c.candidate_name;
    const auto describe = [&](const LossDifference& d) {
        const auto size = [](double value) { return fmt::format("{:.4f}", std::abs(value)); };
        if (!std::isfinite(d.low) || !std::isfinite(d.high))
            return d.mean == 0 ? fmt::format("is equal ({})", d.over) : fmt::format("is {} by {} ({})", d.mean < 0 ? "lower" : "higher", size(d.mean), d.over);
        const std::string interval = percent(c.confidence, 0) + " interval";
        if (d.high < 0) return fmt::format("is lower by {} ({} {} to {}, {})", size(d.mean), interval, size(d.high), size(d.low), d.over);
        if (d.low > 0) return fmt::format("is higher by {} ({} {} to {}, {})", size(d.mean), interval, size(d.low), size(d.high), d.over);
        return fmt::format("cannot be told from equal: difference {:+.4f} ({} {:+.4f} to {:+.4f}, {})", d.mean, interval, d.low, d.high, d.over);
    };
    std::string words = fmt::format("At the end the held-out loss of {} against {} {}.", name, c.baseline_name, describe(total));
    if (total.replication == Replication::kSamples) words += " One seed a side says nothing about other seeds.";
    if (c.at_equal_axis)
        words += fmt::format(" At equal {} ({}) it {}.", c.axis == XAxis::kActiveFlops ? "active compute" : std::string(toString(c.axis)),
                             number(c.equal_axis_value), describe(*c.at_equal_axis));
    std::string reached;
    for (const ReachRatio& reach : c.reach) {
        if (reach.axis != XAxis::kActiveFlops && reach.axis != XAxis::kTime) continue;
        if (!reach.ratio) {
            reached = fmt::format(" It does not reach the loss that {} ended with.", c.baseline_name);
            break;
        }
        reached += reached.empty() ? fmt::format(" It reaches the loss that {} ended with, with {}", c.baseline_name, reach.words) : " and " + reach.words;
    }
    if (!reached.empty() && reached.back() != '.') reached += ".";
    words += reached;
    std::string doubts;
    for (const ComparabilityCheck& check : c.checks)
        if (!check.ok) doubts += (doubts.empty() ? " Mind: " : "; ") + check.words;
    return words + (doubts.empty() ? "" : doubts + ".");
}

}  // namespace

Result<Comparison> compareGroups(const Baseline<RunGroup>& baseline_in, const Candidate<RunGroup>& candidate_in, const CompareOptions& options,
                                 const JobContext& context) {
    const Baseline<RunGroup> baseline(prepared(*baseline_in));
    const Candidate<RunGroup> candidate(prepared(*candidate_in));
    for (const RunGroup* group : {&baseline.value, &candidate.value})
        if (group->runs.empty()) return wrongCall("Cannot compare", "one side holds no run", "Choose at least one run for each side");
    Comparison c;
    c.axis = options.axis;
    c.confidence = options.confidence;
    c.baseline_name = baseline->name;
    c.candidate_name = candidate->name;
    if (c.baseline_name == c.candidate_name) {
        c.baseline_name += " (baseline)";
        c.candidate_name += " (candidate)";
    }
    context.progress(0, 4, "Comparing curves");
    auto a = groupCurve(*baseline, options.axis, options.max_points);
    if (!a) return tl::unexpected(a.error());
    auto b = groupCurve(*candidate, options.axis, options.max_points);
    if (!b) return tl::unexpected(b.error());
    c.baseline_curve = std::move(*a);
    c.candidate_curve = std::move(*b);
    c.baseline_curve.name = c.baseline_name;
    c.candidate_curve.name = c.candidate_name;

    context.progress(1, 4, "Comparing losses");
    if (context.stopRequested()) return stopped("Comparing");
    auto losses = lossDifferences(baseline, candidate, options.confidence, c.notes);
    if (!losses) return tl::unexpected(losses.error());
    c.losses = std::move(*losses);

    double common = std::numeric_limits<double>::infinity(), farthest = 0;
    for (const GroupCurve* curve : {&c.baseline_curve, &c.candidate_curve})
        for (const GroupCurve::RunCurve& run : curve->runs) {
            common = std::min(common, run.x.back());
            farthest = std::max(farthest, run.x.back());
        }
    // Where all runs end at the same cost, the end is the comparison at equal cost.
    if (options.axis != XAxis::kMemory && common > 0 && farthest > common * 1.001) {
        const auto at = [&](const RunGroup& group, const GroupCurve& curve) {
            std::map<std::int64_t, double> values;
            for (std::size_t i = 0; i < curve.runs.size(); ++i)
                if (const auto value = valueAt(curve.runs[i].x, curve.runs[i].loss, common)) values[group.runs[i].run->config().run.seed] = *value;
            return values;
        };
        const auto left = at(*baseline, c.baseline_curve), right = at(*candidate, c.candidate_curve);
        if (!left.empty() && !right.empty()) {
            c.at_equal_axis = seedDifference(Baseline(left), Candidate(right), options.confidence);
            c.at_equal_axis->loss = "total";
            c.equal_axis_value = common;
        }
    }

    context.progress(2, 4, "Comparing costs");
    const auto [paired_a, paired_b] = pairedBySeed(*baseline, *candidate);
    for (const XAxis axis : {XAxis::kActiveFlops, XAxis::kTotalFlops, XAxis::kTime, XAxis::kSamples, XAxis::kTokens, XAxis::kStep}) {
        auto left = groupCurve(paired_a, axis, options.max_points);
        auto right = groupCurve(paired_b, axis, options.max_points);
        if (!left || !right) continue;
        const Baseline<GroupCurve> cost_a(std::move(*left));
        const Candidate<GroupCurve> cost_b(std::move(*right));
        c.reach.push_back(reachRatio(cost_a, cost_b, axis, options.confidence));
        if (axis == XAxis::kActiveFlops || axis == XAxis::kTotalFlops || axis == XAxis::kTime) {
            ReachCurve curve = reachCurve(cost_a, cost_b, axis);
            if (!curve.loss.empty()) c.reach_curves.push_back(std::move(curve));
        }
    }
    auto cost = costRows(baseline, candidate);
    if (!cost) return tl::unexpected(cost.error());
    c.cost = std::move(*cost);
    c.configuration = config::difference(baseline->runs.front().run->config(), candidate->runs.front().run->config());
    std::erase_if(c.configuration, [](const config::ConfigDifference& difference) { return difference.key == "run.name"; });

    context.progress(3, 4, "Checking that the sides compare");
    if (context.stopRequested()) return stopped("Comparing");
    auto checks = comparabilityChecks(baseline, candidate);
    if (!checks) return tl::unexpected(checks.error());
    c.checks = std::move(*checks);
    if (options.by_category) {
        auto categories = categoryDifferences(*baseline, *candidate, options.confidence, c.notes);
        if (!categories) return tl::unexpected(categories.error());
        c.categories = std::move(*categories);
    }
    if (baseline->runs.front().run->config().model.ffn == "dense" && candidate->runs.front().run->config().model.ffn == "moe")
        c.notes.push_back(
            "gates scale the sparse block's output down, which alone can help a small model: compare with a scaled dense model too (model.ffn = "
            "\"scaled_dense\")");
    c.verdict = verdictOf(c);
    return c;
}

}  // namespace es::analysis
