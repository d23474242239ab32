// SPDX-License-Identifier: GPL-3.0-or-later
// Everything the Compare workspace shows, computed in one go away from the GUI thread. No widgets.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "analysis/figures/compare_panels.h"
#include "engine/base/job_context.h"
#include "views/compare/run_groups.h"

namespace es::views {

/// Opened runs, kept between comparisons. Thread-safe.
class ReaderCache {
public:
    /// Opens on first use, refreshes later.
    [[nodiscard]] Result<std::shared_ptr<store::RunReader>> reader(const QString& folder, const JobContext& context);

private:
    std::mutex mutex_;
    std::map<QString, std::shared_ptr<store::RunReader>> readers_;
};

struct CompareRequest {
    RunChoice baseline, candidate;
    std::vector<RunChoice> others;  ///< the rest: points of speed against quality; dense ones are compared too (third arm)
    std::map<QString, int> colors;  ///< run directory -> colour number
    analysis::XAxis axis = analysis::XAxis::kActiveFlops;
    std::string router;  ///< whose experts are matched; empty: the first
};

using PanelPointer = std::shared_ptr<const analysis::Panel>;
struct CompareAnswer {
    analysis::Comparison comparison;
    PanelPointer curves, reach, losses, categories, cost, configuration, checks;
    Result<PanelPointer> speed = PanelPointer();
    Result<PanelPointer> match = PanelPointer();
    std::vector<std::string> match_runs;  ///< the two runs whose experts are matched
    std::vector<std::string> routers;     ///< that can be chosen
    std::string router;                   ///< the one chosen
    std::vector<std::string> third_arms;  ///< a sentence for each further dense baseline
};

[[nodiscard]] Result<std::shared_ptr<const CompareAnswer>> compareRuns(const CompareRequest& request, ReaderCache& cache, const JobContext& context);

}  // namespace es::views
