// SPDX-License-Identifier: GPL-3.0-or-later
// Differences of held-out losses with their intervals: over seeds where there are any, else over samples.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/compare/comparison.h"
#include "analysis/metrics/sample_families.h"

namespace es::analysis {

/// Losses of the held-out samples of one run at its last evaluation.
struct SampleLosses {
    std::int64_t step = -1;
    /// Of a sample under one objective: masks of several seeds are kept apart.
    struct Key {
        std::uint64_t sample = 0;
        std::int64_t mask_seed = 0;
        Objective objective = Objective::kImage;
        auto operator<=>(const Key&) const = default;
    };
    struct Value {
        double loss = 0;
        std::int32_t targets = 0;
    };
    std::map<Key, Value> values;  ///< plain rows only, finite
    SampleFamilies families;      ///< samples that count as one in intervals
};
[[nodiscard]] Result<SampleLosses> sampleLosses(const store::RunReader& run);
/// Those of one evaluation at hand.
[[nodiscard]] SampleLosses sampleLosses(const store::Evaluation& evaluation);

/// Candidate minus baseline over samples. `weights`: of each objective in the sum (one objective 1, the others 0, for a single loss; the
/// configuration's for the total). Each sample counts by its number of targets, as in the recorded loss, so that the mean is the difference
/// of the recorded losses over these samples; the interval is the linearised one of such a ratio (linearisedInterval()), over families of samples (the
/// baseline's), NaN with fewer than two. Samples that lack one of the weighted objectives, or whose targets differ between the sides, are left out.
struct SampleDifference {
    double baseline = 0, candidate = 0, mean = 0, low = 0, high = 0, p = 0;
    double standard_error = 0;  ///< NaN with fewer than two families
    std::int64_t units = 0;     ///< families of the samples
    std::int64_t samples = 0, left_out = 0, masks_differ = 0;
};
[[nodiscard]] SampleDifference sampleDifference(const Baseline<SampleLosses>& baseline, const Candidate<SampleLosses>& candidate,
                                                const std::vector<double>& weights, double confidence,
                                                const std::map<std::uint64_t, std::int32_t>* only = nullptr, std::int32_t group = 0);

/// Weight of each objective in the total, from the configuration, in order of Objective.
[[nodiscard]] std::vector<double> objectiveWeights(const config::RunConfig& config);

/// Final loss of each seed of a group: seed -> value (repeated seeds are averaged). Runs without it are left out.
[[nodiscard]] Result<std::map<std::int64_t, double>> finalLossBySeed(const RunGroup& group, const std::string& scalar);

/// All losses, "total" first. Notes get what could not be said.
[[nodiscard]] Result<std::vector<LossDifference>> lossDifferences(const Baseline<RunGroup>& baseline, const Candidate<RunGroup>& candidate, double confidence,
                                                                  std::vector<std::string>& notes);

/// Interval of values by seed: paired over common seeds, Welch otherwise, none with one value a side.
[[nodiscard]] LossDifference seedDifference(const Baseline<std::map<std::int64_t, double>>& baseline,
                                            const Candidate<std::map<std::int64_t, double>>& candidate, double confidence);

}  // namespace es::analysis
