// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/pairs.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>

#include "analysis/metrics/pair_bits.h"
#include "analysis/stats/assignment.h"
#include "analysis/stats/clustering.h"

namespace es::analysis {

namespace {

constexpr std::int32_t kMostChoices = 64;  ///< of the fast way; more are rare and slow anyhow

/// Adds the pairs of every token of [begin, end), experts in the order of their ranks, to counts of (earlier rank, later rank). K > 0: the number of
/// choices, known when compiled so that loops over a token's choices unroll; 0: `k`.
template <std::size_t K>
void countRanked(const std::uint16_t* begin, const std::uint16_t* end, std::size_t k, std::size_t experts, std::uint32_t* even, std::uint32_t* odd) {
    if constexpr (K > 0) k = K;
    std::array<std::uint32_t, kMostChoices> slots{};
    const std::size_t stride = experts + 1;
    for (const std::uint16_t* token = begin; token + k <= end; token += k) {
        for (std::size_t i = 0; i < k; ++i) slots[i] = static_cast<std::uint32_t>(std::min<std::size_t>(token[i], experts));
        for (std::size_t i = 0; i < k; ++i) {
            std::uint32_t* row = even + static_cast<std::size_t>(slots[i]) * stride;
            for (std::size_t j = i; j < k; ++j) ++row[slots[j]];
        }
        // Neighbouring tokens often choose alike: the other table's counts do not wait for these stores.
        std::swap(even, odd);
    }
}

/// Counts of fixed k without a branch a pair: pairs are counted as they come in rank order and made symmetric at the end; experts out of range
/// go to a column of their own. Narrow counts, emptied before they can overflow, keep the tables in the nearest cache.
std::vector<double> countedPairs(const store::RoutingTable& table) {
    const auto experts = static_cast<std::size_t>(table.router.experts), k = static_cast<std::size_t>(table.router.k);
    if (bitsArePaying(experts, k)) return pairsByBits(table.expert_ids, k, experts);
    const std::size_t stride = experts + 1;
    std::vector<std::uint32_t> even(stride * stride, 0), odd(even.size(), 0);
    std::vector<double> counts(experts * experts, 0);
    constexpr std::size_t kTokens = std::size_t{1} << 30;  // a token names an expert once
    const std::size_t per_round = std::max<std::size_t>(1, kTokens / std::max<std::size_t>(k, 1)) * k;
    const auto* ids = table.expert_ids.data();
    for (std::size_t begin = 0; k > 0 && begin + k <= table.expert_ids.size(); begin += per_round) {
        const auto* first = ids + begin;
        const auto* last = ids + std::min(table.expert_ids.size(), begin + per_round);
        switch (k) {
            case 2: countRanked<2>(first, last, k, experts, even.data(), odd.data()); break;
            case 4: countRanked<4>(first, last, k, experts, even.data(), odd.data()); break;
            case 6: countRanked<6>(first, last, k, experts, even.data(), odd.data()); break;
            case 8: countRanked<8>(first, last, k, experts, even.data(), odd.data()); break;
            default: countRanked<0>(first, last, k, experts, even.data(), odd.data());
        }
        for (std::size_t i = 0; i < experts; ++i)
            for (std::size_t j = 0; j < experts; ++j) {
                const std::uint32_t own = even[i * stride + j] + odd[i * stride + j];
                const std::uint32_t turned = i == j ? 0 : even[j * stride + i] + odd[j * stride + i];
                counts[i * experts + j] += static_cast<double>(own) + static_cast<double>(turned);
            }
        std::fill(even.begin(), even.end(), 0);
        std::fill(odd.begin(), odd.end(), 0);
    }
    return counts;
}

}  // namespace

Coactivation coactivation(const store::RoutingView& view, Weighing weighing) {
    Coactivation result;
    result.experts = view.experts();
    const auto experts = static_cast<std::size_t>(result.experts);
    result.count_EE.assign(experts * experts, 0);
    const bool mass = weighing == Weighing::kMass || (weighing == Weighing::kAuto && view.router().layout == store::RoutingLayout::kDenseMass);
    const bool counted = !mass && view.router().layout == store::RoutingLayout::kFixedK && view.router().k <= kMostChoices;
    if (counted) result.count_EE = countedPairs(view.table());
    std::vector<std::pair<std::size_t, double>> chosen;
    for (std::int64_t t = 0; t < view.tokens() && !counted; ++t) {
        chosen.clear();
        view.forEachAssignmentOf(t, [&](std::int64_t, ExpertIndex e, float gate, bool) {
            if (e.valid() && e.value < result.experts) chosen.emplace_back(static_cast<std::size_t>(e.value), mass ? gate : 1.0);
        });
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            result.count_EE[chosen[i].first * experts + chosen[i].first] += chosen[i].second;
            for (std::size_t j = i + 1; j < chosen.size(); ++j) {
                const double both = chosen[i].second * chosen[j].second;
                result.count_EE[chosen[i].first * experts + chosen[j].first] += both;
                result.count_EE[chosen[j].first * experts + chosen[i].first] += both;
            }
        }
    }
    result.conditional_EE.assign(experts * experts, 0);
    for (std::size_t i = 0; i < experts; ++i)
        for (std::size_t j = 0; j < experts; ++j)
            if (const double own = result.count_EE[i * experts + i]; own > 0) result.conditional_EE[i * experts + j] = result.count_EE[i * experts + j] / own;
    return result;
}

std::vector<std::int32_t> coactivationOrder(const Coactivation& pairs) {
    const auto experts = static_cast<std::size_t>(pairs.experts);
    std::vector<double> distance(experts * experts, 1);
    for (std::size_t i = 0; i < experts; ++i)
        for (std::size_t j = 0; j < experts; ++j)
            if (const double least = std::min(pairs.count_EE[i * experts + i], pairs.count_EE[j * experts + j]); least > 0)
                distance[i * experts + j] = 1 - pairs.count_EE[i * experts + j] / least;
    return averageLinkage(distance, pairs.experts).order;
}

Flow flow(const store::RoutingTable& from, const store::RoutingTable& to, Weighing weighing) {
    Flow result;
    result.from_experts = from.router.experts;
    result.to_experts = to.router.experts;
    const auto columns = static_cast<std::size_t>(result.to_experts);
    result.count_EE.assign(static_cast<std::size_t>(result.from_experts) * columns, 0);
    const store::RoutingView view_from(from), view_to(to);
    const auto byMass = [weighing](const store::RoutingTable& table) {
        return weighing == Weighing::kMass || (weighing == Weighing::kAuto && table.router.layout == store::RoutingLayout::kDenseMass);
    };
    const bool mass_from = byMass(from), mass_to = byMass(to);
    const std::vector<std::int64_t> rows = alignTokens(from, to);
    for (std::int64_t t = 0; t < from.tokens; ++t) {
        const std::int64_t other = rows[static_cast<std::size_t>(t)];
        if (other < 0) continue;
        ++result.tokens;
        view_from.forEachAssignmentOf(t, [&](std::int64_t, ExpertIndex a, float gate_a, bool) {
            if (!a.valid() || a.value >= result.from_experts) return;
            view_to.forEachAssignmentOf(other, [&](std::int64_t, ExpertIndex b, float gate_b, bool) {
                if (!b.valid() || b.value >= result.to_experts) return;
                result.count_EE[static_cast<std::size_t>(a.value) * columns + static_cast<std::size_t>(b.value)] +=
                    (mass_from ? gate_a : 1.0) * (mass_to ? gate_b : 1.0);
            });
        });
    }
    return result;
}

ExpertMatch matchExperts(std::span<const std::int32_t> a_T, std::span<const std::int32_t> b_T, std::int32_t experts) {
    ExpertMatch result;
    result.experts = experts;
    const auto size = static_cast<std::size_t>(std::max(experts, 0));
    result.count_EE.assign(size * size, 0);
    for (std::size_t t = 0; t < std::min(a_T.size(), b_T.size()); ++t) {
        if (a_T[t] < 0 || b_T[t] < 0 || a_T[t] >= experts || b_T[t] >= experts) continue;
        result.count_EE[static_cast<std::size_t>(a_T[t]) * size + static_cast<std::size_t>(b_T[t])] += 1;
        result.unmatched_agreement += a_T[t] == b_T[t];
        ++result.tokens;
    }
    result.permutation_E = bestAssignment(result.count_EE, experts);
    for (std::size_t e = 0; e < size; ++e) result.agreement += result.count_EE[e * size + static_cast<std::size_t>(result.permutation_E[e])];
    if (result.tokens > 0) {
        result.agreement /= static_cast<double>(result.tokens);
        result.unmatched_agreement /= static_cast<double>(result.tokens);
    }
    return result;
}

double linearCka(std::span<const double> x_TD, std::int32_t d, std::span<const double> y_TF, std::int32_t f) {
    if (d <= 0 || f <= 0) return 0;
    using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Index rows = std::min<Eigen::Index>(static_cast<Eigen::Index>(x_TD.size()) / d, static_cast<Eigen::Index>(y_TF.size()) / f);
    if (rows == 0) return 0;
    Matrix x = Eigen::Map<const Matrix>(x_TD.data(), rows, d), y = Eigen::Map<const Matrix>(y_TF.data(), rows, f);
    x.rowwise() -= x.colwise().mean().eval();
    y.rowwise() -= y.colwise().mean().eval();
    const double cross = (y.transpose() * x).squaredNorm();
    const double own = (x.transpose() * x).norm() * (y.transpose() * y).norm();
    return own > 0 ? cross / own : 0;
}

}  // namespace es::analysis
