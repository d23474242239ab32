// SPDX-License-Identifier: GPL-3.0-or-later
// Router -> dispatcher -> experts -> combine, each a part chosen by name. T tokens, K choices, E experts, D width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/model/combine.h"
#include "engine/model/forward_context.h"
#include "engine/model/grouped_experts.h"
#include "engine/model/router.h"
#include "engine/model/router_loss_terms.h"
#include "engine/model/soft_moe.h"
#include "engine/model/token_dispatcher.h"

namespace es::engine {

/// y (T x D) = Σ_j w_tj · expert_{i_tj}(x_t) over the choices that have a slot in `plan`: the slots' rows through the experts and back.
/// Gradient flows to x, the gates `weights_TK` (fp32 or fp64) and the experts' weights.
[[nodiscard]] at::Tensor mixtureOfExperts(const at::Tensor& x_TD, const at::Tensor& weights_TK, const DispatchPlan& plan, const ExpertWeights& experts,
                                          Activation activation, const Combiner& combiner);

/// The same from the routing itself, on given weights: `indices_TK` int64 (-1: no choice), `kept_TK` bool or uint8 (undefined: all kept),
/// weighted sum. What a MoeLayer computes, without a router and without shared experts. Gates are not renormalised after a drop.
[[nodiscard]] at::Tensor mixtureOfExperts(const at::Tensor& x_TD, const at::Tensor& indices_TK, const at::Tensor& weights_TK, const at::Tensor& kept_TK,
                                          const ExpertWeights& experts, Activation activation);

struct MoeOptions {
    std::int64_t experts = 8, k = 1, expert_width = 256;
    std::string router = "softmax_topk", combine = "weighted_sum";  ///< router "soft": k, combine and dispatch have no meaning
    std::int64_t slots = 1;                                         ///< of each expert for one sample (soft)
    DispatchOptions dispatch = {};
    bool renormalize = false;
    RouterOptions routing = {};  ///< what else the router is told; width, experts, k and renormalize come from here
    RouterLossOptions losses = {};
    Activation activation = Activation::kGelu;
    bool biases = true;               ///< of GELU experts
    std::int64_t shared_experts = 0;  ///< experts that see every token, besides the routed ones; together one network that many times as wide
    bool sub_norm = false;            ///< normalises the hidden vectors of the experts, shared ones too
    bool shared_gate = false;         ///< times sigmoid(g · x), as Qwen's; without, they are simply added (DeepSeekMoE, arXiv:2401.06066 eq. 9)
};

/// Where a router sits in the model.
struct RouterPlace {
    RouterId id;
    LayerIndex layer;
    Branch branch = Branch::kAll;
};

class MoeLayer : public torch::nn::Module {
public:
    MoeLayer(std::int64_t width, const MoeOptions& options, const RouterPlace& place);
    /// y (T x D) of normalised tokens. Appends the router's losses to the context (a soft router has none) and tells the observer when it
    /// wants this layer and step. Without tokens the input comes back, nothing is appended and nobody is told.
    [[nodiscard]] at::Tensor forward(const BranchTokens& tokens, ForwardContext& context) const;
    /// Router::balance(); a soft router has nothing to balance.
    void balance(const at::Tensor& counts_E, const at::Tensor& logits_TE);
    /// What the router was made with, a soft one too.
    [[nodiscard]] const RouterOptions& routerOptions() const { return routing_; }
    /// Those that the router chooses among.
    [[nodiscard]] const GroupedExperts& experts() const { return *experts_; }
    /// VlMoe::routerRows().
    [[nodiscard]] at::Tensor routerRows() const;

private:
    [[nodiscard]] at::Tensor forwardChosen(const BranchTokens& tokens, const RouterCall& call, ForwardContext& context) const;
    [[nodiscard]] at::Tensor forwardSoft(const BranchTokens& tokens, const RouterCall& call, ForwardContext& context) const;
    void tell(ForwardContext& context, const RouterOutput& routing, const DispatchPlan& plan, const BranchTokens& tokens) const;
    [[nodiscard]] at::Tensor sharedOutput(const at::Tensor& x_TD) const;

    RouterPlace place_;
    RouterOptions routing_;
    RouterLossOptions losses_;
    std::shared_ptr<Router> router_;    ///< null: soft
    std::shared_ptr<SoftRouter> soft_;  ///< null: not soft
    std::unique_ptr<TokenDispatcher> dispatcher_;
    std::shared_ptr<GroupedExperts> experts_, shared_;  ///< shared_ null: there are none
    at::Tensor shared_gate_1D_;                         ///< undefined: no gate
    std::unique_ptr<Combiner> combiner_;
};

}  // namespace es::engine
