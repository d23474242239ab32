// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/group_routing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "analysis/stats/entropy.h"
#include "analysis/stats/resampling.h"
#include "analysis/stats/skewed.h"
#include "engine/base/random.h"

namespace es::analysis {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

/// The assignments of the tokens that carry a label, in a row, and their labels numbered without gaps: what is walked again for every draw.
struct LabelledAssignments {
    std::size_t experts = 0, labels = 0;
    std::vector<std::size_t> first;  ///< of each token's assignments, and the end of the last
    std::vector<std::uint16_t> expert;
    std::vector<float> weight;
    std::vector<std::size_t> label;  ///< of each token

    [[nodiscard]] std::vector<double> masses(std::span<const std::size_t> label_of) const {
        std::vector<double> mass_LE(labels * experts, 0);
        for (std::size_t t = 0; t < label_of.size(); ++t)
            for (std::size_t i = first[t]; i < first[t + 1]; ++i) mass_LE[label_of[t] * experts + expert[i]] += static_cast<double>(weight[i]);
        return mass_LE;
    }
    [[nodiscard]] std::vector<std::size_t> dealt(std::uint64_t seed, std::int32_t draw) const {
        const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(label.size()), seed, static_cast<std::uint64_t>(draw));
        std::vector<std::size_t> anew(label.size());
        for (std::size_t t = 0; t < label.size(); ++t) anew[t] = label[static_cast<std::size_t>(order[t])];
        return anew;
    }
};

LabelledAssignments labelledAssignments(const store::RoutingView& view, std::span<const std::int32_t> label_T) {
    LabelledAssignments all;
    all.experts = static_cast<std::size_t>(std::max(view.experts(), 0));
    std::unordered_map<std::int32_t, std::size_t> number;
    std::int64_t last = -1;
    forEachWeighted(view, Weighing::kAuto, [&](std::int64_t t, std::int32_t expert, double weight) {
        const std::int32_t label = label_T[static_cast<std::size_t>(t)];
        if (label < 0) return;
        if (t != last) {
            all.first.push_back(all.expert.size());
            all.label.push_back(number.emplace(label, number.size()).first->second);
            last = t;
        }
        all.expert.push_back(static_cast<std::uint16_t>(expert));
        all.weight.push_back(static_cast<float>(weight));
    });
    all.first.push_back(all.expert.size());
    all.labels = number.size();
    return all;
}

/// Mean over labels of enough mass of sd_e of their shares; NaN without one.
double meanDeviation(const std::vector<double>& mass_LE, std::size_t experts, double least, LabelDeviation* counts = nullptr) {
    const double even = experts > 0 ? 1.0 / static_cast<double>(experts) : 0.0;
    double sum = 0, all = 0;
    std::int64_t labels = 0;
    for (std::size_t at = 0; at < mass_LE.size(); at += experts) {
        double total = 0, squares = 0;
        for (std::size_t e = 0; e < experts; ++e) total += mass_LE[at + e];
        if (!(total >= least) || !(total > 0)) continue;
        for (std::size_t e = 0; e < experts; ++e) squares += (mass_LE[at + e] / total - even) * (mass_LE[at + e] / total - even);
        sum += std::sqrt(squares * even);
        all += total;
        ++labels;
    }
    if (counts) counts->labels = labels, counts->assignments = std::llround(all);
    return labels > 0 ? sum / static_cast<double>(labels) : kNoNumber;
}

/// Mean over labels of the share of their most frequent expert.
double meanLargestShare(const std::vector<double>& mass_LE, std::size_t experts) {
    double sum = 0;
    std::int64_t labels = 0;
    for (std::size_t at = 0; at < mass_LE.size(); at += experts) {
        double total = 0, most = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            total += mass_LE[at + e];
            most = std::max(most, mass_LE[at + e]);
        }
        if (!(total > 0)) continue;
        sum += most / total;
        ++labels;
    }
    return labels > 0 ? sum / static_cast<double>(labels) : kNoNumber;
}

constexpr int kDivergenceDraws = 20;

}  // namespace

LabelDeviation labelDeviation(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int64_t least_assignments, std::int32_t draws,
                              std::uint64_t seed) {
    LabelDeviation result;
    const auto least = static_cast<double>(least_assignments);
    LabelledAssignments all = labelledAssignments(view, label_T);
    const std::size_t experts = all.experts;
    const std::vector<double> mass_LE = all.masses(all.label);
    result.deviation = meanDeviation(mass_LE, experts, least, &result);
    result.most = experts > 0 ? std::sqrt(static_cast<double>(experts - 1)) / static_cast<double>(experts) : 0;
    result.chance = kNoNumber;
    if (result.labels == 0 || draws < 1) return result;
    // Tokens of labels that do not count have no part in what the others could have been.
    std::vector<std::uint8_t> counts(all.labels, 0);
    for (std::size_t l = 0; l < all.labels; ++l) {
        double total = 0;
        for (std::size_t e = 0; e < experts; ++e) total += mass_LE[l * experts + e];
        counts[l] = total >= least && total > 0;
    }
    LabelledAssignments kept;
    kept.experts = experts;
    kept.labels = all.labels;
    for (std::size_t t = 0; t < all.label.size(); ++t) {
        if (!counts[all.label[t]]) continue;
        kept.first.push_back(kept.expert.size());
        kept.label.push_back(all.label[t]);
        for (std::size_t i = all.first[t]; i < all.first[t + 1]; ++i) kept.expert.push_back(all.expert[i]), kept.weight.push_back(all.weight[i]);
    }
    kept.first.push_back(kept.expert.size());
    result.chance = 0;
    for (std::int32_t draw = 0; draw < draws; ++draw) result.chance += meanDeviation(kept.masses(kept.dealt(seed, draw)), experts, 0) / draws;
    return result;
}

double vocabularyChance(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int32_t draws, std::uint64_t seed) {
    const LabelledAssignments all = labelledAssignments(view, label_T);
    if (all.label.empty() || draws < 1) return kNoNumber;
    double sum = 0;
    for (std::int32_t draw = 0; draw < draws; ++draw) sum += meanLargestShare(all.masses(all.dealt(seed, draw)), all.experts);
    return sum / draws;
}

GroupDivergence groupDivergence(const store::RoutingView& view, std::span<const std::int32_t> group_T, std::uint64_t seed, const SampleFamilies& families) {
    GroupDivergence result;
    const store::RoutingTable& table = view.table();
    const auto experts = static_cast<std::size_t>(std::max(view.experts(), 0));
    std::vector<double> pooled(2 * experts, 0);
    std::unordered_map<std::uint64_t, std::size_t> number;
    struct Sample {
        std::uint64_t family = 0;
        std::vector<std::size_t> tokens;
        std::size_t counts[2] = {0, 0};
    };
    std::vector<Sample> samples;
    for (std::size_t t = 0; t < group_T.size() && t < static_cast<std::size_t>(table.tokens); ++t) {
        if (group_T[t] != 0 && group_T[t] != 1) continue;
        ++(group_T[t] == 0 ? result.tokens_a : result.tokens_b);
        const auto [found, fresh] = number.emplace(table.sample_T.empty() ? 0 : table.sample_T[t], samples.size());
        if (fresh) samples.push_back({families.of(found->first), {}, {0, 0}});
        samples[found->second].tokens.push_back(t);
        ++samples[found->second].counts[group_T[t]];
    }
    const bool mass = table.router.layout == store::RoutingLayout::kDenseMass;
    const auto addToken = [&](std::size_t t, double* to) {
        view.forEachAssignmentOf(static_cast<std::int64_t>(t), [&](std::int64_t, ExpertIndex e, float gate, bool) {
            if (e.valid() && e.value < view.experts()) to[static_cast<std::size_t>(e.value)] += mass ? static_cast<double>(gate) : 1.0;
        });
    };
    const auto divergence = [&](const std::vector<double>& two) { return jensenShannonNats(std::span(two).first(experts), std::span(two).subspan(experts)); };
    std::vector<double> own, chance, two(2 * experts);
    RandomStream random(seed, RandomPurpose::kPermutation);
    for (const Sample& sample : samples) {
        for (const std::size_t t : sample.tokens) addToken(t, pooled.data() + static_cast<std::size_t>(group_T[t]) * experts);
        if (sample.counts[0] == 0 || sample.counts[1] == 0) continue;
        std::fill(two.begin(), two.end(), 0);
        for (const std::size_t t : sample.tokens) addToken(t, two.data() + static_cast<std::size_t>(group_T[t]) * experts);
        own.push_back(divergence(two));
        std::vector<std::size_t> dealt = sample.tokens;
        random.shuffle(std::span(dealt));
        std::fill(two.begin(), two.end(), 0);
        for (std::size_t i = 0; i < dealt.size(); ++i) addToken(dealt[i], two.data() + (i < sample.counts[0] ? 0 : experts));
        chance.push_back(divergence(two));
    }
    result.pooled_nats = divergence(pooled);
    result.by_sample = skewedMeanInterval(own);
    double sum = 0;
    for (const double value : chance) sum += value;
    result.chance_nats = chance.empty() ? kNoNumber : sum / static_cast<double>(chance.size());
    // By chance. What exchanges groups: families whose samples are all of one group; tokens of samples that hold both are dealt within them.
    std::unordered_map<std::uint64_t, int> groups_of;  // 1: group 0, 2: group 1, 3: both
    for (const Sample& sample : samples) groups_of[sample.family] |= (sample.counts[0] > 0 ? 1 : 0) | (sample.counts[1] > 0 ? 2 : 0);
    std::vector<std::size_t> group;
    std::unordered_map<std::uint64_t, std::size_t> place;
    for (const Sample& sample : samples)
        if (groups_of[sample.family] != 3 && place.emplace(sample.family, group.size()).second) group.push_back(groups_of[sample.family] == 1 ? 0 : 1);
    for (int draw = 0; draw < kDivergenceDraws; ++draw) {
        random.shuffle(std::span(group));
        std::fill(two.begin(), two.end(), 0);
        for (const Sample& sample : samples) {
            if (const auto found = place.find(sample.family); found != place.end()) {
                for (const std::size_t t : sample.tokens) addToken(t, two.data() + group[found->second] * experts);
                continue;
            }
            std::vector<std::size_t> dealt = sample.tokens;
            random.shuffle(std::span(dealt));
            for (std::size_t i = 0; i < dealt.size(); ++i) addToken(dealt[i], two.data() + (i < sample.counts[0] ? 0 : experts));
        }
        result.pooled_chance_nats += divergence(two) / kDivergenceDraws;
    }
    return result;
}

}  // namespace es::analysis
