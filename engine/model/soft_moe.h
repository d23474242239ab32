// SPDX-License-Identifier: GPL-3.0-or-later
// Soft MoE (arXiv:2308.00951): experts get weighted means of a sample's tokens, and tokens weighted means of what the experts make of them.
// T tokens, G groups (samples), L tokens of the longest group, E experts, P slots of each, S = E P slots of a group, D width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>

#include "engine/model/grouped_experts.h"
#include "engine/model/router.h"

namespace es::engine {

/// Tokens by group, the shorter ones padded. Groups stand in order of their labels.
struct TokenGroups {
    at::Tensor row_GL;    ///< int64: token at each place, 0 at padding
    at::Tensor valid_GL;  ///< bool
    at::Tensor place_T;   ///< int64: g L + l of each token
};

/// Tokens of one label (int64, any values, T > 0) make one group, in their order. Tensors on `device`.
[[nodiscard]] TokenGroups groupTokens(const at::Tensor& label_T, at::Device device);

struct GroupedSoftRouting {
    at::Tensor logits_TS;
    at::Tensor dispatch_GLS;  ///< softmax over the tokens of a group; 0 at padding
    at::Tensor combine_TS;    ///< softmax over slots
};

/// softRouting() within each group.
[[nodiscard]] GroupedSoftRouting softRoutingInGroups(const at::Tensor& hidden_TD, const at::Tensor& phi_DS, const at::Tensor& scale, const TokenGroups& groups);

/// y (T x D): each group's slots are dispatch-weighted means of its tokens, expert e works on the slots [e P, (e + 1) P), and each token gets
/// the combine-weighted sum. Gradient flows to x, the routing and the experts' weights.
[[nodiscard]] at::Tensor softMixture(const at::Tensor& x_TD, const GroupedSoftRouting& routing, const TokenGroups& groups, const GroupedExperts& experts,
                                     std::int64_t expert_count);

/// Parameters "phi" (S x D: a row a slot), "scale" (1) and, where options.modalities asks for it, "modality" (2 x D). Always fp32 (fp64 for
/// fp64 models).
class SoftRouter : public torch::nn::Module {
public:
    /// `options.experts` and `options.width` count; `slots` of each expert.
    SoftRouter(const RouterOptions& options, std::int64_t slots);
    /// `call.weight_override_ED` stands for phi (S x D).
    [[nodiscard]] GroupedSoftRouting forward(const at::Tensor& hidden_TD, const TokenGroups& groups, const RouterCall& call) const;

private:
    RouterOptions options_;
    at::Tensor phi_SD_, scale_1_, modality_MD_;
};

}  // namespace es::engine
