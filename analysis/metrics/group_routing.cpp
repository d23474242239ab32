// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/group_routing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "analysis/metrics/dependence.h"
#include "analysis/stats/entropy.h"
#include "analysis/stats/resampling.h"
#include "engine/base/random.h"

namespace es::analysis {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

/// Mass of every label (numbered as they appear) and expert.
struct Masses {
    std::size_t experts = 0;
    std::vector<double> mass_LE;
};
Masses massesOf(const store::RoutingView& view, std::span<const std::int32_t> label_T) {
    Masses masses{static_cast<std::size_t>(std::max(view.experts(), 0)), {}};
    std::unordered_map<std::int32_t, std::size_t> number;
    forEachWeighted(view, Weighing::kAuto, [&](std::int64_t t, std::int32_t expert, double weight) {
        const std::int32_t label = label_T[static_cast<std::size_t>(t)];
        if (label < 0) return;
        const auto [found, fresh] = number.emplace(label, number.size());
        if (fresh) masses.mass_LE.resize(masses.mass_LE.size() + masses.experts, 0);
        masses.mass_LE[found->second * masses.experts + static_cast<std::size_t>(expert)] += weight;
    });
    return masses;
}

}  // namespace

LabelDeviation labelDeviation(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int64_t least_assignments) {
    LabelDeviation result;
    const Masses masses = massesOf(view, label_T);
    const std::size_t experts = masses.experts;
    const auto even = experts > 0 ? 1.0 / static_cast<double>(experts) : 0.0;
    std::vector<double> load(experts, 0), totals;
    double all = 0;
    for (std::size_t at = 0; at < masses.mass_LE.size(); at += experts) {
        double total = 0;
        for (std::size_t e = 0; e < experts; ++e) total += masses.mass_LE[at + e];
        totals.push_back(total);
        if (!(total >= static_cast<double>(least_assignments)) || !(total > 0)) continue;
        ++result.labels;
        all += total;
        for (std::size_t e = 0; e < experts; ++e) load[e] += masses.mass_LE[at + e];
    }
    result.assignments = std::llround(all);
    result.most = experts > 0 ? std::sqrt(static_cast<double>(experts - 1)) * even : 0;
    if (result.labels == 0) {
        result.deviation = result.chance = kNoNumber;
        return result;
    }
    for (std::size_t l = 0; l < totals.size(); ++l) {
        const double total = totals[l];
        if (!(total >= static_cast<double>(least_assignments)) || !(total > 0)) continue;
        double squares = 0, expected = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            const double share = masses.mass_LE[l * experts + e] / total, common = load[e] / all;
            squares += (share - even) * (share - even);
            expected += common * (1 - common) / total + (common - even) * (common - even);
        }
        result.deviation += std::sqrt(squares * even) / static_cast<double>(result.labels);
        result.chance += std::sqrt(expected * even) / static_cast<double>(result.labels);
    }
    return result;
}

double vocabularyChance(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int32_t draws, std::uint64_t seed) {
    std::vector<std::size_t> where;
    for (std::size_t t = 0; t < label_T.size(); ++t)
        if (label_T[t] >= 0) where.push_back(t);
    if (where.empty() || draws < 1) return kNoNumber;
    std::vector<std::int32_t> dealt(label_T.begin(), label_T.end());
    double sum = 0;
    for (std::int32_t i = 0; i < draws; ++i) {
        const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(where.size()), seed, static_cast<std::uint64_t>(i));
        for (std::size_t j = 0; j < where.size(); ++j) dealt[where[j]] = label_T[where[static_cast<std::size_t>(order[j])]];
        sum += vocabularySpecialisation(view, dealt);
    }
    return sum / draws;
}

GroupDivergence groupDivergence(const store::RoutingView& view, std::span<const std::int32_t> group_T, std::uint64_t seed) {
    GroupDivergence result;
    const store::RoutingTable& table = view.table();
    const auto experts = static_cast<std::size_t>(std::max(view.experts(), 0));
    std::vector<double> pooled(2 * experts, 0);
    std::unordered_map<std::uint64_t, std::size_t> number;
    struct Sample {
        std::vector<std::size_t> tokens;
        std::size_t counts[2] = {0, 0};
    };
    std::vector<Sample> samples;
    for (std::size_t t = 0; t < group_T.size() && t < static_cast<std::size_t>(table.tokens); ++t) {
        if (group_T[t] != 0 && group_T[t] != 1) continue;
        ++(group_T[t] == 0 ? result.tokens_a : result.tokens_b);
        const auto [found, fresh] = number.emplace(table.sample_T.empty() ? 0 : table.sample_T[t], samples.size());
        if (fresh) samples.emplace_back();
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
    result.by_sample = meanInterval(own);
    double sum = 0;
    for (const double value : chance) sum += value;
    result.chance_nats = chance.empty() ? kNoNumber : sum / static_cast<double>(chance.size());
    return result;
}

}  // namespace es::analysis
