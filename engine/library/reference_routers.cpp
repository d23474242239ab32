// SPDX-License-Identifier: GPL-3.0-or-later
// Routers, dispatch and assignment of the reference cases.
#include "engine/library/reference_case_tensors.h"
#include "engine/model/routing_rules.h"

namespace es::engine {
namespace {

CaseOutputs chosenOutputs(const TokenChoice& choice) {
    return {{"indices_TK", choice.indices_TK}, {"weights_TK", choice.weights_TK}, {"probs_TE", choice.probs_TE}};
}

CaseOutputs noisyRouter(const CaseTensors& in) {
    requireFinite(in("logits_TE") + in("noise_TE"), "in.logits_TE + in.noise_TE");
    return chosenOutputs(noisyTopK(in("logits_TE"), in("noise_TE"), in.call().integer("k")));
}

CaseOutputs sigmoidRouter(const CaseTensors& in) {
    SigmoidOptions options;
    options.k = in.call().integer("k");
    options.normalize = in.call().flag("normalize");
    options.scale = in.call().real("scale");
    return chosenOutputs(sigmoidTopK(in("logits_TE"), in("bias_E"), options));
}

CaseOutputs groupLimitedRouter(const CaseTensors& in) {
    GroupLimitedOptions options;
    options.k = in.call().integer("k");
    options.groups = in.call().integer("groups");
    options.groups_kept = in.call().integer("groups_kept");
    options.group_score = in.call().word("group_score") == "max" ? GroupScore::kMax : GroupScore::kTop2Sum;
    options.score = in.call().word("score") == "softmax" ? ScoreFunction::kSoftmax : ScoreFunction::kSigmoid;
    options.normalize = in.call().flag("normalize");
    options.scale = in.call().real("scale");
    return chosenOutputs(groupLimitedTopK(in("logits_TE"), in("bias_E"), options));
}

CaseOutputs cosineRouter(const CaseTensors& in) {
    const at::Tensor logits_TE = cosineLogits(in("hidden_TD"), in("proj_PD"), in("centroid_EP"), in.call().real("tau"));
    requireFinite(logits_TE, "the logits");
    CaseOutputs out = chosenOutputs(softmaxTopK(logits_TE, in.call().integer("k"), /*renormalize=*/false));
    out["logits_TE"] = logits_TE;
    return out;
}

CaseOutputs expertChoiceRouter(const CaseTensors& in) {
    const ExpertChoice choice = expertChoice(in("logits_TE"), in.call().integer("capacity"));
    return {{"token_indices_EC", choice.token_indices_EC}, {"weights_EC", choice.weights_EC}, {"probs_TE", choice.probs_TE}};
}

CaseOutputs sinkhornRouter(const CaseTensors& in) {
    SinkhornOptions options;
    options.k = in.call().integer("k");
    options.tolerance = in.call().real("tolerance");
    options.max_iterations = in.call().integer("max_iterations");
    return chosenOutputs(sinkhornTopK(in("logits_TE"), options));
}

CaseOutputs softRouter(const CaseTensors& in) {
    const SoftRouting soft = softRouting(in("hidden_TD"), in("phi_DS"), in("scale"));
    requireFinite(soft.logits_TS, "the logits");
    return {{"dispatch_TS", soft.dispatch_TS}, {"combine_TS", soft.combine_TS}};
}

CaseOutputs topPRouter(const CaseTensors& in) {
    const TopP top = topP(in("logits_TE"), in.call().real("p"), in.call().integer("max_k"));
    CaseOutputs out = chosenOutputs(top.choice);
    out["counts_T"] = top.counts_T;
    return out;
}

CaseOutputs capacityDispatch(const CaseTensors& in) {
    const CapacityPolicy policy = in.call().word("policy") == "position" ? CapacityPolicy::kPosition : CapacityPolicy::kBatchPriority;
    return {{"kept_TK", keptWithinCapacity(in("indices_TK"), in("probs_TE"), in.call().size('E'), in.call().integer("capacity"), policy)}};
}

}  // namespace

std::map<std::string, ReferenceOperation> referenceRouters() {
    return {
        {"router.softmax_topk",
         [](const CaseTensors& in) { return chosenOutputs(softmaxTopK(in("logits_TE"), in.call().integer("k"), in.call().flag("renormalize"))); }},
        {"router.topk_softmax", [](const CaseTensors& in) { return chosenOutputs(topKSoftmax(in("logits_TE"), in.call().integer("k"))); }},
        {"router.noisy_topk", noisyRouter},
        {"router.sigmoid_topk", sigmoidRouter},
        {"router.group_limited", groupLimitedRouter},
        {"router.cosine", cosineRouter},
        {"router.expert_choice", expertChoiceRouter},
        {"router.sinkhorn", sinkhornRouter},
        {"router.soft_moe", softRouter},
        {"router.top_p", topPRouter},
        {"router.bias_update",
         [](const CaseTensors& in) {
             return CaseOutputs{{"bias_E", updatedBias(in("counts_E"), in("bias_E"), in.call().real("rate"))}};
         }},
        {"dispatch.capacity", capacityDispatch},
        {"assign.base",
         [](const CaseTensors& in) {
             return CaseOutputs{{"expert_T", balancedAssignment(in("scores_TE"))}};
         }},
    };
}

}  // namespace es::engine
