// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/routing_tables.h"

namespace es::store {
namespace {

/// Copies the entries of the kept tokens; `width` entries a token. An empty column stays empty.
template <class T>
std::vector<T> pick(const std::vector<T>& column, const std::vector<std::uint8_t>& keep, std::size_t width) {
    std::vector<T> out;
    if (column.empty()) return out;
    for (std::size_t t = 0; t < keep.size(); ++t)
        if (keep[t] != 0)
            out.insert(out.end(), column.begin() + static_cast<std::ptrdiff_t>(t * width), column.begin() + static_cast<std::ptrdiff_t>((t + 1) * width));
    return out;
}
template <class T>
std::vector<T> pickRagged(const std::vector<T>& column, const std::vector<std::uint8_t>& keep, const std::vector<std::int64_t>& offsets) {
    std::vector<T> out;
    if (column.empty()) return out;
    for (std::size_t t = 0; t < keep.size(); ++t)
        if (keep[t] != 0) out.insert(out.end(), column.begin() + offsets[t], column.begin() + offsets[t + 1]);
    return out;
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

RoutingTable selectTokens(const RoutingTable& table, const std::vector<std::uint8_t>& keep) {
    RoutingTable out;
    out.router = table.router;
    out.step = table.step;
    const auto experts = static_cast<std::size_t>(table.router.experts);
    if (table.router.layout == RoutingLayout::kRagged) {
        out.expert_ids = pickRagged(table.expert_ids, keep, table.offsets);
        out.gates = pickRagged(table.gates, keep, table.offsets);
        out.kept = pickRagged(table.kept, keep, table.offsets);
        out.offsets.push_back(0);
        for (std::size_t t = 0; t < keep.size(); ++t)
            if (keep[t] != 0) out.offsets.push_back(out.offsets.back() + table.offsets[t + 1] - table.offsets[t]);
    } else {
        const std::size_t width = table.router.layout == RoutingLayout::kDenseMass ? experts : static_cast<std::size_t>(table.router.k);
        out.expert_ids = pick(table.expert_ids, keep, width);
        out.gates = pick(table.gates, keep, width);
        out.kept = pick(table.kept, keep, width);
    }
    out.probs_TE = pick(table.probs_TE, keep, experts);
    out.entropy_nats_T = pick(table.entropy_nats_T, keep, 1);
    out.boundary_margin_T = pick(table.boundary_margin_T, keep, 1);
    out.sample_T = pick(table.sample_T, keep, 1);
    out.position_T = pick(table.position_T, keep, 1);
    out.modality_T = pick(table.modality_T, keep, 1);
    out.token_id_T = pick(table.token_id_T, keep, 1);
    out.masked_T = pick(table.masked_T, keep, 1);
    out.objective_T = pick(table.objective_T, keep, 1);
    out.tokens = static_cast<std::int64_t>(out.sample_T.size());
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
