// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/confidence.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "analysis/stats/entropy.h"

namespace es::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class T>
ConfidenceStats ofDistribution(std::span<const T> probs, std::int32_t k, std::vector<double>& sorted) {
    ConfidenceStats result;
    result.logsumexp = kNaN;
    result.tokens = 1;
    if (probs.empty()) return result;
    sorted.assign(probs.begin(), probs.end());
    const auto count = static_cast<std::size_t>(std::clamp<std::int64_t>(k, 1, static_cast<std::int64_t>(probs.size())));
    const std::size_t needed = std::min(std::max<std::size_t>(count + 1, 2), sorted.size());
    std::partial_sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(needed), sorted.end(), std::greater<>());
    result.entropy_nats = entropyNats(probs);
    result.top1 = sorted[0];
    result.margin12 = sorted[0] - (sorted.size() > 1 ? sorted[1] : 0);
    result.boundary_margin = sorted[count - 1] - (count < sorted.size() ? sorted[count] : 0);
    for (std::size_t i = 0; i < count; ++i) result.chosen_mass += sorted[i];
    return result;
}

void add(ConfidenceStats& sum, const ConfidenceStats& one) {
    sum.entropy_nats += one.entropy_nats;
    sum.top1 += one.top1;
    sum.margin12 += one.margin12;
    sum.boundary_margin += one.boundary_margin;
    sum.chosen_mass += one.chosen_mass;
    sum.logsumexp += one.logsumexp;
    sum.tokens += one.tokens;
}

ConfidenceStats divided(ConfidenceStats sum) {
    const double n = sum.tokens > 0 ? static_cast<double>(sum.tokens) : kNaN;
    for (double* value : {&sum.entropy_nats, &sum.top1, &sum.margin12, &sum.boundary_margin, &sum.chosen_mass, &sum.logsumexp}) *value /= n;
    return sum;
}

}  // namespace

ConfidenceStats confidenceOf(std::span<const float> probs_E, std::int32_t k) {
    std::vector<double> scratch;
    return ofDistribution(probs_E, k, scratch);
}

ConfidenceStats confidenceFromLogits(std::span<const float> logits_TE, std::int32_t experts, std::int32_t k) {
    ConfidenceStats sum;
    const auto width = static_cast<std::size_t>(experts);
    std::vector<double> probs(width), scratch;
    for (std::size_t at = 0; width > 0 && at + width <= logits_TE.size(); at += width) {
        const auto row = logits_TE.subspan(at, width);
        const double largest = *std::max_element(row.begin(), row.end());
        double total = 0;
        for (std::size_t e = 0; e < width; ++e) total += probs[e] = std::exp(static_cast<double>(row[e]) - largest);
        for (double& p : probs) p /= total;
        ConfidenceStats one = ofDistribution(std::span<const double>(probs), k, scratch);
        one.logsumexp = largest + std::log(total);
        add(sum, one);
    }
    return divided(sum);
}

ConfidenceStats confidence(const store::RoutingView& view, std::span<const std::uint8_t> include_T) {
    const store::RoutingTable& table = view.table();
    const auto experts = static_cast<std::size_t>(view.experts());
    const std::int32_t k = table.router.layout == store::RoutingLayout::kFixedK ? table.router.k : 1;
    const auto included = [&](std::int64_t t) { return include_T.empty() || include_T[static_cast<std::size_t>(t)]; };
    ConfidenceStats sum;
    if (!table.probs_TE.empty()) {
        std::vector<double> scratch;
        for (std::int64_t t = 0; t < table.tokens; ++t) {
            if (!included(t)) continue;
            const auto row = std::span<const float>(table.probs_TE).subspan(static_cast<std::size_t>(t) * experts, experts);
            ConfidenceStats one = ofDistribution(row, k, scratch);
            if (table.router.layout != store::RoutingLayout::kDenseMass) {
                one.chosen_mass = 0;
                view.forEachAssignmentOf(t, [&](std::int64_t, ExpertIndex e, float, bool) {
                    if (e.valid() && e.value < view.experts()) one.chosen_mass += row[static_cast<std::size_t>(e.value)];
                });
            }
            if (table.router.layout != store::RoutingLayout::kFixedK) one.boundary_margin = boundaryMargin(view, t);
            add(sum, one);
        }
        return divided(sum);
    }
    sum.top1 = sum.margin12 = sum.chosen_mass = sum.logsumexp = kNaN;
    if (table.entropy_nats_T.empty()) sum.entropy_nats = kNaN;
    if (table.boundary_margin_T.empty()) sum.boundary_margin = kNaN;
    for (std::int64_t t = 0; t < table.tokens; ++t) {
        if (!included(t)) continue;
        if (!table.entropy_nats_T.empty()) sum.entropy_nats += table.entropy_nats_T[static_cast<std::size_t>(t)];
        if (!table.boundary_margin_T.empty()) sum.boundary_margin += table.boundary_margin_T[static_cast<std::size_t>(t)];
        ++sum.tokens;
    }
    return divided(sum);
}

double boundaryMargin(const store::RoutingView& view, std::int64_t token) {
    const store::RoutingTable& table = view.table();
    const auto at = static_cast<std::size_t>(token), experts = static_cast<std::size_t>(view.experts());
    if (table.router.layout == store::RoutingLayout::kDenseMass) return kNaN;
    if (!table.boundary_margin_T.empty()) return table.boundary_margin_T[at];
    if (table.probs_TE.empty()) return kNaN;
    const auto row = std::span<const float>(table.probs_TE).subspan(at * experts, experts);
    std::vector<std::uint8_t> chosen(experts, 0);
    double last = 0, next = 0;
    view.forEachAssignmentOf(token, [&](std::int64_t, ExpertIndex e, float, bool) {
        if (!e.valid() || e.value >= view.experts()) return;
        chosen[static_cast<std::size_t>(e.value)] = 1;
        last = row[static_cast<std::size_t>(e.value)];
    });
    for (std::size_t e = 0; e < experts; ++e)
        if (!chosen[e]) next = std::max(next, static_cast<double>(row[e]));
    return last - next;
}

std::vector<double> tokenEntropies(const store::RoutingView& view) {
    const store::RoutingTable& table = view.table();
    const auto experts = static_cast<std::size_t>(std::max(view.experts(), 0));
    std::vector<double> entropies;
    if (!table.probs_TE.empty() && experts > 0) {
        for (std::size_t at = 0; at + experts <= table.probs_TE.size(); at += experts)
            entropies.push_back(entropyNats(std::span<const float>(table.probs_TE).subspan(at, experts)));
        return entropies;
    }
    entropies.assign(table.entropy_nats_T.begin(), table.entropy_nats_T.end());
    return entropies;
}

double chosenEntropy(const store::RoutingView& view) {
    if (view.table().gates.empty()) return kNaN;
    double sum = 0;
    std::int64_t tokens = 0;
    std::vector<double> weights;
    for (std::int64_t t = 0; t < view.tokens(); ++t) {
        weights.clear();
        view.forEachAssignmentOf(t, [&](std::int64_t, ExpertIndex e, float gate, bool) {
            if (e.valid() && e.value < view.experts()) weights.push_back(static_cast<double>(gate));
        });
        if (weights.size() < 2) continue;
        sum += entropyNats(std::span<const double>(weights)) / std::log(static_cast<double>(weights.size()));
        ++tokens;
    }
    return tokens > 0 ? sum / static_cast<double>(tokens) : kNaN;
}

}  // namespace es::analysis
