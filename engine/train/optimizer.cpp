// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/optimizer.h"

#include <torch/nn/module.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/model/vl_moe.h"

namespace es::engine {

AdamW::AdamW(std::vector<OptimizedParameter> parameters, const AdamWOptions& options) : parameters_(std::move(parameters)), options_(options) {
    const at::NoGradGuard no_grad;
    TORCH_CHECK(!parameters_.empty(), "there is nothing to optimize");
    for (const OptimizedParameter& parameter : parameters_) {
        exp_avg_.push_back(at::zeros_like(parameter.tensor, at::MemoryFormat::Contiguous));
        exp_avg_sq_.push_back(at::zeros_like(parameter.tensor, at::MemoryFormat::Contiguous));
        const auto known = std::ranges::find(group_names_, parameter.group);
        group_of_.push_back(known - group_names_.begin());
        if (known == group_names_.end()) group_names_.push_back(parameter.group);
    }
    steps_P_ = at::zeros({static_cast<std::int64_t>(parameters_.size())}, parameters_[0].tensor.options().dtype(at::kFloat));
    step_views_ = steps_P_.unbind(0);
}

AdamW AdamW::forModel(const torch::nn::Module& model, const AdamWOptions& options) {
    std::vector<OptimizedParameter> parameters;
    for (const auto& item : model.named_parameters()) {
        if (!item.value().requires_grad()) continue;
        parameters.push_back({item.key(), item.value(), VlMoe::decays(item.key(), item.value()), VlMoe::gradientGroup(item.key())});
    }
    std::ranges::sort(parameters, {}, &OptimizedParameter::name);
    return AdamW(std::move(parameters), options);
}

GradientNorms AdamW::measure() const {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients;
    std::vector<std::int64_t> groups;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        if (!parameters_[i].tensor.grad().defined()) continue;
        gradients.push_back(parameters_[i].tensor.grad());
        groups.push_back(group_of_[i]);
    }
    at::Tensor squares_G = at::zeros({static_cast<std::int64_t>(group_names_.size())}, steps_P_.options());
    if (!gradients.empty()) {
        const at::Tensor squares = at::stack(at::_foreach_norm(gradients, 2)).to(at::kFloat).square();
        squares_G.index_add_(0, at::tensor(groups, at::kLong).to(squares_G.device()), squares);
    }
    return {squares_G.sum().sqrt(), squares_G.sqrt()};
}

void AdamW::add(std::size_t i, Lists& lists) const {
    lists.tensors.push_back(parameters_[i].tensor);
    lists.gradients.push_back(parameters_[i].tensor.grad());
    lists.averages.push_back(exp_avg_[i]);
    lists.squares.push_back(exp_avg_sq_[i]);
    lists.steps.push_back(step_views_[i]);
}

void AdamW::update(Lists& lists, double learning_rate, double weight_decay, const at::Tensor& gradient_scale, const at::Tensor& not_finite) const {
    if (lists.tensors.empty()) return;
    at::_fused_adamw_(lists.tensors, lists.gradients, lists.averages, lists.squares, /*max_exp_avg_sqs=*/{}, lists.steps, learning_rate, options_.beta1,
                      options_.beta2, weight_decay, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false,
                      gradient_scale.defined() ? std::optional(gradient_scale) : std::nullopt, not_finite);
}

void AdamW::apply(double learning_rate, const GradientNorms& norms) {
    const at::NoGradGuard no_grad;
    Lists decaying, plain;
    std::vector<std::size_t> present;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        if (!parameters_[i].tensor.grad().defined()) continue;
        present.push_back(i);
        add(i, parameters_[i].decays ? decaying : plain);
    }
    const at::Tensor not_finite = norms.all.isfinite().logical_not().to(at::kFloat);
    // The fused kernel divides gradients by the scale: norm / clip where that shortens them.
    const at::Tensor scale = options_.clip > 0 ? norms.all.add(1e-6).div(options_.clip).clamp_min(1.0) : at::Tensor();

    if (present.size() == parameters_.size()) {
        steps_P_.add_(1 - not_finite);
    } else {
        at::Tensor moved = at::zeros({static_cast<std::int64_t>(parameters_.size())}, at::kFloat);
        for (const std::size_t i : present) moved.data_ptr<float>()[i] = 1.0f;
        steps_P_.add_(moved.to(steps_P_.device()) * (1 - not_finite));
    }
    update(decaying, learning_rate, options_.weight_decay, scale, not_finite);
    update(plain, learning_rate, 0.0, scale, not_finite);
}

GradientNorms AdamW::step(double learning_rate) {
    GradientNorms norms = measure();
    apply(learning_rate, norms);
    return norms;
}

void AdamW::zeroGradients() {
    for (const OptimizedParameter& parameter : parameters_) parameter.tensor.mutable_grad().reset();
}

std::map<std::string, at::Tensor> AdamW::state() const {
    std::map<std::string, at::Tensor> state;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        state[parameters_[i].name + ".exp_avg"] = exp_avg_[i];
        state[parameters_[i].name + ".exp_avg_sq"] = exp_avg_sq_[i];
        state[parameters_[i].name + ".step"] = step_views_[i];
    }
    return state;
}

void AdamW::loadState(const std::map<std::string, at::Tensor>& state) {
    const at::NoGradGuard no_grad;
    const std::map<std::string, at::Tensor> own = this->state();
    for (const auto& [name, tensor] : own) {
        const auto found = state.find(name);
        TORCH_CHECK(found != state.end(), "the optimizer state lacks '", name, "'");
        TORCH_CHECK(found->second.sizes() == tensor.sizes(), "the optimizer state '", name, "' has shape ", found->second.sizes(), ", expected ",
                    tensor.sizes());
    }
    for (const auto& [name, tensor] : own) at::Tensor(tensor).copy_(state.at(name));
}

}  // namespace es::engine
