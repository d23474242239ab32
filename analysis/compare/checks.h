// SPDX-License-Identifier: GPL-3.0-or-later
// Whether two groups of runs may be compared at all, and what they cost.
#pragma once

#include <vector>

#include "analysis/compare/comparison.h"

namespace es::analysis {

/// Data, evaluation masks, seeds, objectives, compute, completeness: each in words, good or not.
[[nodiscard]] Result<std::vector<ComparabilityCheck>> comparabilityChecks(const Baseline<RunGroup>& baseline, const Candidate<RunGroup>& candidate);

/// Parameters, FLOPs, speed, memory and final losses: means over the runs of a side.
[[nodiscard]] Result<std::vector<CostRow>> costRows(const Baseline<RunGroup>& baseline, const Candidate<RunGroup>& candidate);

}  // namespace es::analysis
