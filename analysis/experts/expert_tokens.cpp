// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/expert_tokens.h"

#include <spdlog/fmt/fmt.h>

#include <limits>
#include <optional>
#include <unordered_map>

#include "analysis/metrics/weighing.h"

namespace es::analysis {
namespace {

/// The assignment of a token to an expert, if there is one.
std::optional<std::size_t> assignmentOf(const store::RoutingTable& table, std::size_t row, std::int32_t expert, std::int32_t* rank = nullptr) {
    const auto experts = static_cast<std::size_t>(table.router.experts);
    if (table.router.layout == store::RoutingLayout::kDenseMass) {
        const std::size_t at = row * experts + static_cast<std::size_t>(expert);
        if (!(table.gates[at] > 0)) return {};
        if (rank) {
            *rank = 0;
            for (std::size_t e = 0; e < experts; ++e) {
                const float other = table.gates[row * experts + e];
                *rank += other > table.gates[at] || (other == table.gates[at] && e < static_cast<std::size_t>(expert));
            }
        }
        return at;
    }
    const bool ragged = table.router.layout == store::RoutingLayout::kRagged;
    const auto k = static_cast<std::size_t>(table.router.k);
    const std::size_t begin = ragged ? static_cast<std::size_t>(table.offsets[row]) : row * k;
    const std::size_t end = ragged ? static_cast<std::size_t>(table.offsets[row + 1]) : begin + k;
    for (std::size_t at = begin; at < end; ++at)
        if (table.expert_ids[at] == expert) {
            if (rank) *rank = static_cast<std::int32_t>(at - begin);
            return at;
        }
    return {};
}

}  // namespace

float ExpertTokens::weight(std::size_t row) const {
    const auto at = assignmentOf(*table, row, query.expert.value);
    if (!at) return std::numeric_limits<float>::quiet_NaN();
    return table->gates.empty() ? 1.0f : table->gates[*at];
}

float ExpertTokens::probability(std::size_t row) const {
    if (table->probs_TE.empty()) return std::numeric_limits<float>::quiet_NaN();
    return table->probs_TE[row * static_cast<std::size_t>(table->router.experts) + static_cast<std::size_t>(query.expert.value)];
}

std::int32_t ExpertTokens::rank(std::size_t row) const {
    std::int32_t rank = -1;
    (void)assignmentOf(*table, row, query.expert.value, &rank);
    return rank;
}

Result<store::ProbeKey> trainedProbe(const store::RunReader& run, std::int64_t step) {
    std::optional<store::ProbeKey> best;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == "trained" && (step < 0 || key.step == step) && (!best || key.step > best->step)) best = key;
    if (best) return *best;
    return jobFailed("No probe to look at", step < 0 ? "the run has no probe yet" : fmt::format("the run has no probe of step {}", step),
                     "Probes are written with every checkpoint when record.probe_samples is above 0", run.folder().string());
}

Result<ExpertTokens> expertTokens(std::shared_ptr<const store::RoutingTable> table, const ExpertQuery& query, std::span<const std::uint8_t> include_T) {
    if (const std::string problem = tableProblem(*table); !problem.empty())
        return badInput("Cannot look at the expert", "the probe is damaged: " + problem, "Choose another checkpoint");
    const store::RouterInfo& router = table->router;
    if (!query.expert.valid() || query.expert.value >= router.experts)
        return badInput("Cannot look at the expert", fmt::format("the router has no expert {}", query.expert.value),
                        fmt::format("Its experts are 0 to {}", router.experts - 1));
    ExpertTokens tokens;
    tokens.query = query;
    tokens.query.step = table->step;
    const auto rows = static_cast<std::size_t>(table->tokens);
    const auto counts = [&](std::size_t row) { return include_T.empty() || (row < include_T.size() && include_T[row] != 0); };
    tokens.taken_T.assign(rows, 0);
    tokens.total_T.assign(rows, 0);
    tokens.sample_T.assign(rows, 0);
    const auto wanted = query.expert.value;
    if (router.layout == store::RoutingLayout::kFixedK) {
        const auto k = static_cast<std::size_t>(router.k);
        const auto experts = static_cast<std::uint16_t>(router.experts);
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t i = row * k; i < (row + 1) * k; ++i) {
                const std::uint16_t id = table->expert_ids[i];
                tokens.total_T[row] += id < experts ? 1.0f : 0.0f;
                tokens.taken_T[row] += id == wanted ? 1.0f : 0.0f;
            }
    } else {
        forEachWeighted(store::RoutingView(*table), Weighing::kAuto, [&](std::int64_t token, std::int32_t expert, double weight) {
            const auto row = static_cast<std::size_t>(token);
            tokens.total_T[row] += static_cast<float>(weight);
            if (expert == wanted) tokens.taken_T[row] += static_cast<float>(weight);
        });
    }
    std::unordered_map<std::uint64_t, std::int32_t> number;
    std::uint64_t last = 0;
    std::int32_t last_number = -1;
    for (std::size_t row = 0; row < rows; ++row) {
        const std::uint64_t hash = table->sample_T.empty() ? 0 : table->sample_T[row];
        if (last_number < 0 || hash != last) {
            const auto [found, is_new] = number.try_emplace(hash, static_cast<std::int32_t>(tokens.samples.size()));
            if (is_new) tokens.samples.push_back(hash);
            last = hash;
            last_number = found->second;
        }
        tokens.sample_T[row] = last_number;
        const bool masked = query.leave_out_masked && !table->masked_T.empty() && table->masked_T[row] != 0;
        if (!counts(row) || masked) {
            tokens.masked_left_out += masked && counts(row);
            tokens.total_T[row] = tokens.taken_T[row] = 0;
        }
        if (!(tokens.total_T[row] > 0)) continue;
        ++tokens.tokens;
        tokens.takers += tokens.taken_T[row] > 0;
        tokens.taken += tokens.taken_T[row];
        tokens.total += tokens.total_T[row];
    }
    tokens.table = std::move(table);
    return tokens;
}

Result<ExpertTokens> expertTokens(const store::RunReader& run, const ExpertQuery& query) {
    bool known = false;
    const std::vector<store::RouterInfo> routers = run.routers();
    for (const store::RouterInfo& router : routers) known = known || router.id == query.router;
    if (!known)
        return badInput("Cannot look at the expert", routers.empty() ? "this model is dense: it has no routers" : "the run has no such router",
                        "Choose an expert of a sparse run", run.folder().string());
    const auto key = trainedProbe(run, query.step);
    if (!key) return tl::unexpected(key.error());
    auto table = run.probe(*key, query.router);
    if (!table) return tl::unexpected(table.error());
    return expertTokens(std::make_shared<const store::RoutingTable>(std::move(*table)), query);
}

}  // namespace es::analysis
