// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/moe_options.h"

#include "engine/base/hash.h"

namespace es::engine {
namespace {

RouterOptions routingOptions(const config::MoeOptions& options) {
    RouterOptions made;
    made.gate_scale = options.gate_scale;
    made.bias_rate = options.bias_rate;
    made.groups = options.groups;
    made.groups_kept = options.groups_kept;
    made.group_score = options.group_score == "max" ? GroupScore::kMax : GroupScore::kTop2Sum;
    made.score = options.score_function == "softmax" ? ScoreFunction::kSoftmax : ScoreFunction::kSigmoid;
    made.noise = options.noise;
    made.cosine_width = options.cosine_width;
    made.temperature = options.cosine_temperature;
    made.sinkhorn_tolerance = options.sinkhorn_tolerance;
    made.sinkhorn_rounds = options.sinkhorn_rounds;
    made.top_p = options.top_p;
    made.capacity_factor = options.capacity_factor;
    made.capacity_factor_eval = options.capacity_factor_eval;
    made.input_jitter = options.input_jitter;
    made.quantile_balance = options.quantile_balance;
    made.quantile_ema = options.quantile_ema;
    return made;
}

RouterLossSchedule scheduleOf(const config::LossOptions& loss, std::int64_t steps) {
    const LossSchedule kind = loss.router_schedule == "linear"   ? LossSchedule::kLinear
                              : loss.router_schedule == "cosine" ? LossSchedule::kCosine
                                                                 : LossSchedule::kConstant;
    return {kind, loss.router_final, loss.router_start, steps};
}

}  // namespace

MoeOptions moeOptions(const config::RunConfig& config, const config::RouterSite& site, std::uint64_t seed) {
    const config::RouterSettings settings = config::routerSettings(config, site);
    const config::MoeOptions& options = settings.moe;
    MoeOptions made;
    made.sub_norm = config.model.sub_norm;
    made.experts = options.experts;
    made.k = options.k;
    made.expert_width = options.expert_width;
    made.router = options.router;
    made.slots = options.slots;
    made.dispatch = {options.dispatch,
                     {options.capacity_factor, options.capacity_factor_eval, capacityPolicyNamed(options.capacity_policy), options.group_size}};
    made.renormalize = options.renormalize;
    made.routing = routingOptions(options);
    made.routing.seed = hash64("layers." + site.name() + ".router", seed);
    made.routing.modalities = site.branch == "all";
    made.losses = {settings.loss, scheduleOf(settings.loss, config.train.steps)};
    made.activation = activationNamed(options.activation);
    made.biases = options.biases;
    made.shared_experts = options.shared_experts;
    made.shared_gate = options.shared_gate;
    return made;
}

store::RouterInfo routerInfo(const MoeOptions& options, const RouterPlace& place) {
    store::RouterInfo info;
    info.id = place.id;
    info.layer = place.layer;
    info.branch = place.branch;
    info.kind = options.router;
    info.experts = static_cast<std::int32_t>(options.experts);
    info.k = isSoft(options.router) ? 0 : static_cast<std::int32_t>(options.k);
    if (isSoft(options.router)) info.layout = store::RoutingLayout::kDenseMass;
    if (choosesUnevenly(options.router)) info.layout = store::RoutingLayout::kRagged;
    return info;
}

bool asksForNames(const MoeOptions& options) { return options.routing.modalities || needsTokenNames(options.router) || namesForLosses(options.losses.weights); }

}  // namespace es::engine
