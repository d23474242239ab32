// SPDX-License-Identifier: GPL-3.0-or-later
// What interventions did to held-out losses: by objective, by class and by sample, each with its interval and n. Pure functions of a kept result.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "analysis/compare/loss_difference.h"
#include "analysis/metrics/sample_families.h"
#include "engine/config/run_config.h"
#include "engine/store/annotations.h"

namespace es::analysis {

/// One held-out loss without and with interventions. The difference is with minus without, over paired samples of one trained model: its
/// interval says nothing about other seeds.
struct LossEffect {
    std::string loss, unit;  ///< "total" or the objective; "nats" or "" (normalised pixels, and sums of both)
    std::string category;    ///< empty: all samples
    double without = 0, with = 0, difference = 0;
    double low = 0, high = 0, p = 0;  ///< NaN with fewer than two samples
    double confidence = 0.95;         ///< of the interval: of classes corrected for their number
    std::int64_t samples = 0;
    std::int64_t units = 0;  ///< families of these samples: what the interval is over
    [[nodiscard]] bool excludesZero() const { return low > 0 || high < 0; }
};
/// "400 samples", or "392 families of 400 samples" where some are near-copies of each other: what the interval is over.
[[nodiscard]] std::string overWords(const LossEffect& effect);

/// Losses without (first) and with the interventions, as sampleDifference() takes them. `families`: as everywhere here, samples that count as one in
/// intervals.
[[nodiscard]] SampleLosses lossesBefore(const store::KeptResult& result, const SampleFamilies& families = {});
[[nodiscard]] SampleLosses lossesAfter(const store::KeptResult& result);

/// "total" (weighted as in the configuration, over samples that have all its objectives) first, then each objective; those with a sample.
[[nodiscard]] std::vector<LossEffect> lossEffects(const store::KeptResult& result, const config::RunConfig& config, double confidence = 0.95,
                                                  const SampleFamilies& families = {});
/// sampleDifference() as an effect on the loss of this name.
[[nodiscard]] LossEffect lossEffect(const SampleLosses& before, const SampleLosses& after, const std::vector<double>& weights, const std::string& loss,
                                    const std::string& unit, double confidence = 0.95);
/// "nats", or "" for normalised pixels.
[[nodiscard]] std::string effectUnit(Objective objective, const config::RunConfig& config);
/// The configuration's weights of the objectives that the result has: a stream that the run does not train is not evaluated.
[[nodiscard]] std::vector<double> totalWeights(const store::KeptResult& result, const config::RunConfig& config);

inline constexpr std::int64_t kLeastClassSamples = 5;

/// One loss ("total" or an objective's name) by the samples' category, largest absolute difference first. Classes of fewer than
/// `min_samples` (families of samples) are left out and counted. Intervals hold together: each at 1 - (1 - confidence) / classes (Bonferroni).
struct ClassEffects {
    std::vector<LossEffect> classes;
    std::int64_t small = 0, unlabelled = 0;  ///< classes left out; samples without category
};
[[nodiscard]] ClassEffects classEffects(const store::KeptResult& result, const config::RunConfig& config, const std::string& loss, double confidence = 0.95,
                                        std::int64_t min_samples = kLeastClassSamples, const SampleFamilies& families = {});

/// Total loss of one sample.
struct SampleEffect {
    std::uint64_t sample = 0;
    std::string caption, category;
    double without = 0, with = 0;
    [[nodiscard]] double difference() const { return with - without; }
};
/// Weighted as "total", over the objectives that the sample has; largest absolute difference first.
[[nodiscard]] std::vector<SampleEffect> sampleEffects(const store::KeptResult& result, const config::RunConfig& config);

/// The same result with the rows of these samples alone.
[[nodiscard]] store::KeptResult narrowed(store::KeptResult result, const std::unordered_set<std::uint64_t>& samples);

/// Tokens that were re-routed, of all routers together.
[[nodiscard]] std::int64_t reroutedTokens(const store::KeptResult& result);

}  // namespace es::analysis
