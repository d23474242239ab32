// SPDX-License-Identifier: GPL-3.0-or-later
// Router losses of the reference cases.
#include "engine/library/reference_case_tensors.h"
#include "engine/objective/router_losses.h"

namespace es::engine {
namespace {

CaseOutputs lossOutput(const at::Tensor& loss) { return {{"loss", loss}}; }
at::Tensor probabilities(const CaseTensors& in) { return in("logits_TE").softmax(1); }
at::Tensor chosenCounts(const CaseTensors& in) { return countChoices(in("indices_TK"), in("logits_TE").size(1)); }

CaseOutputs balanced(const CaseTensors& in) { return lossOutput(balanceLoss(probabilities(in), chosenCounts(in), in("indices_TK").size(1))); }

CaseOutputs load(const CaseTensors& in) {
    requireFinite(in("logits_TE") + in("noise_TE"), "in.logits_TE + in.noise_TE");
    return lossOutput(loadLoss(in("logits_TE"), in("noise_TE"), in.call().integer("k"), in.call().real("sigma")));
}

}  // namespace

std::map<std::string, ReferenceOperation> referenceLosses() {
    return {
        {"loss.switch", balanced},
        {"loss.gshard", [](const CaseTensors& in) { return lossOutput(gshardLoss(probabilities(in), in("indices_TK"))); }},
        {"loss.balance", balanced},
        {"loss.balance_unnormalized", [](const CaseTensors& in) { return lossOutput(unnormalizedBalanceLoss(probabilities(in), chosenCounts(in))); }},
        {"loss.importance", [](const CaseTensors& in) { return lossOutput(importanceLoss(probabilities(in))); }},
        {"loss.load", load},
        {"loss.z", [](const CaseTensors& in) { return lossOutput(zLoss(in("logits_TE"))); }},
        {"loss.local_entropy", [](const CaseTensors& in) { return lossOutput(localEntropyLoss(probabilities(in), in("modality_T"))); }},
        {"loss.global_entropy",
         [](const CaseTensors& in) { return lossOutput(globalEntropyLoss(probabilities(in), in("modality_T"), in.call().real("tau"))); }},
        {"loss.sequence_balance", [](const CaseTensors& in) { return lossOutput(sequenceBalanceLoss(probabilities(in), in("indices_TK"), in("sequence_T"))); }},
    };
}

}  // namespace es::engine
