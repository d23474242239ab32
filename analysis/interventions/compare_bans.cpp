// SPDX-License-Identifier: GPL-3.0-or-later
// The most specialised expert, banned, against the others.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/figures/wording.h"
#include "analysis/interventions/causal.h"
#include "analysis/metrics/labels.h"
#include "analysis/metrics/specialisation.h"
#include "analysis/stats/resampling.h"
#include "engine/base/random.h"
#include "engine/store/routing_view.h"

namespace es::analysis {
namespace {

constexpr std::int32_t kChanceDraws = 200;
constexpr double kLeastFirstShare = 0.1;  // of an even share of first choices

/// Which half a family belongs to: the expert is chosen on one and measured on the other. Hashes are mixed once more so that the choice has nothing to
/// do with how sets split them.
bool choosesBy(std::uint64_t family) {
    family ^= family >> 33;
    family *= 0xFF51AFD7ED558CCDULL;
    family ^= family >> 33;
    return (family & 1) == 0;
}

/// Labels of a table's tokens, and the units whose labels are exchanged by chance: families of pictures, or single words.
struct BanLabels {
    LabelKind kind = LabelKind::kCategory;
    std::vector<std::int32_t> labels, chosen;
    std::vector<std::int64_t> unit_of;  ///< -1: the label stays where it is
    std::vector<std::int32_t> unit_labels;
    std::int64_t counted = 0, families = 0;
};

/// Of the half that chooses. Words: of one caption a family, since variants repeat them.
BanLabels banLabels(const store::RoutingTable& table, const CategoryLabels& categories, const SampleFamilies& families) {
    BanLabels tokens;
    const store::RoutingView view(table);
    const auto patches = std::count(table.modality_T.begin(), table.modality_T.end(), Modality::kVision);
    tokens.kind = 2 * patches >= static_cast<std::int64_t>(table.modality_T.size()) ? LabelKind::kCategory : LabelKind::kTokenId;
    const bool pictures = tokens.kind == LabelKind::kCategory;
    tokens.labels = pictures ? categories.of(table) : tokenIdLabels(table);
    tokens.unit_of.assign(tokens.labels.size(), -1);
    std::map<std::uint64_t, std::int64_t> unit_of_family;
    std::map<std::uint64_t, std::uint64_t> sample_of_family;
    for (std::size_t t = 0; t < tokens.labels.size(); ++t) {
        tokens.chosen.push_back(view.firstChoice(static_cast<std::int64_t>(t)).value);
        if (!table.modality_T.empty() && (table.modality_T[t] == Modality::kVision) != pictures) tokens.labels[t] = -1;
        if (tokens.labels[t] < 0) continue;
        const std::uint64_t sample = table.sample_T.empty() ? t : table.sample_T[t], family = families.of(sample);
        const bool first = sample_of_family.emplace(family, sample).first->second == sample;
        if (!choosesBy(family) || (!pictures && !first)) {
            tokens.labels[t] = -1;
            continue;
        }
        ++tokens.counted;
        if (pictures && tokens.labels[t] == categories.blankLabel()) continue;
        const auto fresh = static_cast<std::int64_t>(tokens.unit_labels.size());
        const std::int64_t unit = pictures ? unit_of_family.emplace(family, fresh).first->second : fresh;
        if (unit == fresh) tokens.unit_labels.push_back(tokens.labels[t]);
        tokens.unit_of[t] = unit;
    }
    tokens.families = std::count_if(sample_of_family.begin(), sample_of_family.end(), [](const auto& one) { return choosesBy(one.first); });
    return tokens;
}

/// Information of each expert above what exchanged labels give, in nats and in their standard deviations.
struct AboveChance {
    std::vector<double> nats, deviations;
};

AboveChance informationAboveChance(const BanLabels& tokens, std::int32_t experts, std::uint64_t seed) {
    const std::vector<double> measured = expertInformation(tokens.labels, tokens.chosen, experts);
    std::vector<double> sum(measured.size(), 0), squares(measured.size(), 0);
    for (std::int32_t draw = 0; draw < kChanceDraws; ++draw) {
        const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(tokens.unit_labels.size()), seed, static_cast<std::uint64_t>(draw));
        std::vector<std::int32_t> labels = tokens.labels;
        for (std::size_t t = 0; t < labels.size(); ++t)
            if (tokens.unit_of[t] >= 0) labels[t] = tokens.unit_labels[static_cast<std::size_t>(order[static_cast<std::size_t>(tokens.unit_of[t])])];
        const std::vector<double> chance = expertInformation(labels, tokens.chosen, experts);
        for (std::size_t e = 0; e < sum.size(); ++e) {
            sum[e] += chance[e];
            squares[e] += chance[e] * chance[e];
        }
    }
    AboveChance above{std::vector<double>(sum.size(), 0), std::vector<double>(sum.size(), 0)};
    for (std::size_t e = 0; e < sum.size(); ++e) {
        const double mean = sum[e] / kChanceDraws, variance = std::max(0.0, squares[e] / kChanceDraws - mean * mean);
        above.nats[e] = measured[e] - mean;
        constexpr double kLeastDeviation = 1e-6;  // nats; labels that chance cannot change say nothing
        if (variance > kLeastDeviation * kLeastDeviation) above.deviations[e] = above.nats[e] / std::sqrt(variance);
    }
    return above;
}

std::int32_t clearest(const BanLabels& tokens, const std::vector<double>& deviations) {
    std::vector<std::int64_t> first(deviations.size(), 0);
    for (std::size_t t = 0; t < tokens.labels.size(); ++t)
        if (tokens.labels[t] >= 0 && tokens.chosen[t] >= 0 && static_cast<std::size_t>(tokens.chosen[t]) < first.size())
            ++first[static_cast<std::size_t>(tokens.chosen[t])];
    const double least = kLeastFirstShare * static_cast<double>(tokens.counted) / static_cast<double>(deviations.size());
    std::int32_t best = -1;
    for (std::size_t e = 0; e < deviations.size(); ++e)
        if (static_cast<double>(first[e]) >= least && (best < 0 || deviations[e] > deviations[static_cast<std::size_t>(best)]))
            best = static_cast<std::int32_t>(e);
    return best;
}

/// Mean of the losses of several results, key by key; keys that one of them lacks are left out.
SampleLosses meanLosses(const std::vector<SampleLosses>& all) {
    SampleLosses mean = all.front();
    for (auto it = mean.values.begin(); it != mean.values.end();) {
        double sum = 0;
        bool whole = true;
        for (const SampleLosses& one : all) {
            const auto found = one.values.find(it->first);
            whole = whole && found != one.values.end() && found->second.targets == it->second.targets;
            if (whole) sum += found->second.loss;
        }
        it->second.loss = sum / static_cast<double>(all.size());
        it = whole ? std::next(it) : mean.values.erase(it);
    }
    return mean;
}

LossEffect totalDifference(const SampleLosses& from, const SampleLosses& to, const std::vector<double>& weights) {
    return lossEffect(from, to, weights, "total", "");
}

/// Losses as if what the ban changed were `factor` times as much.
SampleLosses stretched(const SampleLosses& before, SampleLosses after, double factor) {
    for (auto& [key, value] : after.values)
        if (const auto found = before.values.find(key); found != before.values.end())
            value.loss = found->second.loss + factor * (value.loss - found->second.loss);
    return after;
}

double reroutedShare(const store::KeptResult& result, RouterId router) {
    for (const auto& one : result.routers)
        if (one.router.id == router) return one.tokens > 0 ? static_cast<double>(one.rerouted) / static_cast<double>(one.tokens) : 0.0;
    return 0;
}

/// A result of the half that measures.
store::KeptResult measuredPart(const store::KeptResult& result, const SampleFamilies& families) {
    store::KeptResult part = result;
    std::erase_if(part.rows, [&](const store::EffectRow& row) { return choosesBy(families.of(row.sample)); });
    return part;
}

BanComparison compareOne(const store::RouterInfo& router, std::int32_t expert, const std::vector<const store::KeptResult*>& by_expert,
                         const config::RunConfig& config, const SampleFamilies& families, std::uint64_t seed) {
    BanComparison out;
    out.router = router;
    out.expert = ExpertIndex(expert);
    RandomStream random(seed, RandomPurpose::kPermutation, static_cast<std::uint64_t>(router.id.value), 1);
    auto drawn = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(router.experts - 1)));
    if (drawn >= expert) ++drawn;
    out.random = ExpertIndex(drawn);
    const store::KeptResult own = measuredPart(*by_expert[static_cast<std::size_t>(expert)], families);
    const SampleLosses before = lossesBefore(own, families);
    SampleLosses after = lossesAfter(own);
    const std::vector<double> weights = totalWeights(own, config);
    out.effect = totalDifference(before, after, weights);
    out.rerouted = reroutedShare(own, router.id);
    const double own_rate = out.rerouted > 0 ? out.effect.difference / out.rerouted : 0;
    std::vector<SampleLosses> others;
    for (std::int32_t e = 0; e < router.experts; ++e) {
        if (e == expert) continue;
        const store::KeptResult other = measuredPart(*by_expert[static_cast<std::size_t>(e)], families);
        others.push_back(lossesAfter(other));
        others.back().families = families;
        const LossEffect effect = totalDifference(before, others.back(), weights);
        const double rerouted = reroutedShare(other, router.id);
        out.smaller += effect.difference < out.effect.difference ? 1 : 0;
        out.smaller_per_rerouted += rerouted > 0 && effect.difference / rerouted < own_rate ? 1 : 0;
        out.others_least = others.size() == 1 ? effect.difference : std::min(out.others_least, effect.difference);
        out.others_most = others.size() == 1 ? effect.difference : std::max(out.others_most, effect.difference);
        out.others_rerouted += rerouted / (router.experts - 1);
        if (e != drawn) continue;
        out.random_effect = effect;
        out.random_rerouted = rerouted;
        out.above_random = totalDifference(others.back(), after, weights);
    }
    out.others = router.experts - 1;
    SampleLosses mean = meanLosses(others);
    mean.families = families;
    out.others_effect = totalDifference(before, mean, weights);
    out.above_others = totalDifference(mean, after, weights);
    constexpr double kPercent = 0.01;
    if (out.rerouted > 0 && out.others_rerouted > 0) {
        const SampleLosses each = stretched(before, after, kPercent / out.rerouted), each_other = stretched(before, mean, kPercent / out.others_rerouted);
        out.per_rerouted = totalDifference(before, each, weights);
        out.others_per_rerouted = totalDifference(before, each_other, weights);
        out.above_per_rerouted = totalDifference(each_other, each, weights);
        out.above_per_rerouted.without = out.others_per_rerouted.difference;
        out.above_per_rerouted.with = out.per_rerouted.difference;
    }
    for (auto [above, other] : {std::pair{&out.above_random, &out.random_effect}, std::pair{&out.above_others, &out.others_effect}}) {
        above->without = other->difference;
        above->with = out.effect.difference;
    }
    return out;
}

}  // namespace

Result<std::vector<BanComparison>> compareBans(const store::RunReader& run, const std::vector<store::KeptResult>& results, std::vector<std::string>& notes,
                                               std::uint64_t seed, const JobContext& context) {
    std::vector<BanComparison> out;
    if (results.empty()) return out;
    const auto families = SampleFamilies::of(run);
    if (!families) return tl::unexpected(families.error());
    CausalOptions options;
    options.draws = 0;
    const CausalTable table = causalTable(results, run.config(), options);
    std::map<RouterId, std::vector<const store::KeptResult*>> by_router;
    for (std::size_t i = 0, at = 0; i < results.size() && at < table.experts.size(); ++i) {
        // The table leaves out what is not of one expert alone; its rows keep the order of the results.
        const ExpertCausal& row = table.experts[at];
        const std::string recipe = fmt::format("{} {}.{}:{}", table.kind, row.router.layer.value, toString(row.router.branch), row.expert.value);
        if (results[i].interventions.size() != 1 || results[i].interventions.front() != recipe) continue;
        auto& experts = by_router[row.router.id];
        experts.resize(static_cast<std::size_t>(row.router.experts), nullptr);
        if (row.expert.value < row.router.experts) experts[static_cast<std::size_t>(row.expert.value)] = &results[i];
        ++at;
    }
    const std::vector<store::ProbeKey> probes = run.probes();
    const store::ProbeKey key{table.step, "trained"};
    if (std::find(probes.begin(), probes.end(), key) == probes.end()) {
        notes.push_back(fmt::format("The run has no probe of step {}: which expert is most specialised is not known", table.step));
        return out;
    }
    for (const auto& [id, experts] : by_router) {
        if (context.stopRequested()) return stopped("Comparing bans");
        auto routing = run.probe(key, id);
        if (!routing) return tl::unexpected(routing.error());
        const store::RouterInfo& router = routing->router;
        const std::string name = routerWords(router);
        if (router.experts < 2 || std::find(experts.begin(), experts.end(), nullptr) != experts.end()) {
            notes.push_back(name + ": not every expert was banned yet");
            continue;
        }
        auto categories = categoryLabels(run, samplesOf(*routing));
        if (!categories) return tl::unexpected(categories.error());
        const BanLabels tokens = banLabels(*routing, *categories, *families);
        if (tokens.counted == 0) {
            notes.push_back(name + ": its tokens in the half of the probe that chooses have no label");
            continue;
        }
        const AboveChance above = informationAboveChance(tokens, router.experts, seed);
        const std::int32_t expert = clearest(tokens, above.deviations);
        if (expert < 0) continue;
        BanComparison one = compareOne(router, expert, experts, run.config(), *families, seed);
        if (one.effect.samples == 0) {
            notes.push_back(name + ": none of the samples that it was measured on is in the half that measures");
            continue;
        }
        one.label = toString(tokens.kind);
        one.information = above.nats[static_cast<std::size_t>(expert)];
        one.deviations = above.deviations[static_cast<std::size_t>(expert)];
        one.chosen_on = tokens.families;
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace es::analysis
