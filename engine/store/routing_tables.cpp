// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/routing_tables.h"

namespace es::store {
namespace {

/// Copies the entries of some tokens; `width` entries a token. An empty column stays empty.
template <class T>
void pick(const std::vector<T>& column, std::vector<T>& out, const std::vector<std::size_t>& rows, std::size_t width = 1) {
    if (column.empty()) return;
    out.reserve(rows.size() * width);
    for (const std::size_t row : rows) {
        const auto begin = column.begin() + static_cast<std::ptrdiff_t>(row * width);
        out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
    }
}
/// The same of assignments, as many a token as the offsets say.
template <class T>
void pickRagged(const std::vector<T>& column, std::vector<T>& out, const std::vector<std::size_t>& rows, const std::vector<std::int64_t>& offsets) {
    if (column.empty()) return;
    for (const std::size_t row : rows) out.insert(out.end(), column.begin() + offsets[row], column.begin() + offsets[row + 1]);
}

template <class T>
void join(std::vector<T>& into, std::vector<T>&& more) {
    into.insert(into.end(), more.begin(), more.end());
}
/// For optional columns: complete or absent, nothing in between.
template <class T>
void joinOptional(std::vector<T>& into, std::vector<T>&& more, bool intoHas, bool moreHas) {
    if (intoHas && moreHas) join(into, std::move(more));
    else into.clear();
}

}  // namespace

RoutingTable selectTokens(const RoutingTable& table, std::span<const std::uint8_t> keep_T) {
    std::vector<std::size_t> rows;
    for (std::size_t t = 0; t < static_cast<std::size_t>(table.tokens); ++t)
        if (keep_T[t] != 0) rows.push_back(t);
    RoutingTable out;
    out.router = table.router;
    out.step = table.step;
    out.tokens = static_cast<std::int64_t>(rows.size());
    const auto experts = static_cast<std::size_t>(table.router.experts);
    if (table.router.layout == RoutingLayout::kRagged) {
        pickRagged(table.expert_ids, out.expert_ids, rows, table.offsets);
        pickRagged(table.gates, out.gates, rows, table.offsets);
        pickRagged(table.kept, out.kept, rows, table.offsets);
        pickRagged(table.place, out.place, rows, table.offsets);
        out.offsets.push_back(0);
        for (const std::size_t row : rows) out.offsets.push_back(out.offsets.back() + table.offsets[row + 1] - table.offsets[row]);
    } else {
        const std::size_t width = table.router.layout == RoutingLayout::kDenseMass ? experts : static_cast<std::size_t>(table.router.k);
        pick(table.expert_ids, out.expert_ids, rows, width);
        pick(table.gates, out.gates, rows, width);
        pick(table.kept, out.kept, rows, width);
        pick(table.place, out.place, rows, width);
    }
    pick(table.slots_T, out.slots_T, rows);
    pick(table.probs_TE, out.probs_TE, rows, experts);
    pick(table.entropy_nats_T, out.entropy_nats_T, rows);
    pick(table.boundary_margin_T, out.boundary_margin_T, rows);
    pick(table.sample_T, out.sample_T, rows);
    pick(table.position_T, out.position_T, rows);
    pick(table.modality_T, out.modality_T, rows);
    pick(table.token_id_T, out.token_id_T, rows);
    pick(table.masked_T, out.masked_T, rows);
    pick(table.objective_T, out.objective_T, rows);
    return out;
}

void appendTokens(RoutingTable& into, RoutingTable&& more) {
    if (into.tokens == 0) {
        into = std::move(more);
        return;
    }
    if (more.tokens == 0) return;
    if (!into.kept.empty() || !more.kept.empty()) {
        if (into.kept.empty()) into.kept.assign(into.expert_ids.size(), 1);
        if (more.kept.empty()) more.kept.assign(more.expert_ids.size(), 1);
        join(into.kept, std::move(more.kept));
    }
    if (into.slots_T.empty() || more.slots_T.empty()) into.place.clear();
    else join(into.place, std::move(more.place));
    // Tokens without any assignment have no gates, and lack none.
    const bool gatesComplete = (into.expert_ids.empty() || !into.gates.empty()) && (more.expert_ids.empty() || !more.gates.empty());
    for (std::size_t i = 1; i < more.offsets.size(); ++i) into.offsets.push_back(into.offsets[static_cast<std::size_t>(into.tokens)] + more.offsets[i]);
    join(into.expert_ids, std::move(more.expert_ids));
    const auto both = [&](auto member) {
        auto &a = into.*member, &b = more.*member;
        const bool aHas = !a.empty(), bHas = !b.empty();
        joinOptional(a, std::move(b), aHas, bHas);
    };
    if (into.router.layout == RoutingLayout::kDenseMass || gatesComplete) join(into.gates, std::move(more.gates));
    else into.gates.clear();
    both(&RoutingTable::slots_T);
    both(&RoutingTable::probs_TE);
    both(&RoutingTable::entropy_nats_T);
    both(&RoutingTable::boundary_margin_T);
    join(into.sample_T, std::move(more.sample_T));
    join(into.position_T, std::move(more.position_T));
    join(into.modality_T, std::move(more.modality_T));
    join(into.token_id_T, std::move(more.token_id_T));
    join(into.masked_T, std::move(more.masked_T));
    join(into.objective_T, std::move(more.objective_T));
    into.tokens += more.tokens;
    into.step = more.step;
}

std::vector<TokenRun> tokenRuns(const RoutingTable& table) {
    std::vector<TokenRun> runs;
    for (std::size_t t = 0; t < static_cast<std::size_t>(table.tokens); ++t) {
        const auto objective = static_cast<std::uint8_t>(table.objective_T[t]);
        const auto modality = static_cast<std::uint8_t>(table.modality_T[t]);
        if (!runs.empty()) {
            TokenRun& last = runs.back();
            if (last.sample == table.sample_T[t] && last.objective == objective && last.modality == modality &&
                last.position + last.tokens == table.position_T[t]) {
                ++last.tokens;
                continue;
            }
        }
        runs.push_back({table.sample_T[t], 1, table.position_T[t], objective, modality});
    }
    return runs;
}

}  // namespace es::store
