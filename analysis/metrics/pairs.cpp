// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/pairs.h"

#include <Eigen/Core>
#include <algorithm>

#include "analysis/metrics/pair_counts.h"
#include "analysis/stats/assignment.h"
#include "analysis/stats/clustering.h"

namespace es::analysis {

Coactivation coactivation(const store::RoutingView& view, Weighing weighing) {
    Coactivation result;
    result.experts = view.experts();
    const auto experts = static_cast<std::size_t>(result.experts);
    result.count_EE.assign(experts * experts, 0);
    const bool mass = weighing == Weighing::kMass || (weighing == Weighing::kAuto && view.router().layout == store::RoutingLayout::kDenseMass);
    const bool counted = !mass && view.router().layout == store::RoutingLayout::kFixedK;
    if (counted) {
        PairCounts pairs(experts, static_cast<std::size_t>(view.router().k));
        pairs.add(view.table().expert_ids);
        result.count_EE = pairs.counts();
    }
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
    return coactivationOf(std::move(result.count_EE), result.experts);
}

Coactivation coactivationOf(std::vector<double> count_EE, std::int32_t experts) {
    Coactivation result{experts, std::move(count_EE), {}};
    result.conditional_EE.assign(result.count_EE.size(), 0);
    const auto size = static_cast<std::size_t>(experts);
    for (std::size_t i = 0; i < size; ++i)
        for (std::size_t j = 0; j < size; ++j)
            if (const double own = result.count_EE[i * size + i]; own > 0) result.conditional_EE[i * size + j] = result.count_EE[i * size + j] / own;
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
