// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/moe_layer.h"

#include "engine/model/intervention.h"

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

MoeLayer::MoeLayer(std::int64_t width, const MoeOptions& options, const RouterPlace& place)
    : place_(place), routing_(options.routing), losses_(options.losses), dispatcher_(makeDispatcher(options.dispatch)),
      combiner_(makeCombiner(options.combine)) {
    routing_.width = width;
    routing_.experts = options.experts;
    routing_.k = options.k;
    routing_.renormalize = options.renormalize;
    if (isSoft(options.router)) soft_ = register_module("router", std::make_shared<SoftRouter>(routing_, options.slots));
    else router_ = register_module("router", makeRouter(options.router, routing_));
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
    RouterCall call;
    call.training = options.training;
    call.step = options.step;
    call.micro_batch = options.micro_batch;
    call.token_id_T = tokens.names.id_N;
    call.position_T = tokens.names.position_N;
    call.modality_T = tokens.names.modality_N;
    const auto replaced = options.router_weight_override.find(place_.id.value);
    if (replaced != options.router_weight_override.end()) call.weight_override_ED = replaced->second;
    if (options.expert_inputs_TD) (*options.expert_inputs_TD)[place_.id.value] = tokens.x_TD.detach();
    const at::Tensor y_TD = soft_ ? forwardSoft(tokens, call, context) : forwardChosen(tokens, call, context);
    return shared_ ? y_TD + sharedOutput(tokens.x_TD) : y_TD;
}

at::Tensor MoeLayer::forwardChosen(const BranchTokens& tokens, const RouterCall& call, ForwardContext& context) const {
    const ForwardOptions& options = context.options;
    const std::vector<RouterChange>* changes = options.interventions ? options.interventions->find(place_.id) : nullptr;
    const RouterOutput routing = changes ? routeChanged(*router_, tokens, call, *changes) : router_->forward(tokens.x_TD, call);
    if (context.watch) context.watch(std::string(toString(place_.branch)) + ".moe.router", routing.logits_TE);
    const DispatchPlan plan = dispatcher_->plan(routing.indices_TK, routing.probs_TE, routing_.experts, options.training);
    at::Tensor y_TD = mixtureOfExperts(tokens.x_TD, routing.weights_TK, plan, experts_->weights(), experts_->activation(), *combiner_);
    RoutedTokens routed{routing, routing_, choosesUnevenly(router_->kind()), plan.counts_E, {}, tokens.names};
    const auto before = options.counts_before_E.find(place_.id.value);
    if (losses_.weights.balance_over == "global_batch" && before != options.counts_before_E.end()) routed.counts_before_E = before->second;
    const bool by_logits = options.training && router_->balancesByLogits();
    context.router_losses.push_back(
        {place_.id, routerLosses(routed, losses_, options.step), plan.counts_E, by_logits ? routing.clean_logits_TE.detach() : at::Tensor()});
    tell(context, routing, plan, tokens);
    return y_TD;
}

at::Tensor MoeLayer::forwardSoft(const BranchTokens& tokens, const RouterCall& call, ForwardContext& context) const {
    TORCH_CHECK(tokens.names.sequence_N.defined(), "a soft router needs to know which tokens are of one sample");
    const TokenGroups groups = groupTokens(tokens.names.sequence_N, tokens.x_TD.device());
    const GroupedSoftRouting soft = soft_->forward(tokens.x_TD, groups, call);
    const std::vector<std::int64_t> by_expert{tokens.x_TD.size(0), routing_.experts, -1};
    RouterOutput routing;
    // The mass of an expert is that of its slots: the softmax of these logits.
    routing.logits_TE = routing.clean_logits_TE = soft.logits_TS.detach().view(by_expert).logsumexp(2);
    routing.probs_TE = routing.weights_TK = soft.combine_TS.detach().view(by_expert).sum(2);
    tell(context, routing, {}, tokens);
    return softMixture(tokens.x_TD, soft, groups, *experts_, routing_.experts);
}

at::Tensor MoeLayer::routerRows() const {
    if (soft_) return soft_->named_parameters()["phi"].view({routing_.experts, -1});
    const auto parameters = router_->named_parameters();
    for (const char* name : {"weight", "centroid"})
        if (const at::Tensor* found = parameters.find(name)) return *found;
    return {};
}

void MoeLayer::balance(const at::Tensor& counts_E, const at::Tensor& logits_TE) {
    if (router_) router_->balance(counts_E, logits_TE);
}

void MoeLayer::tell(ForwardContext& context, const RouterOutput& routing, const DispatchPlan& plan, const BranchTokens& tokens) const {
    RoutingObserver* observer = context.options.observer;
    if (!observer || !observer->wants(place_.layer, context.options.step)) return;
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
    if (routing.indices_TK.defined() && observer->wantsPlaces()) {
        if (const auto places = dispatcher_->places(routing.indices_TK, routing.probs_TE, routing_.experts, context.options.training)) {
            event.place_TK = places->place_TK;
            event.slots_T = places->slots_T;
        }
    }
    event.rows_T = tokens.rows_T;
    event.blocks = tokens.blocks;
    observer->onRouting(event);
}

}  // namespace es::engine
