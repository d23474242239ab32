// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/interventions/effects.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/figures/wording.h"

namespace es::analysis {
namespace {

std::vector<double> onlyObjective(Objective objective) {
    std::vector<double> one(kObjectiveCount, 0.0);
    one[static_cast<std::size_t>(objective)] = 1;
    return one;
}

SampleLosses effectLosses(const store::KeptResult& result, double store::EffectRow::*value) {
    SampleLosses losses;
    losses.step = result.checkpoint;
    for (const store::EffectRow& row : result.rows)
        if (row.targets > 0 && std::isfinite(row.before) && std::isfinite(row.after))
            losses.values[{row.sample, row.mask_seed, row.objective}] = {row.*value, row.targets};
    return losses;
}

LossEffect lossEffectOf(const SampleDifference& d, std::string loss, std::string unit, double confidence) {
    LossEffect effect;
    effect.loss = std::move(loss);
    effect.unit = std::move(unit);
    effect.without = d.baseline;
    effect.with = d.candidate;
    effect.difference = d.mean;
    effect.low = d.low;
    effect.high = d.high;
    effect.p = d.p;
    effect.confidence = confidence;
    effect.samples = d.samples;
    effect.units = d.units;
    return effect;
}

}  // namespace

std::string overWords(const LossEffect& effect) {
    const std::string samples = plural(effect.samples, "sample");
    if (effect.units == effect.samples) return samples;
    return grouped(effect.units) + (effect.units == 1 ? " family of " : " families of ") + samples;
}

std::string effectUnit(Objective objective, const config::RunConfig& config) {
    const bool pixels = (objective == Objective::kImage || objective == Objective::kPairImage) && config.model.image_target != "codes";
    return pixels ? "" : "nats";
}

std::vector<double> totalWeights(const store::KeptResult& result, const config::RunConfig& config) {
    std::vector<double> total = objectiveWeights(config);
    std::vector<bool> there(total.size(), false);
    for (const store::EffectRow& row : result.rows)
        if (static_cast<std::size_t>(row.objective) < there.size()) there[static_cast<std::size_t>(row.objective)] = true;
    for (std::size_t o = 0; o < total.size(); ++o)
        if (!there[o]) total[o] = 0;
    return total;
}

LossEffect lossEffect(const SampleLosses& before, const SampleLosses& after, const std::vector<double>& weights, const std::string& loss,
                      const std::string& unit, double confidence) {
    return lossEffectOf(sampleDifference(Baseline(before), Candidate(after), weights, confidence), loss, unit, confidence);
}

SampleLosses lossesBefore(const store::KeptResult& result, const SampleFamilies& families) {
    SampleLosses losses = effectLosses(result, &store::EffectRow::before);
    losses.families = families;
    return losses;
}
SampleLosses lossesAfter(const store::KeptResult& result) { return effectLosses(result, &store::EffectRow::after); }

std::vector<LossEffect> lossEffects(const store::KeptResult& result, const config::RunConfig& config, double confidence, const SampleFamilies& families) {
    const Baseline before(lossesBefore(result, families));
    const Candidate after(lossesAfter(result));
    std::vector<LossEffect> effects;
    const auto add = [&](std::string loss, std::string unit, const std::vector<double>& weights) {
        const SampleDifference d = sampleDifference(before, after, weights, confidence);
        if (d.samples > 0) effects.push_back(lossEffectOf(d, std::move(loss), std::move(unit), confidence));
    };
    add("total", "", totalWeights(result, config));
    for (int o = 0; o < kObjectiveCount; ++o) {
        const auto objective = static_cast<Objective>(o);
        add(std::string(toString(objective)), effectUnit(objective, config), onlyObjective(objective));
    }
    return effects;
}

ClassEffects classEffects(const store::KeptResult& result, const config::RunConfig& config, const std::string& loss, double confidence,
                          std::int64_t min_samples, const SampleFamilies& families) {
    const auto objective = objectiveFromString(loss);
    const std::vector<double> weights = objective ? onlyObjective(*objective) : totalWeights(result, config);
    const std::string unit = objective ? effectUnit(*objective, config) : "";
    std::map<std::string, std::int32_t> numbers;
    std::map<std::uint64_t, std::int32_t> class_of;
    for (const store::EffectSample& sample : result.names)
        if (!sample.category.empty()) class_of[sample.hash] = numbers.emplace(sample.category, static_cast<std::int32_t>(numbers.size())).first->second;
    const Baseline before(lossesBefore(result, families));
    const Candidate after(lossesAfter(result));
    ClassEffects out;
    std::unordered_set<std::uint64_t> unlabelled;
    for (const store::EffectRow& row : result.rows)
        if (!class_of.contains(row.sample)) unlabelled.insert(row.sample);
    out.unlabelled = static_cast<std::int64_t>(unlabelled.size());
    std::map<std::string, std::int32_t> shown;
    for (const auto& [name, number] : numbers) {
        const SampleDifference d = sampleDifference(before, after, weights, confidence, &class_of, number);
        if (d.units >= min_samples) shown.emplace(name, number);
        else if (d.samples > 0) ++out.small;
    }
    const double each = shown.empty() ? confidence : 1 - (1 - confidence) / static_cast<double>(shown.size());
    for (const auto& [name, number] : shown) {
        LossEffect effect = lossEffectOf(sampleDifference(before, after, weights, each, &class_of, number), loss, unit, each);
        effect.category = name;
        out.classes.push_back(std::move(effect));
    }
    std::stable_sort(out.classes.begin(), out.classes.end(),
                     [](const LossEffect& a, const LossEffect& b) { return std::abs(a.difference) > std::abs(b.difference); });
    return out;
}

std::vector<SampleEffect> sampleEffects(const store::KeptResult& result, const config::RunConfig& config) {
    const std::vector<double> weights = totalWeights(result, config);
    std::map<std::uint64_t, const store::EffectSample*> names;
    for (const store::EffectSample& sample : result.names) names[sample.hash] = &sample;
    // Masks of several seeds under one objective are averaged first.
    struct Mean {
        double before = 0, after = 0, count = 0;
    };
    std::map<std::uint64_t, std::map<Objective, Mean>> sums;
    for (const store::EffectRow& row : result.rows) {
        const auto o = static_cast<std::size_t>(row.objective);
        if (row.targets <= 0 || o >= weights.size() || weights[o] == 0 || !std::isfinite(row.before) || !std::isfinite(row.after)) continue;
        Mean& mean = sums[row.sample][row.objective];
        mean.before += row.before;
        mean.after += row.after;
        mean.count += 1;
    }
    std::vector<SampleEffect> effects;
    for (const auto& [sample, by_objective] : sums) {
        SampleEffect effect;
        effect.sample = sample;
        if (const auto found = names.find(sample); found != names.end()) {
            effect.caption = found->second->caption;
            effect.category = found->second->category;
        }
        for (const auto& [objective, mean] : by_objective) {
            const double weight = weights[static_cast<std::size_t>(objective)];
            effect.without += weight * mean.before / mean.count;
            effect.with += weight * mean.after / mean.count;
        }
        effects.push_back(std::move(effect));
    }
    std::stable_sort(effects.begin(), effects.end(),
                     [](const SampleEffect& a, const SampleEffect& b) { return std::abs(a.difference()) > std::abs(b.difference()); });
    return effects;
}

store::KeptResult narrowed(store::KeptResult result, const std::unordered_set<std::uint64_t>& samples) {
    std::erase_if(result.rows, [&](const store::EffectRow& row) { return !samples.contains(row.sample); });
    std::erase_if(result.names, [&](const store::EffectSample& sample) { return !samples.contains(sample.hash); });
    return result;
}

std::int64_t reroutedTokens(const store::KeptResult& result) {
    std::int64_t count = 0;
    for (const store::EffectRouter& router : result.routers) count += router.rerouted;
    return count;
}

}  // namespace es::analysis
