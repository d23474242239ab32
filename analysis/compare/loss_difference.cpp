// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/compare/loss_difference.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/figures/series.h"
#include "analysis/figures/wording.h"
#include "analysis/stats/clustered.h"
#include "analysis/stats/intervals.h"
#include "analysis/stats/moments.h"
#include "engine/config/objectives.h"

namespace es::analysis {
namespace {

constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

std::vector<double> valuesOf(const std::map<std::int64_t, double>& by_seed) {
    std::vector<double> values;
    for (const auto& [seed, value] : by_seed) values.push_back(value);
    return values;
}

/// A pair of runs, one a side: the same seed where there is one.
std::pair<const store::RunReader*, const store::RunReader*> matchingRuns(const RunGroup& a, const RunGroup& b) {
    for (const RunSource& left : a.runs)
        for (const RunSource& right : b.runs)
            if (left.run->config().run.seed == right.run->config().run.seed) return {left.run.get(), right.run.get()};
    return {a.runs.front().run.get(), b.runs.front().run.get()};
}

}  // namespace

Result<SampleLosses> sampleLosses(const store::RunReader& run) {
    const std::vector<std::int64_t> steps = run.evaluations();
    if (steps.empty()) return SampleLosses{};
    auto evaluation = run.evaluation(steps.back());
    if (!evaluation) return tl::unexpected(evaluation.error());
    SampleLosses losses = sampleLosses(*evaluation);
    auto families = SampleFamilies::of(run);
    if (!families) return tl::unexpected(families.error());
    losses.families = std::move(*families);
    return losses;
}

SampleLosses sampleLosses(const store::Evaluation& evaluation) {
    SampleLosses losses;
    losses.step = evaluation.step;
    for (const store::EvaluationRow& row : evaluation.rows)
        if (row.variant.empty() && std::isfinite(row.loss) && row.targets > 0)
            losses.values[{row.sample, row.mask_seed, row.objective}] = {row.loss, row.targets};
    return losses;
}

std::vector<double> objectiveWeights(const config::RunConfig& config) {
    const config::ObjectiveWeights weights = config::objectiveWeights(config.loss);
    return {weights.begin(), weights.end()};
}

SampleDifference sampleDifference(const Baseline<SampleLosses>& baseline, const Candidate<SampleLosses>& candidate, const std::vector<double>& weights,
                                  double confidence, const std::map<std::uint64_t, std::int32_t>* only, std::int32_t group) {
    struct Sums {
        double baseline = 0, candidate = 0, targets = 0;
    };
    std::map<std::uint64_t, std::vector<Sums>> samples;
    SampleDifference result;
    for (const auto& [key, value] : baseline->values) {
        const auto o = static_cast<std::size_t>(key.objective);
        if (o >= weights.size() || weights[o] == 0) continue;
        if (only) {
            const auto found = only->find(key.sample);
            if (found == only->end() || found->second != group) continue;
        }
        auto& sums = samples[key.sample];
        sums.resize(weights.size());
        const auto other = candidate->values.find(key);
        if (other == candidate->values.end()) continue;
        if (other->second.targets != value.targets) {
            ++result.masks_differ;
            continue;
        }
        sums[o].baseline += value.loss * value.targets;
        sums[o].candidate += other->second.loss * value.targets;
        sums[o].targets += value.targets;
    }
    std::vector<Sums> all(weights.size());
    std::map<std::uint64_t, std::vector<Sums>> units;
    for (const auto& [sample, sums] : samples) {
        bool whole = true;
        for (std::size_t o = 0; o < weights.size(); ++o) whole = whole && (weights[o] == 0 || sums[o].targets > 0);
        if (!whole) {
            ++result.left_out;
            continue;
        }
        ++result.samples;
        auto& unit = units[baseline->families.of(sample)];
        unit.resize(weights.size());
        for (std::size_t o = 0; o < weights.size(); ++o)
            for (Sums* sum : {&all[o], &unit[o]}) {
                sum->baseline += sums[o].baseline;
                sum->candidate += sums[o].candidate;
                sum->targets += sums[o].targets;
            }
    }
    result.units = static_cast<std::int64_t>(units.size());
    if (units.empty()) {
        result.baseline = result.candidate = result.mean = result.low = result.high = result.p = result.standard_error = kNoValue;
        return result;
    }
    for (std::size_t o = 0; o < weights.size(); ++o) {
        if (weights[o] == 0) continue;
        result.baseline += weights[o] * all[o].baseline / all[o].targets;
        result.candidate += weights[o] * all[o].candidate / all[o].targets;
    }
    result.mean = result.candidate - result.baseline;
    std::vector<double> residual, part;
    for (const auto& [unit, sums] : units) {
        double sum = 0, largest = 0;
        for (std::size_t o = 0; o < weights.size(); ++o) {
            if (weights[o] == 0) continue;
            const double ratio = (all[o].candidate - all[o].baseline) / all[o].targets, own = sums[o].targets / all[o].targets;
            if (own < 1) sum += weights[o] * ((sums[o].candidate - sums[o].baseline) - ratio * sums[o].targets) / (all[o].targets * std::sqrt(1 - own));
            largest = std::max(largest, own);
        }
        residual.push_back(sum);
        part.push_back(largest);
    }
    const Interval interval = linearisedInterval(result.mean, residual, part, confidence);
    result.low = interval.low;
    result.high = interval.high;
    result.p = interval.p;
    double squares = 0;
    for (const double value : residual) squares += value * value;
    result.standard_error = result.units < 2 ? kNoValue : std::sqrt(squares);
    return result;
}

Result<std::map<std::int64_t, double>> finalLossBySeed(const RunGroup& group, const std::string& scalar) {
    std::map<std::int64_t, std::vector<double>> values;
    for (const RunSource& source : group.runs) {
        const std::string name = scalar == "total" ? heldOutTotal(*source.run) : "eval/loss/" + scalar;
        auto series = source.run->scalars(name);
        if (!series) return tl::unexpected(series.error());
        if (!series->value.empty() && std::isfinite(series->value.back())) values[source.run->config().run.seed].push_back(series->value.back());
    }
    std::map<std::int64_t, double> result;
    for (const auto& [seed, list] : values) result[seed] = moments(list).mean;
    return result;
}

LossDifference seedDifference(const Baseline<std::map<std::int64_t, double>>& baseline, const Candidate<std::map<std::int64_t, double>>& candidate,
                              double confidence) {
    LossDifference difference;
    difference.baseline_seeds = static_cast<std::int64_t>(baseline->size());
    difference.candidate_seeds = static_cast<std::int64_t>(candidate->size());
    std::vector<double> a, b;
    for (const auto& [seed, value] : *baseline)
        if (const auto other = candidate->find(seed); other != candidate->end()) {
            a.push_back(value);
            b.push_back(other->second);
        }
    Interval interval;
    if (a.size() >= 2) {
        interval = pairedT(b, a, confidence);
        difference.replication = Replication::kPairedSeeds;
        difference.over = fmt::format("over {}, paired by seed", plural(interval.n, "seed"));
    } else {
        a = valuesOf(*baseline);
        b = valuesOf(*candidate);
        interval = welch(b, a, confidence);
        if (a.size() >= 2 && b.size() >= 2) {
            difference.replication = Replication::kSeeds;
            difference.over = fmt::format("over {} and {}, not paired", plural(static_cast<std::int64_t>(a.size()), "seed"),
                                          plural(static_cast<std::int64_t>(b.size()), "seed"));
        } else {
            difference.over = "one seed a side: no interval";
        }
    }
    difference.baseline = moments(a).mean;
    difference.candidate = moments(b).mean;
    difference.mean = interval.mean;
    difference.low = interval.low;
    difference.high = interval.high;
    difference.p = interval.p;
    difference.n = interval.n;
    return difference;
}

namespace {

/// Whether a loss measures the same on both sides: 0 the total, then the objectives in order.
bool sameTargets(const config::RunConfig& a, const config::RunConfig& b, std::size_t loss) {
    const std::vector<double> weights = objectiveWeights(a);
    for (std::size_t o = 0; o < weights.size(); ++o) {
        const auto objective = static_cast<Objective>(o);
        const bool counts = loss == 0 ? weights[o] != 0 : loss == o + 1;
        if (counts && config::lossUnit(a, objective) != config::lossUnit(b, objective)) return false;
    }
    return true;
}

}  // namespace

Result<std::vector<LossDifference>> lossDifferences(const Baseline<RunGroup>& baseline, const Candidate<RunGroup>& candidate, double confidence,
                                                    std::vector<std::string>& notes) {
    std::vector<LossDifference> result;
    const auto [left, right] = matchingRuns(*baseline, *candidate);
    std::optional<SampleLosses> left_samples, right_samples;
    std::vector<std::string> names = {"total"};
    for (int o = 0; o < kObjectiveCount; ++o) names.emplace_back(toString(static_cast<Objective>(o)));
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto a = finalLossBySeed(*baseline, names[i]);
        if (!a) return tl::unexpected(a.error());
        auto b = finalLossBySeed(*candidate, names[i]);
        if (!b) return tl::unexpected(b.error());
        if (a->empty() || b->empty()) continue;
        if (!sameTargets(left->config(), right->config(), i)) {
            notes.push_back(names[i] + ": not compared, patches are predicted as pixels on one side and as codes on the other");
            continue;
        }
        LossDifference difference = seedDifference(Baseline(*a), Candidate(*b), confidence);
        if (difference.replication == Replication::kNone) {
            if (!left_samples) {
                auto one = sampleLosses(*left);
                if (!one) return tl::unexpected(one.error());
                auto two = sampleLosses(*right);
                if (!two) return tl::unexpected(two.error());
                left_samples = std::move(*one);
                right_samples = std::move(*two);
                if (baseline->runs.size() + candidate->runs.size() > 2)
                    notes.push_back("fewer than two seeds on one side: the interval is over the samples of one run a side");
            }
            std::vector<double> weights(kObjectiveCount, 0.0);
            if (i == 0) weights = objectiveWeights(left->config());
            else weights[i - 1] = 1;
            const SampleDifference over = sampleDifference(Baseline(*left_samples), Candidate(*right_samples), weights, confidence);
            if (over.samples >= 2) {
                difference.replication = Replication::kSamples;
                difference.baseline = over.baseline;
                difference.candidate = over.candidate;
                difference.mean = over.mean;
                difference.low = over.low;
                difference.high = over.high;
                difference.p = over.p;
                difference.n = over.samples;
                difference.over = fmt::format("over {}, 1 seed", plural(over.samples, "sample"));
                if (over.left_out > 0) notes.push_back(fmt::format("{}: {} without all its objectives left out", names[i], plural(over.left_out, "sample")));
            }
        }
        difference.loss = names[i];
        difference.unit = i == 0 ? "" : config::lossUnit(left->config(), static_cast<Objective>(i - 1));
        result.push_back(std::move(difference));
    }
    return result;
}

}  // namespace es::analysis
