// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace es::engine {
namespace {

std::vector<OptimizedParameter> makeParameters() {
    at::manual_seed(1);
    return {{"a", at::randn({5, 7}), true, "matrix"}, {"b", at::randn({9}), false, "bias"}, {"c", at::randn({3, 2}), true, "matrix"}};
}

/// torch.optim.AdamW written out, in double.
struct Reference {
    explicit Reference(const std::vector<OptimizedParameter>& parameters) {
        for (const OptimizedParameter& parameter : parameters) {
            values.push_back(parameter.tensor.to(at::kDouble));
            averages.push_back(at::zeros_like(values.back()));
            squares.push_back(at::zeros_like(values.back()));
        }
        steps.assign(values.size(), 0);
    }
    void step(std::size_t i, at::Tensor gradient, double rate, const AdamWOptions& options, double decay, double clip_factor) {
        gradient = gradient.to(at::kDouble) * clip_factor;
        const double t = ++steps[i];
        values[i].mul_(1 - rate * decay);
        averages[i] = averages[i] * options.beta1 + gradient * (1 - options.beta1);
        squares[i] = squares[i] * options.beta2 + gradient * gradient * (1 - options.beta2);
        const at::Tensor average = averages[i] / (1 - std::pow(options.beta1, t));
        const at::Tensor root = (squares[i] / (1 - std::pow(options.beta2, t))).sqrt() + options.epsilon;
        values[i].sub_(rate * average / root);
    }
    std::vector<at::Tensor> values, averages, squares;
    std::vector<double> steps;
};

TEST(AdamW, FollowsTheDefinitionWithClippingAndMissingGradients) {
    std::vector<OptimizedParameter> parameters = makeParameters();
    const AdamWOptions options{.beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-8, .weight_decay = 0.05, .clip = 2.0};
    Reference reference(parameters);
    AdamW optimizer(parameters, options);
    EXPECT_EQ(optimizer.groupNames(), (std::vector<std::string>{"matrix", "bias"}));
    for (int step = 0; step < 20; ++step) {
        double square = 0, matrix_square = 0;
        std::vector<at::Tensor> gradients;
        for (std::size_t i = 0; i < 3; ++i) {
            at::Tensor gradient = at::randn_like(parameters[i].tensor) * (step % 2 ? 0.01 : 3.0);
            if (i == 2 && step % 3 == 1) gradient.reset();  // a router without tokens
            gradients.push_back(gradient);
            parameters[i].tensor.mutable_grad() = gradient.defined() ? gradient.clone() : gradient;
            if (!gradient.defined()) continue;
            square += gradient.square().sum().item<double>();
            if (parameters[i].group == "matrix") matrix_square += gradient.square().sum().item<double>();
        }
        const double norm = std::sqrt(square), rate = 1e-2 * (1 + step);
        const GradientNorms norms = optimizer.step(rate);
        EXPECT_NEAR(norms.all.item<double>(), norm, 1e-4 * norm);
        EXPECT_NEAR(norms.groups_G[0].item<double>(), std::sqrt(matrix_square), 1e-4 * norm);
        for (std::size_t i = 0; i < 3; ++i) {
            if (gradients[i].defined())
                reference.step(i, gradients[i], rate, options, parameters[i].decays ? options.weight_decay : 0, std::min(1.0, options.clip / (norm + 1e-6)));
            EXPECT_LE((parameters[i].tensor.to(at::kDouble) - reference.values[i]).abs().max().item<double>(), 2e-5) << i << " step " << step;
        }
    }
    optimizer.zeroGradients();
    EXPECT_FALSE(parameters[0].tensor.grad().defined());
}

TEST(AdamW, ResumesToTheBit) {
    const auto gradientsOf = [](std::vector<OptimizedParameter>& parameters, int step) {
        at::manual_seed(static_cast<std::uint64_t>(100 + step));
        for (OptimizedParameter& parameter : parameters) parameter.tensor.mutable_grad() = at::randn_like(parameter.tensor);
    };
    std::vector<OptimizedParameter> whole = makeParameters(), broken = makeParameters();
    AdamW first(whole, {}), before(broken, {});
    for (int step = 0; step < 6; ++step) gradientsOf(whole, step), first.step(1e-2);
    for (int step = 0; step < 3; ++step) gradientsOf(broken, step), before.step(1e-2);
    std::map<std::string, at::Tensor> state;
    for (const auto& [name, tensor] : before.state()) state[name] = tensor.clone();
    AdamW after(broken, {});
    after.loadState(state);
    for (int step = 3; step < 6; ++step) gradientsOf(broken, step), after.step(1e-2);
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(at::equal(whole[i].tensor, broken[i].tensor));
    EXPECT_EQ(after.state().at("a.step").item<double>(), 6);

    state.erase("b.exp_avg");
    EXPECT_THROW(after.loadState(state), c10::Error);
    state["b.exp_avg"] = at::zeros({2});
    EXPECT_THROW(after.loadState(state), c10::Error);
}

TEST(AdamW, LeavesEverythingAloneWhenAGradientIsNotFinite) {
    std::vector<OptimizedParameter> parameters = makeParameters();
    AdamW optimizer(parameters, {});
    const at::Tensor before = parameters[0].tensor.clone();
    for (OptimizedParameter& parameter : parameters) parameter.tensor.mutable_grad() = at::ones_like(parameter.tensor);
    parameters[1].tensor.grad()[0].fill_(std::numeric_limits<float>::quiet_NaN());
    EXPECT_FALSE(optimizer.step(1e-2).all.isfinite().item<bool>());
    EXPECT_TRUE(at::equal(parameters[0].tensor, before));
    EXPECT_EQ(optimizer.state().at("a.step").item<double>(), 0);
    EXPECT_EQ(optimizer.state().at("a.exp_avg").abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace es::engine
