// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/grouped_experts.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <vector>

namespace es::engine {
namespace {

struct Weights {
    at::Tensor w1, b1, w2, b2;
    [[nodiscard]] std::vector<at::Tensor> all() const { return {w1, b1, w2, b2}; }
};

Weights makeWeights(std::int64_t experts, std::int64_t width, std::int64_t hidden, at::ScalarType type) {
    Weights weights{at::randn({experts, hidden, width}, type), at::randn({experts, hidden}, type), at::randn({experts, width, hidden}, type),
                    at::randn({experts, width}, type)};
    for (at::Tensor tensor : weights.all()) tensor.set_requires_grad(true);
    return weights;
}

/// Outputs and gradients of x and of the weights.
template <class Function>
std::vector<at::Tensor> outputsAndGradients(const Function& function, const at::Tensor& x, const Weights& weights,
                                            const std::vector<std::int64_t>& offsets, const at::Tensor& seed) {
    const at::Tensor leaf = x.detach().clone().set_requires_grad(true);
    for (const at::Tensor& tensor : weights.all()) tensor.mutable_grad().reset();
    const at::Tensor y = function(leaf, weights.w1, weights.b1, weights.w2, weights.b2, offsets);
    y.backward(seed);
    std::vector<at::Tensor> result{y.detach(), leaf.grad()};
    for (const at::Tensor& tensor : weights.all()) result.push_back(tensor.grad().clone());
    return result;
}

void expectEqualToReference(std::int64_t width, std::int64_t hidden, const std::vector<std::int64_t>& offsets, at::ScalarType type, double tolerance) {
    const auto experts = static_cast<std::int64_t>(offsets.size()) - 1;
    const Weights weights = makeWeights(experts, width, hidden, type);
    const at::Tensor x = at::randn({offsets.back(), width}, type), seed = at::randn({offsets.back(), width}, type);
    const auto fused = outputsAndGradients(groupedFfn, x, weights, offsets, seed);
    const auto reference = outputsAndGradients(groupedFfnReference, x, weights, offsets, seed);
    for (std::size_t i = 0; i < fused.size(); ++i) {
        const double scale = reference[i].abs().max().item<double>();
        EXPECT_LE((fused[i] - reference[i]).abs().max().item<double>(), tolerance * (1 + scale)) << "tensor " << i << " width " << width;
    }
}

TEST(GroupedFfn, EqualsTheLoopOfLinearLayers) {
    at::manual_seed(1);
    for (const auto& [type, tolerance] : {std::pair{at::kFloat, 3e-6}, std::pair{at::kDouble, 1e-12}}) {
        expectEqualToReference(5, 7, {0, 3, 3, 10}, type, tolerance);            // odd sizes, an idle expert in the middle
        expectEqualToReference(16, 24, {0, 0, 500, 501, 501}, type, tolerance);  // idle ones at both ends, one over several blocks
        expectEqualToReference(130, 70, {0, 200}, type, tolerance);              // one expert: a dense network
    }
}

TEST(GroupedFfn, IdleExpertsGetZeroGradients) {
    at::manual_seed(2);
    const Weights weights = makeWeights(3, 4, 6, at::kFloat);
    const auto result = outputsAndGradients(groupedFfn, at::randn({5, 4}), weights, {0, 5, 5, 5}, at::ones({5, 4}));
    for (std::size_t i = 2; i < result.size(); ++i) {
        EXPECT_EQ(result[i].narrow(0, 1, 2).abs().max().item<double>(), 0);
        EXPECT_GT(result[i][0].abs().max().item<double>(), 0);
    }
}

TEST(GroupedFfn, TheNumberOfThreadsDoesNotChangeABit) {
    at::manual_seed(3);
    const Weights weights = makeWeights(4, 32, 48, at::kFloat);
    const at::Tensor x = at::randn({900, 32}), seed = at::randn({900, 32});
    const std::vector<std::int64_t> offsets{0, 10, 600, 700, 900};
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const auto one = outputsAndGradients(groupedFfn, x, weights, offsets, seed);
    at::set_num_threads(2);
    const auto two = outputsAndGradients(groupedFfn, x, weights, offsets, seed);
    at::set_num_threads(threads);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << "tensor " << i;
}

TEST(GroupedFfn, WithoutGradientGivesTheSame) {
    at::manual_seed(4);
    const Weights weights = makeWeights(2, 8, 12, at::kFloat);
    const at::Tensor x = at::randn({20, 8});
    const at::Tensor with = groupedFfn(x, weights.w1, weights.b1, weights.w2, weights.b2, {0, 7, 20}).detach();
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(with, groupedFfn(x, weights.w1, weights.b1, weights.w2, weights.b2, {0, 7, 20})));
    EXPECT_EQ(groupedFfn(at::empty({0, 8}), weights.w1, weights.b1, weights.w2, weights.b2, {0, 0, 0}).size(0), 0);
}

}  // namespace
}  // namespace es::engine
