// SPDX-License-Identifier: GPL-3.0-or-later
// Panels of a comparison, and of two runs' routing with experts matched.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/compare/comparison.h"
#include "analysis/figures/panel_data.h"

namespace es::analysis {

/// Held-out loss of both groups on the comparison's axis, with bands over seeds and the gap in compute as a line.
[[nodiscard]] Panel comparisonCurves(const Comparison& comparison);
/// baseline ÷ candidate cost at each loss reached by both, one curve an axis; 1 is a line.
[[nodiscard]] Panel computeToReach(const Comparison& comparison);
/// Difference of each loss with its interval.
[[nodiscard]] Panel lossForest(const Comparison& comparison);
/// Difference by category of the samples.
[[nodiscard]] Panel categoryForest(const Comparison& comparison);
/// Cost table: name, baseline, candidate, ratio.
[[nodiscard]] Panel costTable(const Comparison& comparison);
/// What differs in the configurations.
[[nodiscard]] Panel configurationTable(const Comparison& comparison);
/// Checks of comparability, and the verdict in the notes.
[[nodiscard]] Panel comparabilityTable(const Comparison& comparison);
/// Samples per second against final held-out loss: a point a group, bars: sd over seeds.
[[nodiscard]] Result<Panel> speedAgainstQuality(std::span<const RunGroup> groups);
/// Final losses of several groups: mean +- sd over seeds, best first.
[[nodiscard]] Result<Panel> resultsTable(std::span<const RunGroup> groups);
/// Experts of two runs that saw the same probe tokens: share of run a's expert (row) going to run b's expert (column), columns ordered by the
/// best matching; agreement and chance in the context. step -1: each run's newest common probe.
[[nodiscard]] Result<Panel> expertMatch(const RunSource& a, const RunSource& b, const std::string& router, std::int64_t step = -1);

}  // namespace es::analysis
