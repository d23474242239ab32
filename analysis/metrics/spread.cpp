// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/spread.h"

#include <algorithm>
#include <limits>

namespace es::analysis {

TokenSpread tokenSpread(const store::RoutingView& view) {
    TokenSpread result;
    const store::RoutingTable& table = view.table();
    const std::int32_t experts = view.experts();
    const bool dense = table.router.layout == store::RoutingLayout::kDenseMass;
    constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();
    for (std::int32_t m = 1; m <= experts; m *= 2) result.thresholds.push_back(m);
    if (!result.thresholds.empty() && result.thresholds.back() != experts) result.thresholds.push_back(experts);
    std::vector<std::int64_t> reach(result.thresholds.size(), 0);
    result.tokens = view.tokens();
    result.least = result.tokens > 0 ? std::numeric_limits<std::int32_t>::max() : 0;
    std::int64_t sum = 0, kept_assignments = 0;
    double smallest = std::numeric_limits<double>::infinity(), largest = -smallest, kept_weight = 0;
    for (std::int64_t t = 0; t < result.tokens; ++t) {
        std::int32_t count = 0;
        view.forEachAssignmentOf(t, [&](std::int64_t, ExpertIndex e, float gate, bool kept) {
            if (!e.valid() || e.value >= experts) return;
            const double weight = static_cast<double>(gate);
            if (dense && !(weight * experts > 1)) return;
            ++count;
            smallest = std::min(smallest, weight);
            largest = std::max(largest, weight);
            if (kept) kept_weight += weight, ++kept_assignments;
        });
        sum += count;
        result.least = std::min(result.least, count);
        result.most = std::max(result.most, count);
        for (std::size_t m = 0; m < reach.size(); ++m) reach[m] += count >= result.thresholds[m];
    }
    const double n = result.tokens > 0 ? static_cast<double>(result.tokens) : kUnset;
    result.mean = static_cast<double>(sum) / n;
    for (const std::int64_t count : reach) result.at_least.push_back(static_cast<double>(count) / n);
    const bool weights = !table.gates.empty() && sum > 0;
    result.smallest_weight = weights ? smallest : kUnset;
    result.largest_weight = weights ? largest : kUnset;
    result.mean_weight = weights && kept_assignments > 0 ? kept_weight / static_cast<double>(kept_assignments) : kUnset;
    return result;
}

DropsByPosition dropsByPosition(const store::RoutingView& view, std::int32_t bins) {
    DropsByPosition result;
    const store::RoutingTable& table = view.table();
    if (table.position_T.empty() || bins < 1) return result;
    const std::int64_t positions = std::int64_t{*std::max_element(table.position_T.begin(), table.position_T.end())} + 1;
    const std::int64_t count = std::min<std::int64_t>(bins, positions);
    for (std::int64_t b = 0; b < count; ++b) result.first_position.push_back(static_cast<std::int32_t>((b * positions + count - 1) / count));
    result.assignments.assign(static_cast<std::size_t>(count), 0);
    result.dropped.assign(static_cast<std::size_t>(count), 0);
    view.forEachAssignment([&](std::int64_t token, ExpertIndex expert, float, bool kept) {
        if (!expert.valid() || expert.value >= view.experts()) return;
        const auto bin = static_cast<std::size_t>(table.position_T[static_cast<std::size_t>(token)] * count / positions);
        ++result.assignments[bin];
        result.dropped[bin] += !kept;
    });
    return result;
}

}  // namespace es::analysis
