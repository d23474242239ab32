// SPDX-License-Identifier: GPL-3.0-or-later
// The feed-forward sublayer of one branch of one block: its LayerNorm, then a dense network or a mixture of experts; without the residual.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "engine/model/forward_context.h"
#include "engine/model/grouped_experts.h"
#include "engine/model/linear.h"
#include "engine/model/moe_layer.h"

namespace es::engine {

class FeedForward : public torch::nn::Module {
public:
    ~FeedForward() override = default;
    [[nodiscard]] virtual at::Tensor forward(const BranchTokens& tokens, ForwardContext& context) const = 0;
};

struct DenseOptions {
    std::int64_t width = 0, hidden = 0;
    Activation activation = Activation::kGelu;
    bool biases = true;     ///< of GELU; SwiGLU has none
    double scale = 1.0;     ///< frozen factor on the output: the scaled dense twin of a sparse model; 1 for a plain dense one
    bool sub_norm = false;  ///< normalises the hidden vectors
};

/// The network of one expert (groupedFfn), times a frozen factor.
class DenseFeedForward : public FeedForward {
public:
    explicit DenseFeedForward(const DenseOptions& options);
    [[nodiscard]] at::Tensor forward(const BranchTokens& tokens, ForwardContext& context) const override;

private:
    std::shared_ptr<LayerNorm> norm_;
    at::Tensor w1_HD_, b1_H_, w2_DH_, b2_D_, w3_HD_, norm_weight_H_, norm_bias_H_;  ///< undefined: the network has none
    Activation activation_;
    double scale_;
};

class SparseFeedForward : public FeedForward {
public:
    SparseFeedForward(std::int64_t width, const MoeOptions& options, const RouterPlace& place);
    [[nodiscard]] at::Tensor forward(const BranchTokens& tokens, ForwardContext& context) const override;
    [[nodiscard]] MoeLayer& moe() const { return *moe_; }

private:
    std::shared_ptr<LayerNorm> norm_;
    std::shared_ptr<MoeLayer> moe_;
};

}  // namespace es::engine
