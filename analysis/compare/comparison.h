// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse against dense: groups of runs (seeds of one configuration), their held-out losses on an axis of cost, and a verdict with an interval
// that says what it replicates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/compare/sides.h"
#include "analysis/figures/run_source.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/config/config_io.h"

namespace es::analysis {

/// Seeds of one configuration. The name is the legend's; empty: the first run's.
struct RunGroup {
    std::string name;
    std::vector<RunSource> runs;
    std::int32_t color = 0;
};

struct CompareOptions {
    XAxis axis = XAxis::kActiveFlops;
    double confidence = 0.95;
    bool by_category = true;
    std::int64_t max_points = 1000;
};

/// What the interval of a difference is over.
enum class Replication : std::uint8_t {
    kNone,         ///< one value a side: no interval
    kPairedSeeds,  ///< >= 2 seeds that both sides have: paired t over seeds
    kSeeds,        ///< >= 2 seeds a side, not the same ones: Welch over seeds
    kSamples,      ///< one seed a side: paired t over held-out samples with equal masks; says nothing about other seeds
};

/// Candidate minus baseline of one loss. NaN where there is none.
struct LossDifference {
    std::string loss;                    ///< "total", or an objective by its name: "image", "contrastive", ...
    std::string unit;                    ///< "nats" for words, "" for normalised pixels
    double baseline = 0, candidate = 0;  ///< means over seeds (or over the one seed's samples)
    double mean = 0, low = 0, high = 0, p = 0;
    Replication replication = Replication::kNone;
    std::int64_t n = 0;  ///< pairs of seeds, or samples
    std::int64_t baseline_seeds = 0, candidate_seeds = 0;
    std::string over;  ///< "over 268 samples, 1 seed" / "over 3 seeds, paired"
    [[nodiscard]] bool excludesZero() const { return low > 0 || high < 0; }
};

/// Held-out total loss of one group along the axis: mean over its runs at common points, and the range of the runs.
struct GroupCurve {
    std::string name;
    std::int32_t color = 0;
    std::vector<double> x, mean, low, high;  ///< low and high: smallest and largest run (mean +- sd with >= 3 runs)
    struct RunCurve {
        std::string label;
        std::vector<double> x, loss, step;
    };
    std::vector<RunCurve> runs;
};

/// How much of an axis the candidate needs for the loss that the baseline ended with.
struct ReachRatio {
    XAxis axis = XAxis::kActiveFlops;
    double target_loss = 0;
    std::optional<double> ratio;  ///< baseline's cost ÷ candidate's cost: above 1 the candidate is cheaper; empty: not reached or not recorded
    double low = 0, high = 0;     ///< interval over paired seeds; NaN with one
    std::int64_t n = 0;
    std::string words;  ///< "2.1 x less active compute" / "does not reach it"
};

/// Ratio of costs at each loss level that both reach.
struct ReachCurve {
    XAxis axis = XAxis::kActiveFlops;
    std::vector<double> loss, ratio, low, high;
};

struct CostRow {
    std::string name, unit;
    double baseline = 0, candidate = 0;           ///< NaN: not recorded
    bool lower_is_better = true, judged = false;  ///< judged: one side may be set in bold
};

struct CategoryDifference {
    std::string category;
    double mean = 0, low = 0, high = 0;  ///< over samples, seeds averaged first
    std::int64_t samples = 0;
};

/// One thing that has to be equal for the comparison to be fair.
struct ComparabilityCheck {
    bool ok = true;
    std::string words;  ///< "Both sides saw the same data (hash 3f2a...)"
};

struct Comparison {
    std::string baseline_name, candidate_name;
    XAxis axis = XAxis::kActiveFlops;
    double confidence = 0.95;  ///< of every interval here
    GroupCurve baseline_curve, candidate_curve;
    std::vector<LossDifference> losses;           ///< "total" first; at the end of each run
    std::optional<LossDifference> at_equal_axis;  ///< total loss at the largest axis value that all runs reach
    double equal_axis_value = 0;
    std::vector<ReachRatio> reach;  ///< on every axis that both record
    std::vector<ReachCurve> reach_curves;
    std::vector<CategoryDifference> categories;  ///< most gain first
    std::vector<CostRow> cost;
    std::vector<config::ConfigDifference> configuration;  ///< first run of each side; a baseline, b candidate
    std::vector<ComparabilityCheck> checks;
    std::string verdict;  ///< whole sentences
    std::vector<std::string> notes;
};

/// Compares two groups. Errors: an empty group; a run without any held-out loss.
[[nodiscard]] Result<Comparison> compareGroups(const Baseline<RunGroup>& baseline, const Candidate<RunGroup>& candidate, const CompareOptions& options = {},
                                               const JobContext& context = {});

}  // namespace es::analysis
