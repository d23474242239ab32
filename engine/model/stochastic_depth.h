// SPDX-License-Identifier: GPL-3.0-or-later
// Stochastic depth: in training a sample may skip a sublayer (Huang et al., arXiv:1603.09382).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "engine/model/token_layout.h"

namespace es::engine {

/// The probability with which a layer's sublayers are skipped: `most` in the top layer, linearly less below, 0 in layer 0.
[[nodiscard]] double dropProbability(double most, std::int64_t layer, std::int64_t layers);

/// Which draw: the same key, the same samples skip.
struct DropKey {
    std::uint64_t seed = 0;
    std::int64_t step = 0;
    std::int64_t sublayer = 0;  ///< counted through the model: twice the layer, and one more for the feed-forward
    std::int64_t micro_batch = 0;
};

/// The factor of each row of what a sublayer adds (N x 1, of `like`'s type and device): 0 in samples that skip it, 1 / (1 - probability) in
/// the others, so that its expectation stays. All rows of a sample go together. `probability` is at least 0 and below 1.
[[nodiscard]] at::Tensor survivalFactors(const TokenLayout& layout, double probability, const DropKey& key, const at::Tensor& like);

}  // namespace es::engine
