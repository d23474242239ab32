// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of the table: layers and the optimiser.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>

#include "engine/reference/operation_forms.h"

namespace es::reference::forms {
namespace {

std::vector<Parameter> moeParameters() {
    Parameter renormalize = flag("renormalize");
    renormalize.fallback = ParameterValue(false);
    return {choices(), word("router", {"softmax_topk", "topk_softmax"}), renormalize, word("activation", {"gelu", "swiglu"})};
}
std::vector<TensorForm> moeInputs() {
    return {real("x_TD"),   real("router_ED"),     real("w1_EHD"),         optionalReal("b1_EH"),
            real("w2_EDH"), optionalReal("b2_ED"), optionalReal("w3_EHD"), optionalReal("seed_TD")};
}

std::string checkActivation(const Call& call) {
    const bool gated = call.word("activation") == "swiglu";
    if (gated && !call.has("w3_EHD")) return "in.w3_EHD is missing: swiglu needs it";
    if (!gated && call.has("w3_EHD")) return "in.w3_EHD has no place in a gelu network";
    for (const char* bias : {"b1_EH", "b2_ED"})
        if (gated && call.has(bias)) return fmt::format("in.{} has no place in a swiglu network", bias);
    return {};
}

std::string checkAttention(const Call& call) {
    const std::int64_t heads = call.integer("heads"), width = call.size('D'), tokens = call.size('T');
    if (width % heads != 0) return fmt::format("heads = {} does not divide the width {}", heads, width);
    const std::vector<std::int64_t>& mask = call.inputs.at("mask_BT").integers;
    for (std::int64_t b = 0; b < call.size('B'); ++b) {
        const auto row = mask.begin() + b * tokens;
        if (std::none_of(row, row + tokens, [](std::int64_t m) { return m != 0; }))
            return fmt::format("in.mask_BT is all zero for sample {}: there is nothing to attend to", b);
    }
    return {};
}

}  // namespace

void addLayers(std::vector<Operation>& table) {
    const std::vector<TensorForm> seen = {real("y_TD"), real("logits_TE"), index("indices_TK", 'E')};
    table.push_back({"layer.moe", Home::kEngine, moeParameters(), moeInputs(), seen, Gradients::kSeed, checkActivation});
    std::vector<Parameter> bounded = moeParameters();
    bounded.push_back(whole("capacity", 0));
    bounded.push_back(word("policy", {"position", "batch_priority"}));
    std::vector<TensorForm> with_kept = seen;
    with_kept.push_back(byte("kept_TK"));
    table.push_back({"layer.moe_capacity", Home::kEngine, bounded, moeInputs(), with_kept, Gradients::kSeed, checkActivation});
    std::vector<TensorForm> attention = {real("x_BTD")};
    for (const char* letter : {"q", "k", "v", "o"}) attention.push_back(real(fmt::format("w{}_DD", letter)));
    for (const char* letter : {"q", "k", "v", "o"}) attention.push_back(real(fmt::format("b{}_D", letter)));
    attention.push_back(byte("mask_BT"));
    attention.push_back(optionalReal("seed_BTD"));
    table.push_back({"layer.attention", Home::kEngine, {whole("heads", 1)}, attention, {real("y_BTD")}, Gradients::kSeed, checkAttention});
    const double most = std::numeric_limits<double>::infinity();
    table.push_back({"optim.adamw",
                     Home::kEngine,
                     {number("lr", 0, most), number("beta1", 0, 1), number("beta2", 0, 1), number("eps", 0, most), number("weight_decay", 0, most),
                      whole("steps", 1, 0, 'S')},
                     {real("param_N"), real("grads_SN")},
                     {real("param_N")},
                     Gradients::kNone,
                     nullptr});
}

}  // namespace es::reference::forms
