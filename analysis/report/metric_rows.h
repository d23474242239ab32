// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of `analyze`, one function a family of metrics. Each appends its rows and says in the notes what it could not measure.
#pragma once

#include <optional>
#include <vector>

#include "analysis/report/analyze.h"

namespace es::analysis {

/// What the parts share: the run, the routers asked for and their tables of the chosen probe.
struct AnalyzeInput {
    const store::RunReader& run;
    const AnalyzeRequest& request;
    const JobContext& context;
    std::vector<store::RouterInfo> routers;   ///< of the chosen layer, or all
    std::vector<store::RoutingTable> tables;  ///< one a router; empty without a probe
    std::int64_t step = -1;                   ///< of the probe; without one, the newest recorded step
};

using MetricPart = Status (*)(const AnalyzeInput& input, AnalyzeResult& result);

[[nodiscard]] Status addLosses(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addLoad(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addConfidence(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addModality(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addSpecialisation(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addCategories(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addVocabulary(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addRepetition(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addChange(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addCoactivation(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addFlow(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addSpread(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addDomains(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addContext(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addDivergence(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addPaths(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addRouterSimilarity(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addSeedMatch(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addStability(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addAlarms(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addTrace(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addCausal(const AnalyzeInput& input, AnalyzeResult& result);
[[nodiscard]] Status addSimilarity(const AnalyzeInput& input, AnalyzeResult& result);

/// A row of one router, to be given a name and a value.
[[nodiscard]] MetricRow routerRow(const char* metric, const store::RouterInfo& router, std::int64_t step);
/// A row of the whole run.
[[nodiscard]] MetricRow runRow(const char* metric, std::int64_t step);
/// Appends a copy of `row` with this name and value.
void addRow(AnalyzeResult& result, MetricRow row, std::string name, double value, std::int64_t n = 0);

}  // namespace es::analysis
