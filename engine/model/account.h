// SPDX-License-Identifier: GPL-3.0-or-later
// What a model holds and what a step of it costs, counted without building or running it.
#pragma once

#include "engine/config/presets.h"
#include "engine/config/run_config.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

/// Samples of a step.
struct StepSamples {
    double images = 0, texts = 0, pairs = 0;
};
/// Those that go through the layers: the batch, and the pairs that contrastive learning (each picture and caption alone) and matching (three
/// judged pairs a pair) append to it. `look_ahead` adds what choosing hard negatives computes without a backward pass: a third of a sample.
[[nodiscard]] StepSamples samplesThroughLayers(const config::RunConfig& config, bool look_ahead);

/// FLOPs of the matrix products of one step of the configured batch, forward and backward (three times the forward), one multiply-add as
/// two; texts at their full length. Active: what is computed; with capacity dispatch the most that it can be. Total: as if each token went
/// through all experts of its router. Parameters active: all but the experts that a token does not choose. Stochastic depth counts as
/// computed, for it is.
[[nodiscard]] ModelAccount accountFor(const config::RunConfig& config, const DataShape& shape);

/// The parameters that a published count of that scope includes, of a model of this width. Our head for pixels is left out, and a head for
/// 8,192 picture codes (8,192 biases) put in its place where the scope has one.
[[nodiscard]] std::int64_t parametersInScope(const ModelAccount& account, config::CountScope scope, std::int64_t width);

}  // namespace es::engine
