// SPDX-License-Identifier: GPL-3.0-or-later
// Losses on held-out samples with masks that never change, sample by sample, beside the trivial predictor and the wrong picture. Contrastive
// learning and matching are judged in batches that never change either, as large as those of training, unmasked.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/data/data_source.h"
#include "engine/model/vl_moe.h"
#include "engine/store/records.h"
#include "engine/train/trivial_predictor.h"

namespace es::engine {

/// Masks of evaluations are keyed by this and the sample, not by the run's seed: every run is judged on the same hidden tokens.
inline constexpr std::int64_t kEvaluationMaskSeed = 1;
/// EvaluationRow::variant of masked words whose picture is another sample's.
inline constexpr const char* kWrongPicture = "wrong_picture";

struct EvaluationOutcome {
    store::Evaluation evaluation;
    /// Mean over all counted tokens of the split; NaN where nothing was evaluated.
    std::array<double, kObjectiveCount> loss, trivial;
    double wrong_picture = 0;  ///< pair_text with another sample's picture; NaN when there are fewer than two pairs
    double total = 0;          ///< weighted by the configuration; objectives of weight 0 or without samples are left out
};

struct EvaluationWish {
    const InterventionPlan* interventions = nullptr;  ///< not owned; null: the model as it is
    RoutingObserver* observer = nullptr;              ///< not owned; told of every forward, samples always in the same order
    bool controls = true;                             ///< whether words are also predicted beside another sample's picture
};

class Evaluator {
public:
    /// Fits the trivial predictor. Takes config.train.evaluate_samples of the validation split, evenly spaced; 0: all.
    Evaluator(std::shared_ptr<const DataSource> source, const config::RunConfig& config);
    /// Fails with kStopped only.
    [[nodiscard]] Result<EvaluationOutcome> run(VlMoe& model, at::Device device, std::int64_t step, const JobContext& context,
                                                const EvaluationWish& wish = {}) const;

    /// At most `wanted` of the samples that run() judges, each once, evenly spaced.
    [[nodiscard]] std::vector<std::int64_t> someSamples(std::int64_t wanted) const;

private:
    std::shared_ptr<const DataSource> source_;
    config::RunConfig config_;
    TrivialPredictor trivial_;
    std::array<std::vector<std::int64_t>, 3> samples_;          // by StreamKind
    std::vector<std::vector<std::int64_t>> alignment_batches_;  // pairs, mixed; empty where neither objective has a weight
};

}  // namespace es::engine
