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
#include "engine/objective/masked_prediction.h"

namespace es::engine {

/// What one objective gives. Undefined tensors when the batch has no such stream, or nothing to compare it with.
struct ObjectiveResult {
    at::Tensor loss;  ///< 0-d with gradient: mean over counted tokens; undefined when none is counted
    at::Tensor sample_loss_sum_B, sample_targets_B, sample_correct_B;
    at::Tensor word_log_probs_NV;
};

struct HeadSizes {
    std::int64_t width = 0;
    std::int64_t patch_numbers = 0;  ///< numbers a patch
    std::int64_t vocabulary = 0;
    std::int64_t picture_codes = 0;  ///< 0: patches are predicted as pixels
};

class Heads : public torch::nn::Module {
public:
    explicit Heads(const HeadSizes& sizes);
    /// The masked objectives. `x_ND` in the rows of `layout`; `log_probs` asks for the words' log-probabilities. Where patches are predicted as
    /// codes, a stream without codes has no picture loss.
    [[nodiscard]] std::array<ObjectiveResult, kObjectiveCount> forward(const at::Tensor& x_ND, const Batch& batch, const TokenLayout& layout,
                                                                       bool log_probs) const;

private:
    /// Of the counted patches (M x width); `target_M` holds each stream's pixels or codes.
    [[nodiscard]] TokenLosses patchLosses(const at::Tensor& x_MD, const at::Tensor& target_M) const;

    HeadSizes sizes_;
    std::shared_ptr<LayerNorm> norm_v_, norm_t_;
    std::shared_ptr<Linear> pixel_, code_, word_;  ///< either pixel_ or code_
};

}  // namespace es::engine
