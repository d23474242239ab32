// SPDX-License-Identifier: GPL-3.0-or-later
// From token vectors to predictions and losses, computed only where something is hidden and counted. M counted tokens, D width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/data/batch.h"
#include "engine/model/linear.h"
#include "engine/model/token_layout.h"

namespace es::engine {

/// What one masked objective gives. Undefined tensors when the batch has no such stream.
struct ObjectiveResult {
    at::Tensor loss;  ///< 0-d with gradient: mean over counted tokens; undefined when none is counted
    at::Tensor sample_loss_sum_B, sample_targets_B, sample_correct_B;
    at::Tensor word_log_probs_NV;
};

class Heads : public torch::nn::Module {
public:
    Heads(std::int64_t width, std::int64_t patch_numbers, std::int64_t vocabulary);
    /// `x_ND` in the rows of `layout`; `log_probs` asks for the words' log-probabilities.
    [[nodiscard]] std::array<ObjectiveResult, kObjectiveCount> forward(const at::Tensor& x_ND, const Batch& batch, const TokenLayout& layout,
                                                                       bool log_probs) const;

private:
    std::int64_t vocabulary_;
    std::shared_ptr<LayerNorm> norm_v_, norm_t_;
    std::shared_ptr<Linear> pixel_, word_;
};

}  // namespace es::engine
