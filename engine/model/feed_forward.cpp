// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/feed_forward.h"

#include "engine/model/grouped_experts.h"

namespace es::engine {

DenseFeedForward::DenseFeedForward(std::int64_t width, std::int64_t hidden, double scale) : scale_(scale) {
    norm_ = register_module("norm", std::make_shared<LayerNorm>(width));
    auto ffn = register_module("ffn", std::make_shared<torch::nn::Module>());
    w1_HD_ = ffn->register_parameter("w1", at::zeros({hidden, width}));
    b1_H_ = ffn->register_parameter("b1", at::zeros({hidden}));
    w2_DH_ = ffn->register_parameter("w2", at::zeros({width, hidden}));
    b2_D_ = ffn->register_parameter("b2", at::zeros({width}));
}

at::Tensor DenseFeedForward::forward(const BranchTokens& tokens, ForwardContext& /*context*/) const {
    const at::Tensor y_TD = groupedFfn(norm_->forward(tokens.x_TD), w1_HD_.unsqueeze(0), b1_H_.unsqueeze(0), w2_DH_.unsqueeze(0),
                                       b2_D_.unsqueeze(0), {0, tokens.x_TD.size(0)});
    return scale_ == 1.0 ? y_TD : y_TD * scale_;
}

SparseFeedForward::SparseFeedForward(std::int64_t width, const MoeOptions& options, const RouterPlace& place) {
    norm_ = register_module("norm", std::make_shared<LayerNorm>(width));
    moe_ = register_module("moe", std::make_shared<MoeLayer>(width, options, place));
}

at::Tensor SparseFeedForward::forward(const BranchTokens& tokens, ForwardContext& context) const {
    return moe_->forward({norm_->forward(tokens.x_TD), tokens.blocks, tokens.rows_T}, context);
}

}  // namespace es::engine
