// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/moe_layer.h"

#include "engine/objective/router_losses.h"

namespace es::engine {

at::Tensor mixtureOfExperts(const at::Tensor& x_TD, const at::Tensor& weights_TK, const DispatchPlan& plan, const ExpertWeights& experts, Activation activation,
                            const Combiner& combiner) {
    return combiner.combine(groupedFfn(gatherSlots(x_TD, plan), experts, activation, plan.offsets), weights_TK, plan);
}

at::Tensor mixtureOfExperts(const at::Tensor& x_TD, const at::Tensor& indices_TK, const at::Tensor& weights_TK, const at::Tensor& kept_TK,
                            const ExpertWeights& experts, Activation activation) {
    TORCH_CHECK(experts.w1_EHD.defined(), "a mixture needs experts");
    return mixtureOfExperts(x_TD, weights_TK, planSlots(indices_TK, kept_TK, experts.w1_EHD.size(0)), experts, activation, WeightedSumCombiner());
}

namespace {

/// The scores as a distribution over experts: sigmoids divided by their sum (DeepSeek-V3, arXiv:2412.19437 eq. 19).
at::Tensor sharesOf(const RouterOutput& routing) {
    if (routing.softmax) return routing.probs_TE;
    return routing.probs_TE / (routing.probs_TE.sum(1, /*keepdim=*/true) + 1e-20);
}

}  // namespace

MoeLayer::MoeLayer(std::int64_t width, const MoeOptions& options, const RouterPlace& place)
    : place_(place), dispatcher_(makeDispatcher(options.dispatch)), combiner_(makeCombiner(options.combine)) {
    RouterOptions routing = options.routing;
    routing.width = width;
    routing.experts = options.experts;
    routing.k = options.k;
    routing.renormalize = options.renormalize;
    router_ = register_module("router", makeRouter(options.router, routing));
    const ExpertOptions routed{options.experts, width, options.expert_width, options.activation, options.biases, options.sub_norm};
    experts_ = register_module("experts", std::make_shared<GroupedExperts>(routed));
    if (options.shared_experts == 0) return;
    const ExpertOptions shared{1, width, options.shared_experts * options.expert_width, options.activation, options.biases, options.sub_norm};
    shared_ = register_module("shared", std::make_shared<GroupedExperts>(shared));
    if (options.shared_gate) shared_gate_1D_ = register_parameter("shared_gate", at::zeros({1, width}));
}

at::Tensor MoeLayer::sharedOutput(const at::Tensor& x_TD) const {
    const at::Tensor y_TD = shared_->forward(x_TD, {0, x_TD.size(0)});
    return shared_gate_1D_.defined() ? y_TD * at::linear(x_TD, shared_gate_1D_).sigmoid() : y_TD;
}

at::Tensor MoeLayer::forward(const BranchTokens& tokens, ForwardContext& context) const {
    if (tokens.x_TD.size(0) == 0) return tokens.x_TD;
    const ForwardOptions& options = context.options;
    const auto replaced = options.router_weight_override.find(place_.id.value);
    RouterCall call{options.training, options.step, {}, tokens.names.id_N, tokens.names.position_N};
    if (replaced != options.router_weight_override.end()) call.weight_override_ED = replaced->second;
    const RouterOutput routing = router_->forward(tokens.x_TD, call);
    const DispatchPlan plan = dispatcher_->plan(routing.indices_TK, routing.probs_TE, router_->options().experts, options.training);
    const at::Tensor y_TD = mixtureOfExperts(tokens.x_TD, routing.weights_TK, plan, experts_->weights(), experts_->activation(), *combiner_);
    context.router_losses.push_back({place_.id, balanceOf(routing, plan), zLoss(routing.clean_logits_TE), plan.counts_E});
    if (options.observer && options.observer->wants(place_.layer, options.step)) tell(*options.observer, routing, plan, tokens);
    return shared_ ? y_TD + sharedOutput(tokens.x_TD) : y_TD;
}

at::Tensor MoeLayer::balanceOf(const RouterOutput& routing, const DispatchPlan& plan) const {
    const at::Tensor shares_TE = sharesOf(routing);
    if (!choosesUnevenly(router_->kind())) return balanceLoss(shares_TE, plan.counts_E, router_->options().k);
    // The mean number of choices stands for k, so that balance is 1 here too.
    const at::Tensor choices = plan.counts_E.sum().to(shares_TE.scalar_type());
    return unnormalizedBalanceLoss(shares_TE, plan.counts_E) * (static_cast<double>(shares_TE.size(0)) / choices);
}

void MoeLayer::tell(RoutingObserver& observer, const RouterOutput& routing, const DispatchPlan& plan, const BranchTokens& tokens) const {
    RoutingEvent event;
    event.router = place_.id;
    event.layer = place_.layer;
    event.branch = place_.branch;
    event.logits_TE = routing.logits_TE.detach();
    event.probs_TE = sharesOf(routing).detach();
    event.softmax = routing.softmax;
    event.indices_TK = routing.indices_TK;
    event.weights_TK = routing.weights_TK.detach();
    event.kept_TK = plan.kept_TK;
    event.counts_E = plan.counts_E;
    event.rows_T = tokens.rows_T;
    event.blocks = tokens.blocks;
    observer.onRouting(event);
}

}  // namespace es::engine
