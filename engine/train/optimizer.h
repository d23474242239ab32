// SPDX-License-Identifier: GPL-3.0-or-later
// AdamW over all parameters of a model in one pass, with clipping and gradient norms that never wait for the device.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace es::engine {

struct AdamWOptions {
    double beta1 = 0.9, beta2 = 0.98, epsilon = 1e-8;
    double weight_decay = 0.05;
    double clip = 1.0;  ///< largest global gradient norm; 0 does not clip
};

/// One trained tensor (fp32 leaf) and how it is treated.
struct OptimizedParameter {
    std::string name;
    at::Tensor tensor;
    bool decays = true;
    std::string group;  ///< whose gradient norm it belongs to
};

/// Norms before clipping, fp32 on the device: reading them waits, so read them a step late.
struct GradientNorms {
    at::Tensor all;       ///< 0-d
    at::Tensor groups_G;  ///< in the order of groupNames()
};

/// Decoupled weight decay (arXiv:1711.05101) with torch's conventions: epsilon outside the bias-corrected root. A parameter without a
/// gradient (a router that got no token) is left alone and its step count stays. When the global norm is not finite nothing is changed.
/// Used on one thread.
class AdamW {
public:
    AdamW(std::vector<OptimizedParameter> parameters, const AdamWOptions& options);
    /// The parameters of a VlMoe with its groups and decay rules, in order of name.
    [[nodiscard]] static AdamW forModel(const torch::nn::Module& model, const AdamWOptions& options);

    /// measure(), then apply().
    GradientNorms step(double learning_rate);
    /// The norms of the gradients as they are; changes nothing.
    [[nodiscard]] GradientNorms measure() const;
    /// Updates every parameter from its .grad, which clipping may scale in place; `norms` are those that measure() gave for these gradients.
    void apply(double learning_rate, const GradientNorms& norms);
    /// Drops the gradients; the next backward pass allocates them.
    void zeroGradients();
    [[nodiscard]] const std::vector<std::string>& groupNames() const { return group_names_; }

    /// Moments and step counts as "NAME.exp_avg", "NAME.exp_avg_sq", "NAME.step". They share memory with the optimizer: write or copy them
    /// before the next step.
    [[nodiscard]] std::map<std::string, at::Tensor> state() const;
    /// Copies a state back. Throws c10::Error naming the entry that is missing or has another shape; nothing is changed then.
    void loadState(const std::map<std::string, at::Tensor>& state);

private:
    /// What the fused kernel takes of some parameters.
    struct Lists {
        std::vector<at::Tensor> tensors, gradients, averages, squares, steps;
    };
    void add(std::size_t parameter, Lists& lists) const;
    void update(Lists& lists, double learning_rate, double weight_decay, const at::Tensor& gradient_scale, const at::Tensor& not_finite) const;

    std::vector<OptimizedParameter> parameters_;
    AdamWOptions options_;
    std::vector<at::Tensor> exp_avg_, exp_avg_sq_;
    at::Tensor steps_P_;                  ///< fp32: the fused kernel's type
    std::vector<at::Tensor> step_views_;  ///< 0-d views of steps_P_
    std::vector<std::string> group_names_;
    std::vector<std::int64_t> group_of_;
};

}  // namespace es::engine
