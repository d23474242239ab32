// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of the table: metrics of routing, and statistics.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "engine/reference/operation_forms.h"

namespace es::reference::forms {
namespace {

Operation metric(std::string name, std::vector<Parameter> parameters, std::vector<TensorForm> inputs, std::vector<TensorForm> outputs,
                 std::string (*check)(const Call&) = nullptr) {
    return {std::move(name), Home::kAnalysis, std::move(parameters), std::move(inputs), std::move(outputs), Gradients::kNone, check};
}

Parameter confidence() {
    Parameter p = number("confidence", 0, 1);
    p.above_least = true;
    return p;
}
Parameter ranks() { return {.name = "ks", .kind = ParameterKind::kIntegers, .least = 1, .size = 'K', .words = {}}; }

constexpr std::int64_t kMostPairs = std::int64_t{1} << 26;

/// Where the computation holds a number for each pair, which no output shows.
template <char kLetter>
std::string checkPairs(const Call& call) {
    const std::int64_t n = call.size(kLetter);
    return n * n <= kMostPairs ? std::string() : fmt::format("{} = {} makes {} pairs, at most {} are computed", kLetter, n, n * n, kMostPairs);
}

std::string checkShares(const Call& call) {
    for (const char* name : {"p_E", "q_E"})
        for (const double p : call.inputs.at(name).reals)
            if (p < 0) return fmt::format("in.{} holds the negative share {}", name, p);
    return {};
}

std::string checkConfidence(const Call& call) { return call.real("confidence") < 1 ? std::string() : std::string("confidence = 1 has no finite interval"); }

std::string checkSamples(const Call& call) {
    for (const auto& [name, array] : call.inputs)
        if (array.size() < 2) return fmt::format("in.{} holds one value: a variance needs two", name);
    return checkConfidence(call);
}

std::string checkTrials(const Call& call) {
    const std::int64_t successes = call.inputs.at("successes").integers[0], trials = call.inputs.at("trials").integers[0];
    if (trials < 1) return "in.trials is 0";
    if (successes > trials) return fmt::format("in.successes = {} is more than in.trials = {}", successes, trials);
    return checkConfidence(call);
}

}  // namespace

void addMetrics(std::vector<Operation>& table) {
    const Parameter experts = sizeOf("experts", 'E');
    const TensorForm indices = index("indices_TK", 'E');
    table.push_back(
        metric("metric.load", {experts}, {indices},
               {real("share_E"), real("cv"), real("max_vio"), real("imbalance"), real("effective_experts"), real("normalized_entropy"), count("dead")}));
    table.push_back(metric("metric.confidence", {whole("k", 1, 'E')}, {real("logits_TE")},
                           {real("entropy"), real("top1"), real("margin12"), real("boundary_margin"), real("chosen_mass"), real("logsumexp")}));
    table.push_back(metric("metric.saturation", {}, {id("a_TK"), id("b_TK")}, {real("overlap")}));
    table.push_back(metric("metric.churn", {}, {id("a_TK"), id("b_TK")}, {real("changed_slots"), real("changed_first")}));
    table.push_back(metric("metric.mutual_information", {}, {id("label_T"), id("expert_T")}, {real("mi"), real("nmi"), real("h_label"), real("h_expert")}));
    table.push_back(metric("metric.npmi", {sizeOf("labels", 'L'), experts}, {index("label_T", 'L'), indices}, {real("npmi_LE")}));
    table.push_back(metric("metric.coactivation", {experts}, {indices}, {count("count_EE"), real("conditional_EE")}));
    TensorForm pairs = count("count_EE");
    pairs.letters = "EF";
    table.push_back(
        metric("metric.flow", {sizeOf("experts_a", 'E'), sizeOf("experts_b", 'F')}, {indexOf("a_TK", "TK", 'E'), indexOf("b_TK", "TJ", 'F')}, {pairs}));
    table.push_back(metric("metric.modality_split", {experts, sizeOf("modalities", 'M')}, {index("modality_T", 'M'), indices},
                           {real("p_expert_given_modality_ME"), real("p_modality_given_expert_EM")}));
    table.push_back(metric("metric.vocabulary", {experts}, {id("token_T"), indices}, {real("specialization")}));
    table.push_back(metric("metric.repetition", {}, {id("sequence_T"), id("expert_T")}, {real("rate")}));
    table.push_back(
        metric("metric.match_experts", {experts}, {index("a_T", 'E'), index("b_T", 'E')}, {index("permutation_E", 'E'), real("agreement")}, checkPairs<'E'>));
    table.push_back(metric("metric.cka", {}, {real("x_TD"), real("y_TD")}, {real("cka")}, checkPairs<'D'>));
    table.push_back(metric("metric.jsd", {}, {real("p_E"), real("q_E")}, {real("jsd")}, checkShares));
    table.push_back(metric("metric.spikes", {whole("window", 1), anyNumber("sigmas")}, {real("series_S")}, {byte("flag_S")}));
    table.push_back(
        metric("metric.retrieval", {ranks()}, {real("similarity_IT"), integer("group_I"), integer("group_T")}, {real("recall_i2t_K"), real("recall_t2i_K")}));
    const std::vector<TensorForm> interval = {real("mean_difference"), real("low"), real("high"), real("p")};
    table.push_back(metric("stat.paired_t", {confidence()}, {real("a_N"), real("b_N")}, interval, checkSamples));
    table.push_back(metric("stat.welch", {confidence()}, {real("a_N"), real("b_M")}, interval, checkSamples));
    table.push_back(metric("stat.wilson", {confidence()}, {count("successes"), count("trials")}, {real("low"), real("high")}, checkTrials));
}

}  // namespace es::reference::forms
