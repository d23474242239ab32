// SPDX-License-Identifier: GPL-3.0-or-later
// Panels of a whole probe: where the probed tokens go in every layer, together and one layer after another, and what experts are for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "analysis/metrics/paths.h"
#include "analysis/metrics/specialisation.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// Rows: routers; columns: experts; value: share of the router's assignments (mass for soft routing) over the even share. step -1: the newest probe.
[[nodiscard]] Result<Panel> probeExpertMap(const store::RunReader& run, std::int64_t step = -1);

/// Routers that tokens of a modality pass, layers ascending.
[[nodiscard]] std::vector<store::RouterInfo> routerChain(const store::RunReader& run, Modality modality);

/// Of the tables, those with tokens of the modality, layers ascending, these tokens alone and without distributions.
[[nodiscard]] std::vector<store::RoutingTable> chainTables(const std::vector<store::RoutingTable>& tables, Modality modality);

struct FlowOptions {
    Modality modality = Modality::kVision;
    std::int64_t step = -1;
    std::int32_t first = 0, count = 6;  ///< routers of the chain that are shown
    std::int32_t most_bands = 300;      ///< between two routers; smaller ones are left out, and the note says how many tokens they are
    std::int32_t most_paths = 100;      ///< rows of the table
};
/// The ways of the probe's tokens through the chain's routers, by first choice. Errors: fewer than two routers in the chain; no token in all of them.
[[nodiscard]] Result<RoutingPaths> probePaths(const store::RunReader& run, const FlowOptions& options = {}, const JobContext& context = {});
/// Tokens passing from expert to expert, a column a router.
[[nodiscard]] Panel pathFlow(const RoutingPaths& paths, const FlowOptions& options = {});
/// Paths, the most frequent first, beside what independent layers would give.
[[nodiscard]] Panel pathTable(const RoutingPaths& paths, const FlowOptions& options = {});

/// Linear CKA of the routers' probabilities over the tokens that two routers share; hatched where they share none.
[[nodiscard]] Result<Panel> routerSimilarity(const store::RunReader& run, std::int64_t step = -1, const JobContext& context = {});

/// How alike a router's experts are. Computed of the probe: "probabilities" (correlation over tokens). Recorded with the run when it was asked for
/// ("expertscope run RUN --similarity"): "weights", "router_rows", "outputs", "cka". Ordered by clustering.
[[nodiscard]] Result<Panel> expertSimilarity(const store::RunReader& run, RouterId router, const std::string& measure = "probabilities",
                                             std::int64_t step = -1);
/// Measures that expertSimilarity can show of this router now.
[[nodiscard]] std::vector<std::string> similarityMeasures(const store::RunReader& run, RouterId router, std::int64_t step);

/// Mutual information beside its baselines, one row a router and label; the verdict in the notes.
[[nodiscard]] Panel specialisationPanel(const std::vector<Specialisation>& rows);
/// Which expert takes which label, one row each, with base rates and intervals.
[[nodiscard]] Panel preferencePanel(const std::vector<Specialisation>& rows);

}  // namespace es::analysis
