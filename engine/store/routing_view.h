// SPDX-License-Identifier: GPL-3.0-or-later
// One way to walk over routing, whatever its layout. Every metric takes mass.
#pragma once

#include <cstdint>
#include <span>

#include "engine/store/records.h"

namespace es::store {

/// A window onto a RoutingTable (or part of one). Holds no memory: the table must outlive it. Safe to read from many threads.
class RoutingView {
public:
    explicit RoutingView(const RoutingTable& table) : table_(&table) {}

    [[nodiscard]] const RouterInfo& router() const { return table_->router; }
    [[nodiscard]] std::int64_t tokens() const { return table_->tokens; }
    [[nodiscard]] std::int32_t experts() const { return table_->router.experts; }
    [[nodiscard]] const RoutingTable& table() const { return *table_; }

    /// The token's best expert: first choice, or the one of largest mass (ties: the lower). Invalid when it has none.
    [[nodiscard]] ExpertIndex firstChoice(std::int64_t token) const;

    /// Where the token's assignments begin in the table's columns. Not for dense mass.
    [[nodiscard]] std::size_t firstAssignmentOf(std::int64_t token) const {
        return static_cast<std::size_t>(table_->router.layout == RoutingLayout::kRagged ? table_->offsets[static_cast<std::size_t>(token)]
                                                                                        : token * table_->router.k);
    }

    /// Calls visit(token, expert, mass, kept) for each assignment, tokens ascending, best first. Dense mass: every expert with mass > 0.
    template <class Visitor>
    void forEachAssignment(Visitor&& visit) const {
        for (std::int64_t token = 0; token < table_->tokens; ++token) forEachAssignmentOf(token, visit);
    }
    template <class Visitor>
    void forEachAssignmentOf(std::int64_t token, Visitor&& visit) const {
        const RoutingTable& t = *table_;
        if (t.router.layout == RoutingLayout::kDenseMass) {
            const std::int64_t experts = t.router.experts;
            for (std::int64_t e = 0; e < experts; ++e)
                if (const float mass = t.gates[static_cast<std::size_t>(token * experts + e)]; mass > 0)
                    visit(token, ExpertIndex(static_cast<std::int32_t>(e)), mass, true);
            return;
        }
        const bool ragged = t.router.layout == RoutingLayout::kRagged;
        const auto begin = static_cast<std::int64_t>(firstAssignmentOf(token));
        const std::int64_t end = ragged ? t.offsets[static_cast<std::size_t>(token) + 1] : begin + t.router.k;
        for (std::int64_t i = begin; i < end; ++i) {
            const auto at = static_cast<std::size_t>(i);
            visit(token, ExpertIndex(t.expert_ids[at]), t.gates.empty() ? 1.0f : t.gates[at], t.kept.empty() || t.kept[at] != 0);
        }
    }

private:
    const RoutingTable* table_;
};

}  // namespace es::store
