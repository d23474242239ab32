// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of the table: routers, dispatch, assignment and their losses.
#include <spdlog/fmt/fmt.h>

#include <limits>

#include "engine/reference/operation_forms.h"

namespace es::reference::forms {
namespace {

std::vector<TensorForm> chosen() { return {index("indices_TK", 'E'), real("weights_TK"), real("probs_TE")}; }

Operation router(std::string name, std::vector<Parameter> parameters, std::vector<TensorForm> inputs, std::vector<TensorForm> outputs,
                 std::string (*check)(const Call&) = nullptr) {
    return {std::move(name), Home::kEngine, std::move(parameters), std::move(inputs), std::move(outputs), Gradients::kNone, check};
}
Operation loss(std::string name, std::vector<Parameter> parameters, std::vector<TensorForm> inputs, std::string (*check)(const Call&) = nullptr) {
    return {std::move(name), Home::kEngine, std::move(parameters), std::move(inputs), {real("loss")}, Gradients::kLoss, check};
}

std::string checkGroups(const Call& call) {
    const std::int64_t experts = call.size('E'), groups = call.integer("groups"), kept = call.integer("groups_kept"), k = call.integer("k");
    if (experts % groups != 0) return fmt::format("groups = {} does not divide the {} experts", groups, experts);
    if (kept > groups) return fmt::format("groups_kept = {} is more than groups = {}", kept, groups);
    if (k > kept * (experts / groups)) return fmt::format("k = {} is more than the {} experts of groups_kept = {} groups", k, kept * (experts / groups), kept);
    return {};
}

std::string checkEvenShare(const Call& call) {
    const std::int64_t tokens = call.size('T'), experts = call.size('E');
    return tokens % experts == 0 ? std::string() : fmt::format("in.scores_TE: {} tokens cannot be divided evenly among {} experts", tokens, experts);
}

std::string checkOneChoice(const Call& call) {
    const std::int64_t k = call.size('K');
    return k == 1 ? std::string() : fmt::format("in.indices_TK holds {} choices a token, this loss is for k = 1", k);
}

}  // namespace

void addRouters(std::vector<Operation>& table) {
    const TensorForm logits = real("logits_TE");
    table.push_back(router("router.softmax_topk", {choices(), flag("renormalize")}, {logits}, chosen()));
    table.push_back(router("router.topk_softmax", {choices()}, {logits}, chosen()));
    table.push_back(router("router.noisy_topk", {choices()}, {logits, real("noise_TE")}, chosen()));
    table.push_back(router("router.sigmoid_topk", {choices(), flag("normalize"), anyNumber("scale")}, {logits, optionalReal("bias_E")}, chosen()));
    table.push_back(router("router.group_limited",
                           {choices(), whole("groups", 1), whole("groups_kept", 1), word("group_score", {"max", "top2_sum"}),
                            word("score", {"softmax", "sigmoid"}), flag("normalize"), anyNumber("scale")},
                           {logits, optionalReal("bias_E")}, chosen(), checkGroups));
    std::vector<TensorForm> with_logits = chosen();
    with_logits.push_back(logits);
    table.push_back(router("router.cosine", {choices(), positive("tau")}, {real("hidden_TD"), real("proj_PD"), real("centroid_EP")}, with_logits));
    table.push_back(
        router("router.expert_choice", {whole("capacity", 1, 'T', 'C')}, {logits}, {index("token_indices_EC", 'T'), real("weights_EC"), real("probs_TE")}));
    table.push_back(router("router.sinkhorn", {choices(), number("tolerance", 0, std::numeric_limits<double>::infinity()), whole("max_iterations", 1)},
                           {logits}, chosen()));
    table.push_back(router("router.soft_moe", {}, {real("hidden_TD"), real("phi_DS"), real("scale")}, {real("dispatch_TS"), real("combine_TS")}));
    std::vector<TensorForm> with_counts = chosen();
    with_counts.push_back(count("counts_T"));
    table.push_back(router("router.top_p", {number("p", 0, 1), whole("max_k", 1, 'E', 'K')}, {logits}, with_counts));
    table.push_back(router("router.bias_update", {anyNumber("rate")}, {count("counts_E"), real("bias_E")}, {real("bias_E")}));
    table.push_back(router("dispatch.capacity", {whole("capacity", 0), word("policy", {"position", "batch_priority"})},
                           {index("indices_TK", 'E'), real("probs_TE")}, {byte("kept_TK")}));
    table.push_back(router("assign.base", {}, {real("scores_TE")}, {index("expert_T", 'E')}, checkEvenShare));
}

void addLosses(std::vector<Operation>& table) {
    const TensorForm logits = real("logits_TE"), indices = index("indices_TK", 'E');
    table.push_back(loss("loss.switch", {}, {logits, indices}, checkOneChoice));
    table.push_back(loss("loss.gshard", {}, {logits, indices}));
    table.push_back(loss("loss.balance", {}, {logits, indices}));
    table.push_back(loss("loss.balance_unnormalized", {}, {logits, indices}));
    table.push_back(loss("loss.importance", {}, {logits}));
    table.push_back(loss("loss.load", {whole("k", 1, 'E'), positive("sigma")}, {logits, real("noise_TE")}));
    table.push_back(loss("loss.z", {}, {logits}));
    table.push_back(loss("loss.local_entropy", {}, {logits, id("modality_T")}));
    table.push_back(loss("loss.global_entropy", {anyNumber("tau")}, {logits, id("modality_T")}));
    table.push_back(loss("loss.sequence_balance", {}, {logits, indices, id("sequence_T")}));
}

}  // namespace es::reference::forms
