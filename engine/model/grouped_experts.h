// SPDX-License-Identifier: GPL-3.0-or-later
// The experts of one router as one set of weights. E experts, S slots sorted by expert, D width, H hidden width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/kernels/grouped_ffn.h"

namespace es::engine {

using kernels::Activation;

/// The activation of that name ("gelu", "swiglu"); throws c10::Error for an unknown one, which the configuration's check excludes.
[[nodiscard]] Activation activationNamed(std::string_view name);

/// GELU: w1, w2 and biases that may be undefined, no w3. SwiGLU: w1, w2, w3 and no biases. Both or neither of `norm_weight_EH` and
/// `norm_bias_EH`: a LayerNorm of the hidden vector before w2 (sub-LayerNorm, arXiv:2210.06423).
struct ExpertWeights {
    at::Tensor w1_EHD, b1_EH, w2_EDH, b2_ED, w3_EHD;
    at::Tensor norm_weight_EH = {}, norm_bias_EH = {};
};

/// Feed-forward networks of many experts over sorted rows, with gradient: w2 · gelu(w1 · x + b1) + b2 (exact GELU), or
/// w2 · (silu(w1 · x) * (w3 · x)) (SwiGLU, arXiv:2002.05202; Mixtral's and Qwen's experts). `offsets` has E + 1 entries and spans all rows
/// of x; experts may have none. On the CPU in fp32 and fp64 one fused pass over (expert, block of rows); otherwise, and where the hidden vectors
/// are normalised, a loop over the experts.
/// Weights that do not fit the activation get a c10::Error.
[[nodiscard]] at::Tensor groupedFfn(const at::Tensor& x_SD, const ExpertWeights& weights, Activation activation, const std::vector<std::int64_t>& offsets);

/// The same from ATen operations, a loop over the experts: any device and precision, and what the fused pass is checked against.
[[nodiscard]] at::Tensor groupedFfnReference(const at::Tensor& x_SD, const ExpertWeights& weights, Activation activation,
                                             const std::vector<std::int64_t>& offsets);

struct ExpertOptions {
    std::int64_t experts = 1, width = 0, hidden = 0;
    Activation activation = Activation::kGelu;
    bool biases = true;     ///< of GELU; SwiGLU has none
    bool sub_norm = false;  ///< normalises the hidden vectors
};

/// Parameters w1, b1, w2, b2 and w3, as far as the activation has them, and norm_weight and norm_bias.
class GroupedExperts : public torch::nn::Module {
public:
    explicit GroupedExperts(const ExpertOptions& options);
    [[nodiscard]] at::Tensor forward(const at::Tensor& x_SD, const std::vector<std::int64_t>& offsets) const;
    [[nodiscard]] const ExpertWeights& weights() const { return weights_; }
    [[nodiscard]] Activation activation() const { return activation_; }

private:
    ExpertWeights weights_;
    Activation activation_;
};

}  // namespace es::engine
