// SPDX-License-Identifier: GPL-3.0-or-later
// Layers and the optimiser of the reference cases, with the case's weights in place of a model's.
#include "engine/library/reference_case_tensors.h"
#include "engine/model/attention.h"
#include "engine/model/moe_layer.h"
#include "engine/model/router.h"
#include "engine/model/routing_rules.h"
#include "engine/train/optimizer.h"

namespace es::engine {
namespace {

/// The router of that name on the case's weights.
TokenChoice routed(const CaseTensors& in) {
    RouterOptions options;
    options.width = in.call().size('D');
    options.experts = in.call().size('E');
    options.k = in.call().integer("k");
    options.renormalize = in.call().flag("renormalize");
    RouterCall call;
    call.weight_override_ED = in("router_ED");
    RouterOutput output = makeRouter(in.call().word("router"), options)->forward(in("x_TD"), call);
    requireFinite(output.logits_TE, "the logits");
    return output;
}

CaseOutputs mixture(const CaseTensors& in, const TokenChoice& choice, const at::Tensor& kept_TK) {
    const ExpertWeights weights{in("w1_EHD"), in("b1_EH"), in("w2_EDH"), in("b2_ED"), in("w3_EHD")};
    const at::Tensor y_TD = mixtureOfExperts(in("x_TD"), choice.indices_TK, choice.weights_TK, kept_TK, weights, activationNamed(in.call().word("activation")));
    return {{"y_TD", y_TD}, {"logits_TE", choice.logits_TE}, {"indices_TK", choice.indices_TK}};
}

CaseOutputs boundedMixture(const CaseTensors& in) {
    const TokenChoice choice = routed(in);
    const at::Tensor kept_TK = keptWithinCapacity(choice.indices_TK, choice.probs_TE.detach(), in.call().size('E'), in.call().integer("capacity"),
                                                  capacityPolicyNamed(in.call().word("policy")));
    CaseOutputs out = mixture(in, choice, kept_TK);
    out["kept_TK"] = kept_TK;
    return out;
}

CaseOutputs attend(const CaseTensors& in) {
    const AttentionWeights weights{in("wq_DD"), in("wk_DD"), in("wv_DD"), in("wo_DD"), in("bq_D"), in("bk_D"), in("bv_D"), in("bo_D")};
    return {{"y_BTD", maskedSelfAttention(in("x_BTD"), in("mask_BT"), weights, in.call().integer("heads"))}};
}

CaseOutputs optimize(const CaseTensors& in) {
    AdamWOptions options;
    options.beta1 = in.call().real("beta1");
    options.beta2 = in.call().real("beta2");
    options.epsilon = in.call().real("eps");
    options.weight_decay = in.call().real("weight_decay");
    options.clip = 0;
    at::Tensor parameter = in("param_N").clone();
    AdamW optimizer({{"param", parameter, /*decays=*/true, "all"}}, options);
    for (std::int64_t step = 0; step < in.call().integer("steps"); ++step) {
        parameter.mutable_grad() = in("grads_SN")[step].clone();
        optimizer.step(in.call().real("lr"));
    }
    return {{"param_N", parameter}};
}

}  // namespace

std::map<std::string, ReferenceOperation> referenceLayers() {
    return {
        {"layer.moe", [](const CaseTensors& in) { return mixture(in, routed(in), at::Tensor()); }},
        {"layer.moe_capacity", boundedMixture},
        {"layer.attention", attend},
        {"optim.adamw", optimize},
    };
}

}  // namespace es::engine
