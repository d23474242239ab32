// SPDX-License-Identifier: GPL-3.0-or-later
// Initial weights from the counter-based generator: they depend on (seed, parameter name, shape) alone.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/random.h"

namespace es::engine {

struct InitializationOptions {
    std::int64_t layers = 1;
    double router_std = 0.02;
    /// Beginnings of names ("layers.1.v.") whose routers have another deviation.
    std::vector<std::pair<std::string, double>> router_std_of = {};
};

/// Draws every parameter of `model` in place, without gradient. Matrices: normal, cut at two deviations, deviation 1/sqrt(3 · inputs)
/// (0.021 at width 768, the customary 0.02); those that write into the residual stream are divided by sqrt(2 · layers). Embeddings:
/// 0.02 (for the word head 0.02 learned more slowly in the demo's setting). Routers: normal, `router_std`; where directions alone count, 1/sqrt(width). Norm
/// weights 1, biases 0.
void initialize(torch::nn::Module& model, std::uint64_t seed, const InitializationOptions& options);

/// Fills an fp32 CPU tensor with normal numbers; `cut` (in deviations, 0: none) draws again what lies beyond.
void fillNormal(at::Tensor tensor, RandomStream& random, double deviation, double cut);

}  // namespace es::engine
