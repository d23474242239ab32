// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/interventions/causal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "analysis/stats/quantiles.h"
#include "engine/base/random.h"

namespace es::analysis {
namespace {

constexpr double kNoEffect = std::numeric_limits<double>::quiet_NaN();

/// Which expert a result is about, and how it was interfered with.
struct BannedExpert {
    std::string kind;
    store::EffectRouter router;
    std::int32_t expert = -1;
};

std::optional<std::int32_t> wholeNumberOf(std::string_view text) {
    std::int32_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size()) return {};
    return value;
}

/// "ban 1.v:3" of a result whose routers include 1.v.
std::optional<BannedExpert> bannedExpertOf(const store::KeptResult& result) {
    if (result.interventions.size() != 1) return {};
    const std::string_view text = result.interventions.front();
    const auto space = text.find(' '), dot = text.find('.'), colon = text.find(':');
    if (space == std::string_view::npos || dot == std::string_view::npos || colon == std::string_view::npos || dot < space || colon < dot) return {};
    const auto layer = wholeNumberOf(text.substr(space + 1, dot - space - 1)), expert = wholeNumberOf(text.substr(colon + 1));
    const auto branch = branchFromString(text.substr(dot + 1, colon - dot - 1));
    if (!layer || !expert || !branch) return {};
    for (const store::EffectRouter& router : result.routers)
        if (router.router.layer.value == *layer && router.router.branch == *branch) return BannedExpert{std::string(text.substr(0, space)), router, *expert};
    return {};
}

std::optional<Objective> firstObjectiveOf(const std::vector<store::KeptResult>& results, std::initializer_list<Objective> wanted) {
    for (const Objective objective : wanted)
        for (const store::KeptResult& result : results)
            if (std::any_of(result.rows.begin(), result.rows.end(), [&](const store::EffectRow& row) { return row.objective == objective; })) return objective;
    return {};
}

/// Sums over the masked tokens of each sample, in an order that all results share.
struct MaskedSums {
    std::vector<double> before, after, targets;
};

MaskedSums maskedSumsOf(const store::KeptResult& result, Objective objective, const std::map<std::uint64_t, std::size_t>& place) {
    MaskedSums sums{std::vector<double>(place.size()), std::vector<double>(place.size()), std::vector<double>(place.size())};
    for (const store::EffectRow& row : result.rows) {
        if (row.objective != objective || !std::isfinite(row.before) || !std::isfinite(row.after)) continue;
        const auto found = place.find(row.sample);
        if (found == place.end()) continue;
        sums.before[found->second] += row.before * row.targets;
        sums.after[found->second] += row.after * row.targets;
        sums.targets[found->second] += row.targets;
    }
    return sums;
}

/// δ under the weights of a draw, divided by the loss itself where effects are relative.
double deltaOf(const MaskedSums& sums, const std::vector<double>& weight, bool relative) {
    double before = 0, after = 0, targets = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
        before += weight[i] * sums.before[i];
        after += weight[i] * sums.after[i];
        targets += weight[i] * sums.targets[i];
    }
    if (targets <= 0) return kNoEffect;
    return relative ? (after - before) / before : (after - before) / targets;
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

LossEffect effectOn(const store::KeptResult& result, const config::RunConfig& config, const std::string& loss, double confidence) {
    for (LossEffect& effect : lossEffects(result, config, confidence))
        if (effect.loss == loss) return effect;
    return noEffect();
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
};

}  // namespace

CausalTable causalTable(const std::vector<store::KeptResult>& results, const config::RunConfig& config, double confidence, std::int32_t draws,
                        std::uint64_t seed) {
    CausalTable table;
    table.confidence = confidence;
    const auto vision = firstObjectiveOf(results, {Objective::kPairImage, Objective::kImage}),
               text = firstObjectiveOf(results, {Objective::kPairText, Objective::kText});
    if (vision) table.vision = toString(*vision);
    if (text) table.text = toString(*text);
    table.relative = config.model.image_target != "codes";
    std::map<std::uint64_t, std::size_t> place;
    for (const store::KeptResult& result : results)
        for (const store::EffectRow& row : result.rows)
            if (row.objective == vision || row.objective == text) place.emplace(row.sample, 0);
    std::size_t next = 0;
    for (auto& [sample, index] : place) index = next++;

    std::vector<BannedSums> sums;
    std::vector<double> once(place.size(), 1.0);
    for (const store::KeptResult& result : results) {
        const auto target = bannedExpertOf(result);
        if (!target) continue;
        table.step = result.checkpoint;
        table.kind = target->kind;
        ExpertCausal expert{target->router.router, ExpertIndex(target->expert), target->router.tokens, target->router.rerouted, noEffect(), noEffect(), 0};
        if (vision) expert.vision = effectOn(result, config, table.vision, confidence);
        if (text) expert.text = effectOn(result, config, table.text, confidence);
        BannedSums own{expert.router.id, {}, {}};
        if (vision && text) {
            own.vision = maskedSumsOf(result, *vision, place);
            own.text = maskedSumsOf(result, *text, place);
            expert.selectivity = selectivityOf(deltaOf(own.vision, once, table.relative), deltaOf(own.text, once, table.relative));
        } else {
            expert.selectivity = kNoEffect;
        }
        table.experts.push_back(std::move(expert));
        sums.push_back(std::move(own));
    }

    std::vector<RouterId> order;
    for (const ExpertCausal& expert : table.experts)
        if (std::find(order.begin(), order.end(), expert.router.id) == order.end()) order.push_back(expert.router.id);
    for (const RouterId router : order) {
        RouterCausal row;
        std::vector<double> values;
        for (const ExpertCausal& expert : table.experts) {
            if (expert.router.id != router) continue;
            row.router = expert.router;
            values.push_back(expert.selectivity);
        }
        std::tie(row.specialisation, row.experts) = meanDefined(values);
        row.samples = static_cast<std::int64_t>(place.size());
        row.low = row.high = kNoEffect;
        if (vision && text && place.size() > 1 && row.experts > 0) {
            std::vector<double> drawn;
            for (std::int32_t draw = 0; draw < draws; ++draw) {
                RandomStream random(seed, RandomPurpose::kBootstrap, static_cast<std::uint64_t>(draw));
                std::vector<double> weight(place.size(), 0.0);
                for (std::size_t i = 0; i < place.size(); ++i) weight[random.below(static_cast<std::uint32_t>(place.size()))] += 1;
                values.clear();
                for (const BannedSums& one : sums)
                    if (one.router == router)
                        values.push_back(selectivityOf(deltaOf(one.vision, weight, table.relative), deltaOf(one.text, weight, table.relative)));
                if (const auto [mean, count] = meanDefined(values); count > 0) drawn.push_back(mean);
            }
            if (drawn.size() > 1) {
                const std::array<double, 2> ends = {(1 - confidence) / 2, (1 + confidence) / 2};
                const std::vector<double> bounds = quantiles(drawn, ends);
                row.low = bounds[0];
                row.high = bounds[1];
            }
        }
        table.routers.push_back(std::move(row));
    }
    return table;
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
