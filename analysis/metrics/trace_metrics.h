// SPDX-License-Identifier: GPL-3.0-or-later
// Load, co-activation and mutual information over everything that training traced, one unit in memory at a time.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "analysis/metrics/dependence.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pairs.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

struct TraceOptions {
    LayerIndex layer = {};                        ///< invalid: every layer
    std::int64_t first_step = 0, last_step = -1;  ///< inclusive; -1: the newest
    bool load = true, coactivation = true, dependence = true;
};

/// One router over the traced steps.
struct TraceMetrics {
    store::RouterInfo router;
    std::int64_t units = 0, tokens = 0, assignments = 0;
    std::int64_t first_step = -1, last_step = -1;
    std::vector<double> load_E;  ///< n_e before capacity; mass for dense routing
    LoadStats load;
    Coactivation coactivation;     ///< empty for k = 1
    MutualInformation category;    ///< of first choice and the sample's category; samples without one are left out
    std::vector<double> joint_LE;  ///< its counts
};

/// Categories of samples as numbers, in order of name.
struct SampleCategories {
    std::vector<std::string> names;
    std::unordered_map<std::uint64_t, std::int32_t> of;
};
[[nodiscard]] SampleCategories sampleCategories(const std::vector<store::SampleRecord>& samples);

/// All routers in one pass over the segments; routers without traced tokens are left out. Memory does not grow with the run. Segments that
/// cannot be read are left out and named in run.status().warnings. Errors: none of them can be read; stopped. Pure.
[[nodiscard]] Result<std::vector<TraceMetrics>> traceMetrics(const store::RunReader& run, const TraceOptions& options = {}, const JobContext& context = {});

}  // namespace es::analysis
