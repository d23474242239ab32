// SPDX-License-Identifier: GPL-3.0-or-later
// The two smallest layers. Their weights start at zero (norms: one); initialize() in initialization.h draws the real ones.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace es::engine {

/// y = x Wᵀ + b.
class Linear : public torch::nn::Module {
public:
    Linear(std::int64_t inputs, std::int64_t outputs)
        : weight_(register_parameter("weight", at::zeros({outputs, inputs}))), bias_(register_parameter("bias", at::zeros({outputs}))) {}
    [[nodiscard]] at::Tensor forward(const at::Tensor& x) const { return at::linear(x, weight_, bias_); }

private:
    at::Tensor weight_, bias_;
};

/// Layer normalisation over the last dimension (arXiv:1607.06450), epsilon 1e-5.
class LayerNorm : public torch::nn::Module {
public:
    explicit LayerNorm(std::int64_t width) : weight_(register_parameter("weight", at::ones({width}))), bias_(register_parameter("bias", at::zeros({width}))) {}
    [[nodiscard]] at::Tensor forward(const at::Tensor& x) const { return at::layer_norm(x, weight_.sizes(), weight_, bias_, 1e-5); }

private:
    at::Tensor weight_, bias_;
};

}  // namespace es::engine
