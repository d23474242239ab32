// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/stability.h"

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

namespace es::analysis {
namespace {

/// Experts of a token slot by slot, -1 for an empty slot (which choicesOf leaves out).
void slotsOf(const store::RoutingView& view, std::int64_t token, std::vector<std::int32_t>& slots) {
    slots.clear();
    view.forEachAssignmentOf(token, [&](std::int64_t, ExpertIndex e, float, bool) { slots.push_back(e.valid() && e.value < view.experts() ? e.value : -1); });
}

double softOverlap(const store::RoutingTable& a, std::int64_t row_a, const store::RoutingTable& b, std::int64_t row_b) {
    const auto width = static_cast<std::size_t>(std::min(a.router.experts, b.router.experts));
    const float* mass_a = a.gates.data() + row_a * a.router.experts;
    const float* mass_b = b.gates.data() + row_b * b.router.experts;
    double sum_a = 0, sum_b = 0, shared = 0;
    for (std::size_t e = 0; e < width; ++e) sum_a += mass_a[e], sum_b += mass_b[e];
    if (!(sum_a > 0) || !(sum_b > 0)) return 0;
    for (std::size_t e = 0; e < width; ++e) shared += std::min(mass_a[e] / sum_a, mass_b[e] / sum_b);
    return shared;
}

/// Both fixed k with the same k: slots lie side by side, so nothing has to be gathered.
RoutingChange compareFixed(const store::RoutingTable& a, const store::RoutingTable& b, std::span<const std::int64_t> rows) {
    RoutingChange result;
    const auto k = static_cast<std::size_t>(a.router.k);
    const auto slot = [](const store::RoutingTable& table, std::size_t at) {
        const std::int32_t id = table.expert_ids[at];
        return id < table.router.experts ? id : -1;
    };
    std::int64_t shared = 0, changed = 0, changed_first = 0;
    double iou = 0;
    for (std::size_t t = 0; t < rows.size(); ++t) {
        if (rows[t] < 0) {
            ++result.unmatched;
            continue;
        }
        const std::size_t left = t * k, right = static_cast<std::size_t>(rows[t]) * k;
        std::int64_t common = 0, here = 0, there = 0;
        for (std::size_t i = 0; i < k; ++i) {
            const std::int32_t expert = slot(a, left + i);
            changed += expert != slot(b, right + i);
            bool found = false;
            for (std::size_t j = 0; j < k; ++j) found |= slot(b, right + j) == expert;
            common += found && expert >= 0;
            here += expert >= 0;
            there += slot(b, right + i) >= 0;
        }
        shared += common;
        // Mostly all or nothing is shared, and a division a token would be half of the work.
        if (common > 0) iou += here + there == 2 * common ? 1.0 : static_cast<double>(common) / static_cast<double>(here + there - common);
        changed_first += slot(a, left) != slot(b, right);
        ++result.tokens;
    }
    const double n = result.tokens > 0 ? static_cast<double>(result.tokens) : std::numeric_limits<double>::quiet_NaN(), slots = n * static_cast<double>(k);
    result.overlap = static_cast<double>(shared) / slots;
    result.iou = iou / n;
    result.changed_slots = static_cast<double>(changed) / slots;
    result.changed_first = static_cast<double>(changed_first) / n;
    return result;
}

}  // namespace

RoutingChange compareRouting(const store::RoutingTable& a, const store::RoutingTable& b) {
    RoutingChange result;
    const store::RoutingView view_a(a), view_b(b);
    const std::vector<std::int64_t> rows = alignTokens(a, b);
    if (a.router.layout == store::RoutingLayout::kFixedK && b.router.layout == a.router.layout && a.router.k == b.router.k) return compareFixed(a, b, rows);
    const std::vector<std::int32_t> first_a = firstChoices(view_a), first_b = firstChoices(view_b);
    const bool soft = a.router.layout == store::RoutingLayout::kDenseMass && b.router.layout == a.router.layout;
    double overlap = 0, changed_slots = 0, slots_total = 0, iou = 0;
    std::int64_t changed_first = 0;
    std::vector<std::int32_t> slots_a, slots_b;
    for (std::int64_t t = 0; t < a.tokens; ++t) {
        const std::int64_t other = rows[static_cast<std::size_t>(t)];
        if (other < 0) {
            ++result.unmatched;
            continue;
        }
        const bool first_differs = first_a[static_cast<std::size_t>(t)] != first_b[static_cast<std::size_t>(other)];
        if (soft) {
            const double shared = softOverlap(a, t, b, other);
            overlap += shared;
            iou += shared / (2 - shared);  // both sum to one
            changed_slots += 1 - shared;
            slots_total += 1;
        } else {
            slotsOf(view_a, t, slots_a);
            slotsOf(view_b, other, slots_b);
            const std::size_t width = std::max(slots_a.size(), slots_b.size());
            if (width == 0) continue;
            std::size_t shared = 0;
            for (const std::int32_t e : slots_a) shared += e >= 0 && std::find(slots_b.begin(), slots_b.end(), e) != slots_b.end();
            overlap += static_cast<double>(shared) / static_cast<double>(width);
            const auto taken = [](const std::vector<std::int32_t>& slots) {
                return static_cast<std::size_t>(std::count_if(slots.begin(), slots.end(), [](std::int32_t e) { return e >= 0; }));
            };
            if (const std::size_t all = taken(slots_a) + taken(slots_b) - shared; all > 0) iou += static_cast<double>(shared) / static_cast<double>(all);
            for (std::size_t i = 0; i < width; ++i) changed_slots += i >= slots_a.size() || i >= slots_b.size() || slots_a[i] != slots_b[i];
            slots_total += static_cast<double>(width);
        }
        changed_first += first_differs;
        ++result.tokens;
    }
    const double n = result.tokens > 0 ? static_cast<double>(result.tokens) : std::numeric_limits<double>::quiet_NaN();
    result.overlap = overlap / n;
    result.iou = iou / n;
    result.changed_first = static_cast<double>(changed_first) / n;
    result.changed_slots = slots_total > 0 ? changed_slots / slots_total : std::numeric_limits<double>::quiet_NaN();
    return result;
}

double chanceAnyShared(std::int32_t experts, std::int32_t k) {
    if (experts <= 0 || k <= 0) return 0;
    double none = 1;
    for (std::int32_t i = 0; i < k; ++i) none *= std::max(0.0, static_cast<double>(experts - k - i)) / static_cast<double>(experts - i);
    return 1 - none;
}

double chanceOverlap(std::int32_t experts, std::int32_t k) { return experts > 0 ? std::min(1.0, static_cast<double>(k) / experts) : 0; }

}  // namespace es::analysis
