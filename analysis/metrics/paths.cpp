// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/paths.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>

#include "analysis/metrics/pairs.h"
#include "analysis/stats/entropy.h"

namespace es::analysis {

RoutingPaths routingPaths(std::span<const store::RoutingTable> tables) {
    RoutingPaths result;
    if (tables.empty()) return result;
    std::vector<std::vector<std::int32_t>> first;
    std::vector<std::vector<std::int64_t>> rows;
    std::vector<std::vector<double>> loads;
    for (const store::RoutingTable& table : tables) {
        result.routers.push_back(table.router);
        first.push_back(firstChoices(store::RoutingView(table)));
        rows.push_back(alignTokens(tables.front(), table));
        loads.emplace_back(static_cast<std::size_t>(std::max(table.router.experts, 0)), 0);
    }
    std::unordered_map<std::u16string, std::int64_t> counts;
    std::u16string key(tables.size(), u'\0');
    for (std::int64_t t = 0; t < tables.front().tokens; ++t) {
        bool whole = true;
        for (std::size_t r = 0; r < tables.size() && whole; ++r) {
            const std::int64_t row = rows[r][static_cast<std::size_t>(t)];
            const std::int32_t expert = row < 0 ? -1 : first[r][static_cast<std::size_t>(row)];
            whole = expert >= 0;
            key[r] = static_cast<char16_t>(expert);
        }
        if (!whole) {
            ++result.left_out;
            continue;
        }
        ++result.tokens;
        ++counts[key];
        for (std::size_t r = 0; r < tables.size(); ++r) loads[r][key[r]] += 1;
    }
    if (result.tokens == 0) return result;
    const auto n = static_cast<double>(result.tokens);
    std::vector<double> masses;
    for (const auto& [experts, tokens] : counts) {
        RoutingPath path{{}, tokens, n};
        for (std::size_t r = 0; r < experts.size(); ++r) {
            path.experts.push_back(experts[r]);
            path.expected *= loads[r][experts[r]] / n;
        }
        result.paths.push_back(std::move(path));
    }
    std::sort(result.paths.begin(), result.paths.end(),
              [](const RoutingPath& a, const RoutingPath& b) { return a.tokens != b.tokens ? a.tokens > b.tokens : a.experts < b.experts; });
    for (std::size_t i = 0; i < result.paths.size(); ++i) {
        masses.push_back(static_cast<double>(result.paths[i].tokens));
        if (i < 10) result.top10_share += static_cast<double>(result.paths[i].tokens) / n;
    }
    result.entropy_nats = entropyNats(std::span<const double>(masses));
    result.effective_paths = std::exp(result.entropy_nats);
    for (const std::vector<double>& load : loads) result.independent_entropy_nats += entropyNats(std::span<const double>(load));
    return result;
}

double usageOverlap(std::span<const double> u_E, std::span<const double> v_E) {
    double sum = 0;
    for (std::size_t e = 0; e < std::min(u_E.size(), v_E.size()); ++e) sum += std::min(u_E[e], v_E[e]);
    return sum;
}

double routerCka(const store::RoutingTable& a, const store::RoutingTable& b, std::int64_t most_tokens) {
    constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();
    const auto width_a = static_cast<std::size_t>(a.router.experts), width_b = static_cast<std::size_t>(b.router.experts);
    if (a.probs_TE.empty() || b.probs_TE.empty()) return kUnset;
    const std::vector<std::int64_t> rows = alignTokens(a, b);
    std::vector<std::size_t> common;
    for (std::size_t t = 0; t < rows.size(); ++t)
        if (rows[t] >= 0) common.push_back(t);
    if (common.empty()) return kUnset;
    const std::size_t every = std::max<std::size_t>(1, (common.size() + static_cast<std::size_t>(most_tokens) - 1) / static_cast<std::size_t>(most_tokens));
    std::vector<double> x, y;
    for (std::size_t i = 0; i < common.size(); i += every) {
        const std::size_t row_a = common[i] * width_a, row_b = static_cast<std::size_t>(rows[common[i]]) * width_b;
        for (std::size_t e = 0; e < width_a; ++e) x.push_back(static_cast<double>(a.probs_TE[row_a + e]));
        for (std::size_t e = 0; e < width_b; ++e) y.push_back(static_cast<double>(b.probs_TE[row_b + e]));
    }
    return linearCka(x, a.router.experts, y, b.router.experts);
}

std::vector<double> probabilityCorrelation(const store::RoutingTable& table) {
    const auto experts = static_cast<std::size_t>(std::max(table.router.experts, 0));
    if (table.probs_TE.empty() || experts == 0) return {};
    const std::size_t tokens = table.probs_TE.size() / experts;
    std::vector<double> mean(experts, 0), product(experts * experts, 0), centred(experts);
    for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t e = 0; e < experts; ++e) mean[e] += static_cast<double>(table.probs_TE[t * experts + e]) / static_cast<double>(tokens);
    for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t e = 0; e < experts; ++e) centred[e] = static_cast<double>(table.probs_TE[t * experts + e]) - mean[e];
        for (std::size_t i = 0; i < experts; ++i)
            for (std::size_t j = i; j < experts; ++j) product[i * experts + j] += centred[i] * centred[j];
    }
    std::vector<double> result(experts * experts, 0);
    for (std::size_t i = 0; i < experts; ++i)
        for (std::size_t j = i; j < experts; ++j) {
            const double spread = std::sqrt(product[i * experts + i] * product[j * experts + j]);
            result[i * experts + j] = result[j * experts + i] = i == j ? 1 : spread > 0 ? product[i * experts + j] / spread : 0;
        }
    return result;
}

}  // namespace es::analysis
