// SPDX-License-Identifier: GPL-3.0-or-later
// A moving average of a model's weights, kept beside those that are trained.
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

/// a ← d a + (1 - d) w in fp32 after each update of the weights w, for every parameter and every buffer of real numbers (balancing biases).
/// Used on one thread.
class WeightAverage {
public:
    /// Starts as a copy of the weights as they are. With `warmup` the n-th update (from 1) has d = min(decay, (1 + n) / (10 + n)).
    WeightAverage(const torch::nn::Module& model, double decay, bool warmup);
    void update();
    [[nodiscard]] std::int64_t updates() const { return updates_; }

    /// By the names that the weights have in the model. They share memory with the average: write or copy them before the next update.
    [[nodiscard]] std::map<std::string, at::Tensor> state() const;
    /// Copies a state back. Throws c10::Error naming the tensor that is missing or has another shape; nothing is changed then.
    void loadState(const std::map<std::string, at::Tensor>& state, std::int64_t updates);

    /// While it lives, the model has the averaged weights. Nothing may train it meanwhile.
    class Shown {
    public:
        explicit Shown(WeightAverage& average);
        ~Shown();
        Shown(const Shown&) = delete;
        Shown& operator=(const Shown&) = delete;

    private:
        WeightAverage& average_;
        std::vector<at::Tensor> trained_;
    };

private:
    double decay_;
    bool warmup_;
    std::int64_t updates_ = 0;
    std::vector<std::string> names_;
    std::vector<at::Tensor> weights_, averages_;
};

}  // namespace es::engine
