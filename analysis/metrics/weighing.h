// SPDX-License-Identifier: GPL-3.0-or-later
// What one assignment counts in a metric, the same for all layouts of routing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/store/routing_view.h"

namespace es::analysis {

enum class Weighing : std::uint8_t {
    kAuto,   ///< count for fixed k and ragged, mass for dense mass
    kCount,  ///< every assignment 1 (n_e, before capacity)
    kMass,   ///< the combine weight
};

/// Calls visit(token, expert, weight), tokens ascending, best first. Expert ids outside 0..E-1 are no choice and are left out.
template <class Visitor>
void forEachWeighted(const store::RoutingView& view, Weighing weighing, Visitor&& visit) {
    const bool mass = weighing == Weighing::kMass || (weighing == Weighing::kAuto && view.router().layout == store::RoutingLayout::kDenseMass);
    const std::int32_t experts = view.experts();
    view.forEachAssignment([&](std::int64_t token, ExpertIndex expert, float gate, bool) {
        if (expert.valid() && expert.value < experts) visit(token, expert.value, mass ? static_cast<double>(gate) : 1.0);
    });
}

/// First choice of every token, -1 where it has none. Ragged and dense mass: the expert of largest mass, ties to the lower.
[[nodiscard]] std::vector<std::int32_t> firstChoices(const store::RoutingView& view);

/// A table whose tokens have their first choice alone (fixed k = 1, no weights), with the same token columns.
[[nodiscard]] store::RoutingTable firstChoiceTable(const store::RoutingTable& table);

/// The experts of one token, best first: fixed k as recorded, else by mass, equal ones in the order recorded.
struct TokenChoice {
    std::int32_t expert = -1;
    float weight = 0;
    bool kept = true;
    std::int64_t place = -1;  ///< as in the table; -1: not recorded
};
[[nodiscard]] std::vector<TokenChoice> choicesOf(const store::RoutingView& view, std::int64_t token);

/// Row of `b` that is the same token (sample, objective, modality, position) as each row of `a`, -1 where there is none.
[[nodiscard]] std::vector<std::int64_t> alignTokens(const store::RoutingTable& a, const store::RoutingTable& b);

/// Empty when the columns of the table fit each other; else what is wrong. Metrics rely on it.
[[nodiscard]] std::string tableProblem(const store::RoutingTable& table);

}  // namespace es::analysis
