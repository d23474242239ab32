// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/grouped_experts.h"

#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <optional>

namespace es::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The order in which weights are saved and gradients given back.
constexpr std::array<at::Tensor ExpertWeights::*, 5> kWeightMembers{&ExpertWeights::w1_EHD, &ExpertWeights::b1_EH, &ExpertWeights::w2_EDH,
                                                                    &ExpertWeights::b2_ED, &ExpertWeights::w3_EHD};

void checkWeights(const ExpertWeights& weights, Activation activation) {
    TORCH_CHECK(weights.w1_EHD.defined() && weights.w2_EDH.defined(), "experts need w1 and w2");
    const std::int64_t experts = weights.w1_EHD.size(0), hidden = weights.w1_EHD.size(1), width = weights.w1_EHD.size(2);
    const auto check = [](const char* name, const at::Tensor& tensor, at::IntArrayRef sizes) {
        TORCH_CHECK(!tensor.defined() || tensor.sizes() == sizes, "experts' ", name, " is ", tensor.sizes(), " instead of ", sizes);
    };
    check("w2", weights.w2_EDH, {experts, width, hidden});
    check("w3", weights.w3_EHD, {experts, hidden, width});
    check("b1", weights.b1_EH, {experts, hidden});
    check("b2", weights.b2_ED, {experts, width});
    check("norm_weight", weights.norm_weight_EH, {experts, hidden});
    check("norm_bias", weights.norm_bias_EH, {experts, hidden});
    TORCH_CHECK(weights.norm_weight_EH.defined() == weights.norm_bias_EH.defined(), "a norm has a weight and a bias");
    const bool gated = activation == Activation::kSwiglu;
    TORCH_CHECK(weights.w3_EHD.defined() == gated, gated ? "SwiGLU experts need w3" : "GELU experts have no w3");
    TORCH_CHECK(!gated || (!weights.b1_EH.defined() && !weights.b2_ED.defined()), "SwiGLU experts have no biases");
}

template <class T>
const T* readPointer(const at::Tensor& tensor) {
    return tensor.defined() ? tensor.const_data_ptr<T>() : nullptr;
}
template <class T>
T* writePointer(const at::Tensor& tensor) {
    return tensor.defined() ? tensor.mutable_data_ptr<T>() : nullptr;
}

template <class T>
kernels::FfnWeights<const T> readPointers(const ExpertWeights& w) {
    return {readPointer<T>(w.w1_EHD), readPointer<T>(w.b1_EH), readPointer<T>(w.w2_EDH), readPointer<T>(w.b2_ED), readPointer<T>(w.w3_EHD)};
}

/// Forward into new tensors. Activation, slope and gate are what the backward pass needs; undefined where it does not.
struct FfnResult {
    at::Tensor y_SD, activation_SH, slope_SH, gate_SH;
};

FfnResult runForward(const at::Tensor& x_SD, const ExpertWeights& weights, Activation activation, const std::vector<std::int64_t>& offsets, bool keep_slope) {
    FfnResult result;
    const std::int64_t rows = x_SD.size(0), width = x_SD.size(1), hidden = weights.w1_EHD.size(1);
    result.y_SD = at::empty({rows, width}, x_SD.options());
    result.activation_SH = at::empty({rows, hidden}, x_SD.options());
    if (keep_slope) result.slope_SH = at::empty({rows, hidden}, x_SD.options());
    if (activation == Activation::kSwiglu) result.gate_SH = at::empty({rows, hidden}, x_SD.options());
    AT_DISPATCH_FLOATING_TYPES(x_SD.scalar_type(), "grouped_ffn", [&] {
        const kernels::FfnKept<scalar_t> kept{writePointer<scalar_t>(result.activation_SH), writePointer<scalar_t>(result.slope_SH),
                                              writePointer<scalar_t>(result.gate_SH)};
        kernels::groupedFfnForward<scalar_t>({width, hidden, offsets, activation}, readPointers<scalar_t>(weights), x_SD.const_data_ptr<scalar_t>(), kept,
                                             result.y_SD.mutable_data_ptr<scalar_t>());
    });
    return result;
}

std::optional<at::Tensor> optionalOf(const at::Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; }
at::Tensor tensorOf(const std::optional<at::Tensor>& tensor) { return tensor ? *tensor : at::Tensor(); }

class GroupedFfnFunction : public torch::autograd::Function<GroupedFfnFunction> {
public:
    // A weight that an activation does not have is an empty optional: autograd takes no undefined tensor as input.
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x_SD, const at::Tensor& w1, const std::optional<at::Tensor>& b1, const at::Tensor& w2,
                              const std::optional<at::Tensor>& b2, const std::optional<at::Tensor>& w3, Activation activation,
                              const std::vector<std::int64_t>& offsets) {
        const ExpertWeights weights{w1, tensorOf(b1), w2, tensorOf(b2), tensorOf(w3)};
        FfnResult result = runForward(x_SD, weights, activation, offsets, /*keep_slope=*/true);
        variable_list saved{x_SD, result.activation_SH, result.slope_SH, result.gate_SH};
        for (const auto member : kWeightMembers) saved.push_back(weights.*member);
        context->save_for_backward(std::move(saved));
        context->saved_data["offsets"] = offsets;
        context->saved_data["activation"] = static_cast<std::int64_t>(activation);
        return result.y_SD;
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor& x = saved[0];
        ExpertWeights weights, made;
        for (std::size_t i = 0; i < kWeightMembers.size(); ++i) {
            weights.*kWeightMembers[i] = saved[4 + i];
            if (saved[4 + i].defined()) made.*kWeightMembers[i] = at::empty_like(saved[4 + i]);
        }
        const std::vector<std::int64_t> offsets = context->saved_data["offsets"].toIntVector();
        const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
        const at::Tensor dy = gradients[0].contiguous();
        const at::Tensor dx = context->needs_input_grad(0) ? at::empty_like(x) : at::Tensor();
        const at::Tensor scratch = at::empty_like(saved[1]), gate_scratch = saved[3].defined() ? at::empty_like(saved[3]) : at::Tensor();
        AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "grouped_ffn_backward", [&] {
            const kernels::FfnKept<const scalar_t> kept{readPointer<scalar_t>(saved[1]), readPointer<scalar_t>(saved[2]), readPointer<scalar_t>(saved[3])};
            kernels::groupedFfnBackward<scalar_t>({x.size(1), weights.w1_EHD.size(1), offsets, activation}, readPointers<scalar_t>(weights),
                                                  x.const_data_ptr<scalar_t>(), kept, dy.const_data_ptr<scalar_t>(), scratch.mutable_data_ptr<scalar_t>(),
                                                  writePointer<scalar_t>(gate_scratch), writePointer<scalar_t>(dx),
                                                  {writePointer<scalar_t>(made.w1_EHD), writePointer<scalar_t>(made.b1_EH), writePointer<scalar_t>(made.w2_EDH),
                                                   writePointer<scalar_t>(made.b2_ED), writePointer<scalar_t>(made.w3_EHD)});
        });
        return {dx, made.w1_EHD, made.b1_EH, made.w2_EDH, made.b2_ED, made.w3_EHD, at::Tensor(), at::Tensor()};
    }
};

}  // namespace

Activation activationNamed(std::string_view name) {
    if (name == "gelu") return Activation::kGelu;
    TORCH_CHECK(name == "swiglu", "unknown activation '", std::string(name), "'");
    return Activation::kSwiglu;
}

at::Tensor groupedFfnReference(const at::Tensor& x_SD, const ExpertWeights& weights, Activation activation, const std::vector<std::int64_t>& offsets) {
    checkWeights(weights, activation);
    const auto of = [](const at::Tensor& tensor, std::int64_t e) { return tensor.defined() ? tensor[e] : at::Tensor(); };
    std::vector<at::Tensor> parts;
    for (std::int64_t e = 0; e < weights.w1_EHD.size(0); ++e) {
        const auto index = static_cast<std::size_t>(e);
        const std::int64_t begin = offsets[index], rows = offsets[index + 1] - begin;
        if (rows == 0) continue;
        const at::Tensor x = x_SD.narrow(0, begin, rows), u = at::linear(x, weights.w1_EHD[e], of(weights.b1_EH, e));
        at::Tensor hidden = activation == Activation::kSwiglu ? at::silu(u) * at::linear(x, weights.w3_EHD[e]) : at::gelu(u);
        if (weights.norm_weight_EH.defined()) hidden = at::layer_norm(hidden, {hidden.size(1)}, weights.norm_weight_EH[e], weights.norm_bias_EH[e], 1e-5);
        parts.push_back(at::linear(hidden, weights.w2_EDH[e], of(weights.b2_ED, e)));
    }
    return parts.empty() ? x_SD : at::cat(parts);
}

at::Tensor groupedFfn(const at::Tensor& x_SD, const ExpertWeights& weights, Activation activation, const std::vector<std::int64_t>& offsets) {
    checkWeights(weights, activation);
    TORCH_CHECK(static_cast<std::int64_t>(offsets.size()) == weights.w1_EHD.size(0) + 1 && offsets.back() == x_SD.size(0), "offsets do not span the rows");
    const bool fused = !weights.norm_weight_EH.defined() && x_SD.is_cpu() && x_SD.scalar_type() == weights.w1_EHD.scalar_type() &&
                       (x_SD.scalar_type() == at::kFloat || x_SD.scalar_type() == at::kDouble);
    if (!fused) return groupedFfnReference(x_SD, weights, activation, offsets);
    const at::Tensor x = x_SD.contiguous();
    ExpertWeights plain;
    for (const auto member : kWeightMembers)
        if ((weights.*member).defined()) plain.*member = (weights.*member).contiguous();
    if (at::GradMode::is_enabled())
        return GroupedFfnFunction::apply(x, plain.w1_EHD, optionalOf(plain.b1_EH), plain.w2_EDH, optionalOf(plain.b2_ED), optionalOf(plain.w3_EHD), activation,
                                         offsets);
    return runForward(x, plain, activation, offsets, /*keep_slope=*/false).y_SD;
}

GroupedExperts::GroupedExperts(const ExpertOptions& options) : activation_(options.activation) {
    const std::int64_t experts = options.experts, width = options.width, hidden = options.hidden;
    const bool gated = activation_ == Activation::kSwiglu, biases = options.biases && !gated;
    weights_.w1_EHD = register_parameter("w1", at::zeros({experts, hidden, width}));
    if (biases) weights_.b1_EH = register_parameter("b1", at::zeros({experts, hidden}));
    weights_.w2_EDH = register_parameter("w2", at::zeros({experts, width, hidden}));
    if (biases) weights_.b2_ED = register_parameter("b2", at::zeros({experts, width}));
    if (gated) weights_.w3_EHD = register_parameter("w3", at::zeros({experts, hidden, width}));
    if (!options.sub_norm) return;
    weights_.norm_weight_EH = register_parameter("norm_weight", at::ones({experts, hidden}));
    weights_.norm_bias_EH = register_parameter("norm_bias", at::zeros({experts, hidden}));
}

at::Tensor GroupedExperts::forward(const at::Tensor& x_SD, const std::vector<std::int64_t>& offsets) const {
    return groupedFfn(x_SD, weights_, activation_, offsets);
}

}  // namespace es::engine
