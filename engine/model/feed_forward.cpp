// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/feed_forward.h"

namespace es::engine {

DenseFeedForward::DenseFeedForward(const DenseOptions& options) : activation_(options.activation), scale_(options.scale) {
    const std::int64_t width = options.width, hidden = options.hidden;
    const bool gated = activation_ == Activation::kSwiglu, biases = options.biases && !gated;
    norm_ = register_module("norm", std::make_shared<LayerNorm>(width));
    auto ffn = register_module("ffn", std::make_shared<torch::nn::Module>());
    w1_HD_ = ffn->register_parameter("w1", at::zeros({hidden, width}));
    if (biases) b1_H_ = ffn->register_parameter("b1", at::zeros({hidden}));
    w2_DH_ = ffn->register_parameter("w2", at::zeros({width, hidden}));
    if (biases) b2_D_ = ffn->register_parameter("b2", at::zeros({width}));
    if (gated) w3_HD_ = ffn->register_parameter("w3", at::zeros({hidden, width}));
    if (!options.sub_norm) return;
    norm_weight_H_ = ffn->register_parameter("norm_weight", at::ones({hidden}));
    norm_bias_H_ = ffn->register_parameter("norm_bias", at::zeros({hidden}));
}

at::Tensor DenseFeedForward::forward(const BranchTokens& tokens, ForwardContext& /*context*/) const {
    const auto asOneExpert = [](const at::Tensor& tensor) { return tensor.defined() ? tensor.unsqueeze(0) : tensor; };
    const ExpertWeights weights{asOneExpert(w1_HD_), asOneExpert(b1_H_),          asOneExpert(w2_DH_),      asOneExpert(b2_D_),
                                asOneExpert(w3_HD_), asOneExpert(norm_weight_H_), asOneExpert(norm_bias_H_)};
    const at::Tensor y_TD = groupedFfn(norm_->forward(tokens.x_TD), weights, activation_, {0, tokens.x_TD.size(0)});
    return scale_ == 1.0 ? y_TD : y_TD * scale_;
}

SparseFeedForward::SparseFeedForward(std::int64_t width, const MoeOptions& options, const RouterPlace& place) {
    norm_ = register_module("norm", std::make_shared<LayerNorm>(width));
    moe_ = register_module("moe", std::make_shared<MoeLayer>(width, options, place));
}

at::Tensor SparseFeedForward::forward(const BranchTokens& tokens, ForwardContext& context) const {
    return moe_->forward({norm_->forward(tokens.x_TD), tokens.blocks, tokens.rows_T, tokens.names}, context);
}

}  // namespace es::engine
