// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/interventions/causal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "analysis/stats/quantiles.h"
#include "engine/base/random.h"
#include "engine/store/causal_batch.h"

namespace es::analysis {
namespace {

constexpr double kNoEffect = std::numeric_limits<double>::quiet_NaN();

/// Which expert a result is about, and how it was interfered with.
struct BannedExpert {
    std::string kind;
    store::EffectRouter router;
    std::int32_t expert = -1;
};

/// Of a result whose routers include the one that it names.
std::optional<BannedExpert> bannedExpertOf(const store::KeptResult& result) {
    const auto target = store::causalTarget(result);
    if (!target) return {};
    for (const store::EffectRouter& router : result.routers)
        if (target->of(router.router)) return BannedExpert{target->kind, router, target->expert};
    return {};
}

std::optional<Objective> firstObjectiveOf(const std::vector<store::KeptResult>& results, std::initializer_list<Objective> wanted) {
    for (const Objective objective : wanted)
        for (const store::KeptResult& result : results)
            if (std::any_of(result.rows.begin(), result.rows.end(), [&](const store::EffectRow& row) { return row.objective == objective; })) return objective;
    return {};
}

/// Sums over the masked tokens of each family of samples, in an order that all results share.
struct MaskedSums {
    std::vector<double> change, before, targets;
};

MaskedSums maskedSumsOf(const store::KeptResult& result, Objective objective, const std::map<std::uint64_t, std::size_t>& place) {
    const std::size_t units =
        place.empty() ? 0 : std::max_element(place.begin(), place.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->second + 1;
    MaskedSums sums{std::vector<double>(units), std::vector<double>(units), std::vector<double>(units)};
    for (const store::EffectRow& row : result.rows) {
        if (row.objective != objective || !std::isfinite(row.before) || !std::isfinite(row.after)) continue;
        const auto found = place.find(row.sample);
        if (found == place.end()) continue;
        sums.change[found->second] += (row.after - row.before) * row.targets;
        sums.before[found->second] += row.before * row.targets;
        sums.targets[found->second] += row.targets;
    }
    return sums;
}

/// δ with each family's difference times its sign, divided by the loss itself where effects are relative.
double deltaOf(const MaskedSums& sums, const std::vector<double>& sign, bool relative) {
    double change = 0, base = 0;
    for (std::size_t i = 0; i < sums.change.size(); ++i) {
        change += sign[i] * sums.change[i];
        base += relative ? sums.before[i] : sums.targets[i];
    }
    return base > 0 ? change / base : kNoEffect;
}

double selectivityOf(double vision, double text) {
    if (std::isnan(vision) || std::isnan(text)) return kNoEffect;
    const double v = std::max(vision, 0.0), l = std::max(text, 0.0);
    return v + l > 0 ? std::abs(v - l) / (v + l) : kNoEffect;
}

LossEffect noEffect() {
    LossEffect none;
    none.without = none.with = none.difference = none.low = none.high = none.p = kNoEffect;
    return none;
}

LossEffect effectOn(const store::KeptResult& result, const config::RunConfig& config, Objective objective, const CausalOptions& options, double confidence) {
    std::vector<double> weights(kObjectiveCount, 0.0);
    weights[static_cast<std::size_t>(objective)] = 1;
    LossEffect effect = lossEffect(lossesBefore(result, options.families), lossesAfter(result), weights, std::string(toString(objective)),
                                   effectUnit(objective, config), confidence);
    return effect.samples > 0 ? effect : noEffect();
}

/// Where |v - l| / (v + l) can lie while v and l, cut to 0, stay in their intervals.
std::pair<double, double> selectivityRange(const LossEffect& vision, const LossEffect& text, bool relative) {
    const double v_scale = relative ? vision.without : 1, l_scale = relative ? text.without : 1;
    const double v0 = std::max(vision.low / v_scale, 0.0), v1 = std::max(vision.high / v_scale, 0.0), l0 = std::max(text.low / l_scale, 0.0),
                 l1 = std::max(text.high / l_scale, 0.0);
    const auto of = [](double more, double less) { return more > less ? (more - less) / (more + less) : 0.0; };
    return {std::max(of(v0, l1), of(l0, v1)), std::max(of(v1, l0), of(l1, v0))};
}

/// Mean and number of what is defined.
std::pair<double, std::int32_t> meanDefined(const std::vector<double>& values) {
    double sum = 0;
    std::int32_t count = 0;
    for (const double value : values)
        if (!std::isnan(value)) sum += value, ++count;
    return {count > 0 ? sum / count : kNoEffect, count};
}

struct BannedSums {
    RouterId router;
    MaskedSums vision, text;
    double selectivity = 0;  ///< whether or not an effect is shown
};

}  // namespace

CausalTable causalTable(const std::vector<store::KeptResult>& results, const config::RunConfig& config, const CausalOptions& options) {
    CausalTable table;
    table.confidence = options.confidence;
    const auto vision = firstObjectiveOf(results, {Objective::kPairImage, Objective::kImage}),
               text = firstObjectiveOf(results, {Objective::kPairText, Objective::kText});
    if (vision) table.vision = toString(*vision);
    if (text) table.text = toString(*text);
    table.relative = config.model.image_target != "codes";
    std::map<std::uint64_t, std::size_t> place;
    for (const store::KeptResult& result : results) {
        if (bannedExpertOf(result)) table.comparisons += (vision ? 1 : 0) + (text ? 1 : 0);
        for (const store::EffectRow& row : result.rows)
            if (row.objective == vision || row.objective == text) place.emplace(row.sample, 0);
    }
    table.confidence_each = 1 - (1 - options.confidence) / static_cast<double>(std::max<std::int64_t>(table.comparisons, 1));
    std::map<std::uint64_t, std::size_t> units;
    for (auto& [sample, unit] : place) unit = units.emplace(options.families.of(sample), units.size()).first->second;

    std::vector<BannedSums> sums;
    const std::vector<double> as_is(units.size(), 1.0);
    for (const store::KeptResult& result : results) {
        const auto target = bannedExpertOf(result);
        if (!target) continue;
        table.step = result.checkpoint;
        table.kind = target->kind;
        ExpertCausal expert{
            target->router.router, ExpertIndex(target->expert), target->router.tokens, target->router.rerouted, noEffect(), noEffect(), false, kNoEffect};
        if (vision) expert.vision = effectOn(result, config, *vision, options, table.confidence_each);
        if (text) expert.text = effectOn(result, config, *text, options, table.confidence_each);
        expert.shown = expert.vision.low > 0 || expert.text.low > 0;
        BannedSums own{expert.router.id, {}, {}, kNoEffect};
        if (vision && text) {
            own.vision = maskedSumsOf(result, *vision, place);
            own.text = maskedSumsOf(result, *text, place);
            own.selectivity = selectivityOf(deltaOf(own.vision, as_is, table.relative), deltaOf(own.text, as_is, table.relative));
            if (expert.shown) expert.selectivity = own.selectivity;
        }
        table.experts.push_back(std::move(expert));
        sums.push_back(std::move(own));
    }

    std::vector<RouterId> order;
    for (const ExpertCausal& expert : table.experts)
        if (std::find(order.begin(), order.end(), expert.router.id) == order.end()) order.push_back(expert.router.id);
    for (const RouterId router : order) {
        RouterCausal row;
        std::vector<double> shown, least, most, every;
        for (std::size_t i = 0; i < table.experts.size(); ++i) {
            const ExpertCausal& expert = table.experts[i];
            if (expert.router.id != router) continue;
            row.router = expert.router;
            every.push_back(sums[i].selectivity);
            if (std::isnan(expert.selectivity)) continue;
            shown.push_back(expert.selectivity);
            const auto [low, high] = selectivityRange(expert.vision, expert.text, table.relative);
            least.push_back(low);
            most.push_back(high);
        }
        std::tie(row.specialisation, row.experts) = meanDefined(shown);
        row.least = meanDefined(least).first;
        row.most = meanDefined(most).first;
        std::tie(row.every, row.every_experts) = meanDefined(every);
        row.samples = static_cast<std::int64_t>(place.size());
        row.units = static_cast<std::int64_t>(units.size());
        std::vector<double> drawn, sign(units.size());
        for (std::int32_t draw = 0; draw < options.draws && row.every_experts > 0; ++draw) {
            RandomStream random(options.seed, RandomPurpose::kPermutation, static_cast<std::uint64_t>(draw), 2);
            for (double& one : sign) one = random.below(2) == 0 ? 1 : -1;
            every.clear();
            for (const BannedSums& one : sums)
                if (one.router == router) every.push_back(selectivityOf(deltaOf(one.vision, sign, table.relative), deltaOf(one.text, sign, table.relative)));
            if (const auto [mean, count] = meanDefined(every); count > 0) drawn.push_back(mean);
        }
        row.chance = meanDefined(drawn).first;
        row.chance_high = drawn.empty() ? kNoEffect : quantiles(drawn, std::array{0.95}).front();
        table.routers.push_back(std::move(row));
    }
    return table;
}

Result<CausalTable> causalTable(const store::RunReader& run, const std::vector<store::KeptResult>& results) {
    CausalOptions options;
    auto families = SampleFamilies::of(run);
    if (!families) return tl::unexpected(families.error());
    options.families = std::move(*families);
    return causalTable(results, run.config(), options);
}

std::vector<double> expertInformation(const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& chosen, std::int32_t experts) {
    std::vector<std::map<std::int32_t, double>> joint(static_cast<std::size_t>(std::max(experts, 0)));
    std::vector<double> of_expert(joint.size(), 0.0);
    std::map<std::int32_t, double> of_label;
    double all = 0;
    for (std::size_t t = 0; t < std::min(labels.size(), chosen.size()); ++t) {
        if (labels[t] < 0 || chosen[t] < 0 || chosen[t] >= experts) continue;
        const auto e = static_cast<std::size_t>(chosen[t]);
        joint[e][labels[t]] += 1;
        of_expert[e] += 1;
        of_label[labels[t]] += 1;
        all += 1;
    }
    std::vector<double> information(joint.size(), 0.0);
    for (std::size_t e = 0; e < joint.size(); ++e)
        for (const auto& [label, count] : joint[e]) {
            const double p = count / of_expert[e];
            information[e] += p * std::log(p / (of_label[label] / all));
        }
    return information;
}

}  // namespace es::analysis
