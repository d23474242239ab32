// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/weight_average.h"

#include <torch/nn/module.h>

#include <algorithm>

namespace es::engine {

WeightAverage::WeightAverage(const torch::nn::Module& model, double decay, bool warmup) : decay_(decay), warmup_(warmup) {
    const auto add = [&](const std::string& name, const at::Tensor& weight) {
        if (!weight.is_floating_point()) return;
        TORCH_CHECK(weight.scalar_type() == at::kFloat, "the weight '", name, "' is not in fp32");
        names_.push_back(name);
        weights_.push_back(weight);
        averages_.push_back(weight.detach().clone(at::MemoryFormat::Contiguous));
    };
    for (const auto& parameter : model.named_parameters()) add(parameter.key(), parameter.value());
    for (const auto& buffer : model.named_buffers()) add(buffer.key(), buffer.value());
}

void WeightAverage::update() {
    const at::NoGradGuard no_grad;
    const auto n = static_cast<double>(++updates_);
    const double decay = warmup_ ? std::min(decay_, (1 + n) / (10 + n)) : decay_;
    at::_foreach_lerp_(averages_, weights_, 1 - decay);
}

std::map<std::string, at::Tensor> WeightAverage::state() const {
    std::map<std::string, at::Tensor> out;
    for (std::size_t i = 0; i < names_.size(); ++i) out[names_[i]] = averages_[i];
    return out;
}

void WeightAverage::loadState(const std::map<std::string, at::Tensor>& state, std::int64_t updates) {
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const auto found = state.find(names_[i]);
        TORCH_CHECK(found != state.end(), "the average of the weights lacks '", names_[i], "'");
        TORCH_CHECK(found->second.sizes() == averages_[i].sizes(), "the average of '", names_[i], "' has shape ", found->second.sizes(), ", expected ",
                    averages_[i].sizes());
    }
    for (std::size_t i = 0; i < names_.size(); ++i) averages_[i].copy_(state.at(names_[i]));
    updates_ = updates;
}

WeightAverage::Shown::Shown(WeightAverage& average) : average_(average) {
    for (const at::Tensor& weight : average.weights_) trained_.push_back(weight.detach());
    for (std::size_t i = 0; i < trained_.size(); ++i) average.weights_[i].set_data(average.averages_[i]);
}

WeightAverage::Shown::~Shown() {
    for (std::size_t i = 0; i < trained_.size(); ++i) average_.weights_[i].set_data(trained_[i]);
}

}  // namespace es::engine
