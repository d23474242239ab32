// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/moe_layer.h"

#include "engine/objective/router_losses.h"

namespace es::engine {

MoeLayer::MoeLayer(std::int64_t width, const MoeOptions& options, const RouterPlace& place)
    : place_(place), dispatcher_(makeDispatcher(options.dispatch)), combiner_(makeCombiner(options.combine)) {
    router_ = register_module("router", makeRouter(options.router, {width, options.experts, options.k, options.renormalize}));
    experts_ = register_module("experts", std::make_shared<GroupedExperts>(options.experts, width, options.expert_width));
}

at::Tensor MoeLayer::forward(const BranchTokens& tokens, ForwardContext& context) const {
    if (tokens.x_TD.size(0) == 0) return tokens.x_TD;
    const ForwardOptions& options = context.options;
    const auto replaced = options.router_weight_override.find(place_.id.value);
    const RouterOutput routing = router_->forward(tokens.x_TD, replaced == options.router_weight_override.end() ? at::Tensor() : replaced->second);
    const DispatchPlan plan = dispatcher_->plan(routing.indices_TK, routing.probs_TE, router_->options().experts);
    const at::Tensor y_SD = experts_->forward(gatherSlots(tokens.x_TD, plan), plan.offsets);
    context.router_losses.push_back(
        {place_.id, balanceLoss(routing.probs_TE, plan.counts_E, router_->options().k), zLoss(routing.logits_TE)});
    if (options.observer && options.observer->wants(place_.layer, options.step)) tell(*options.observer, routing, plan, tokens);
    return combiner_->combine(y_SD, routing.weights_TK, plan);
}

void MoeLayer::tell(RoutingObserver& observer, const RouterOutput& routing, const DispatchPlan& plan, const BranchTokens& tokens) const {
    RoutingEvent event;
    event.router = place_.id;
    event.layer = place_.layer;
    event.branch = place_.branch;
    event.logits_TE = routing.logits_TE.detach();
    event.probs_TE = routing.probs_TE.detach();
    event.indices_TK = routing.indices_TK;
    event.weights_TK = routing.weights_TK.detach();
    event.kept_TK = plan.kept_TK;
    event.counts_E = plan.counts_E;
    event.rows_T = tokens.rows_T;
    event.blocks = tokens.blocks;
    observer.onRouting(event);
}

}  // namespace es::engine
