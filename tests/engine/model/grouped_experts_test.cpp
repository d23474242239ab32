// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/grouped_experts.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/model/gradient_check.h"

namespace es::engine {
namespace {

/// A kind of expert: its activation and which biases it has.
struct Kind {
    const char* name;
    Activation activation;
    bool b1, b2;
};
constexpr Kind kPlain{"gelu", Activation::kGelu, true, true}, kGated{"swiglu", Activation::kSwiglu, false, false};
constexpr Kind kKinds[] = {
    kPlain,
    {"gelu without b1", Activation::kGelu, false, true},
    {"gelu without b2", Activation::kGelu, true, false},
    {"gelu without biases", Activation::kGelu, false, false},
    kGated,
};

std::vector<at::Tensor> present(const ExpertWeights& weights) {
    std::vector<at::Tensor> made;
    for (const at::Tensor& tensor : {weights.w1_EHD, weights.b1_EH, weights.w2_EDH, weights.b2_ED, weights.w3_EHD})
        if (tensor.defined()) made.push_back(tensor);
    return made;
}

ExpertWeights makeWeights(const Kind& kind, std::int64_t experts, std::int64_t width, std::int64_t hidden, at::ScalarType type) {
    ExpertWeights weights;
    weights.w1_EHD = at::randn({experts, hidden, width}, type);
    weights.w2_EDH = at::randn({experts, width, hidden}, type);
    if (kind.b1) weights.b1_EH = at::randn({experts, hidden}, type);
    if (kind.b2) weights.b2_ED = at::randn({experts, width}, type);
    if (kind.activation == Activation::kSwiglu) weights.w3_EHD = at::randn({experts, hidden, width}, type);
    for (at::Tensor tensor : present(weights)) tensor.set_requires_grad(true);
    return weights;
}

/// Outputs and gradients of x and of the weights that are there.
template <class Function>
std::vector<at::Tensor> outputsAndGradients(const Function& function, const at::Tensor& x, const ExpertWeights& weights, Activation activation,
                                            const std::vector<std::int64_t>& offsets, const at::Tensor& seed) {
    const at::Tensor leaf = x.detach().clone().set_requires_grad(true);
    for (const at::Tensor& tensor : present(weights)) tensor.mutable_grad().reset();
    const at::Tensor y = function(leaf, weights, activation, offsets);
    y.backward(seed);
    std::vector<at::Tensor> result{y.detach(), leaf.grad()};
    for (const at::Tensor& tensor : present(weights)) result.push_back(tensor.grad().clone());
    return result;
}

void expectEqualToReference(const Kind& kind, std::int64_t width, std::int64_t hidden, const std::vector<std::int64_t>& offsets, at::ScalarType type,
                            double tolerance) {
    const auto experts = static_cast<std::int64_t>(offsets.size()) - 1;
    const ExpertWeights weights = makeWeights(kind, experts, width, hidden, type);
    const at::Tensor x = at::randn({offsets.back(), width}, type), seed = at::randn({offsets.back(), width}, type);
    const auto fused = outputsAndGradients(groupedFfn, x, weights, kind.activation, offsets, seed);
    const auto reference = outputsAndGradients(groupedFfnReference, x, weights, kind.activation, offsets, seed);
    ASSERT_EQ(fused.size(), 2 + present(weights).size());
    for (std::size_t i = 0; i < fused.size(); ++i) {
        const double scale = reference[i].abs().max().item<double>();
        EXPECT_LE((fused[i] - reference[i]).abs().max().item<double>(), tolerance * (1 + scale)) << kind.name << ", tensor " << i << ", width " << width;
    }
}

TEST(GroupedFfn, EqualsTheLoopOfLinearLayers) {
    at::manual_seed(1);
    for (const Kind& kind : kKinds) {
        for (const auto& [type, tolerance] : {std::pair{at::kFloat, 3e-6}, std::pair{at::kDouble, 1e-12}}) {
            expectEqualToReference(kind, 5, 7, {0, 3, 3, 10}, type, tolerance);            // odd sizes, an idle expert in the middle
            expectEqualToReference(kind, 16, 24, {0, 0, 500, 501, 501}, type, tolerance);  // idle ones at both ends, one over several blocks
            expectEqualToReference(kind, 130, 70, {0, 200}, type, tolerance);              // one expert: a dense network
            expectEqualToReference(kind, 3, 1, {0, 0, 1}, type, tolerance);                // one row, one hidden unit
        }
    }
}

TEST(GroupedFfn, EqualsTheLoopOnRandomShapes) {
    at::manual_seed(9);
    const auto below = [](std::int64_t limit) { return at::randint(limit, {1}, at::kLong).item<std::int64_t>(); };
    for (int round = 0; round < 40; ++round) {
        std::vector<std::int64_t> offsets{0};
        const std::int64_t experts = 1 + below(9);
        for (std::int64_t e = 0; e < experts; ++e) offsets.push_back(offsets.back() + (below(3) == 0 ? 0 : below(260)));
        if (offsets.back() == 0) continue;  // no rows: WithoutRows
        const Kind& kind = kKinds[static_cast<std::size_t>(round) % std::size(kKinds)];
        expectEqualToReference(kind, 1 + below(90), 1 + below(150), offsets, round % 2 ? at::kFloat : at::kDouble, round % 2 ? 5e-6 : 1e-12);
    }
}

TEST(GroupedFfn, GradientsAgreeWithDifferences) {
    at::manual_seed(10);
    const std::vector<std::int64_t> offsets{0, 4, 4, 5, 12};
    for (const Kind& kind : kKinds) {
        const ExpertWeights weights = makeWeights(kind, 4, 3, 5, at::kDouble);
        at::Tensor x = at::randn({12, 3}, at::kDouble).set_requires_grad(true);
        const at::Tensor seed = at::randn({12, 3}, at::kDouble);
        (groupedFfn(x, weights, kind.activation, offsets) * seed).sum().backward();
        const auto loss = [&] {
            const at::NoGradGuard no_grad;
            return (groupedFfn(x, weights, kind.activation, offsets) * seed).sum().item<double>();
        };
        std::vector<at::Tensor> checked = present(weights);
        checked.push_back(x);
        for (std::size_t i = 0; i < checked.size(); ++i) {
            at::Tensor plain = checked[i].detach();
            plain.mutable_grad() = checked[i].grad();
            test::expectGradient(std::string(kind.name) + ", tensor " + std::to_string(i), plain, loss, 1000);
        }
    }
}

TEST(GroupedFfn, IdleExpertsGetZeroGradients) {
    at::manual_seed(2);
    for (const Kind& kind : {kPlain, kGated}) {
        const ExpertWeights weights = makeWeights(kind, 3, 4, 6, at::kFloat);
        const auto result = outputsAndGradients(groupedFfn, at::randn({5, 4}), weights, kind.activation, {0, 5, 5, 5}, at::ones({5, 4}));
        for (std::size_t i = 2; i < result.size(); ++i) {
            EXPECT_EQ(result[i].narrow(0, 1, 2).abs().max().item<double>(), 0);
            EXPECT_GT(result[i][0].abs().max().item<double>(), 0);
        }
    }
}

TEST(GroupedFfn, TheNumberOfThreadsDoesNotChangeABit) {
    at::manual_seed(3);
    for (const Kind& kind : {kPlain, kGated}) {
        const ExpertWeights weights = makeWeights(kind, 4, 32, 48, at::kFloat);
        const at::Tensor x = at::randn({900, 32}), seed = at::randn({900, 32});
        const std::vector<std::int64_t> offsets{0, 10, 600, 700, 900};
        const int threads = at::get_num_threads();
        at::set_num_threads(1);
        const auto one = outputsAndGradients(groupedFfn, x, weights, kind.activation, offsets, seed);
        at::set_num_threads(2);
        const auto two = outputsAndGradients(groupedFfn, x, weights, kind.activation, offsets, seed);
        at::set_num_threads(threads);
        for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << kind.name << ", tensor " << i;
    }
}

TEST(GroupedFfn, WithoutGradientGivesTheSame) {
    at::manual_seed(4);
    for (const Kind& kind : kKinds) {
        const ExpertWeights weights = makeWeights(kind, 2, 8, 12, at::kFloat);
        const at::Tensor x = at::randn({20, 8});
        const at::Tensor with = groupedFfn(x, weights, kind.activation, {0, 7, 20}).detach();
        const at::NoGradGuard no_grad;
        EXPECT_TRUE(at::equal(with, groupedFfn(x, weights, kind.activation, {0, 7, 20}))) << kind.name;
    }
}

TEST(GroupedFfn, WithoutRows) {
    for (const Kind& kind : kKinds) {
        const ExpertWeights weights = makeWeights(kind, 2, 8, 12, at::kFloat);
        const at::Tensor y = groupedFfn(at::empty({0, 8}), weights, kind.activation, {0, 0, 0});
        EXPECT_EQ(y.sizes(), (at::IntArrayRef{0, 8}));
        y.sum().backward();
        EXPECT_EQ(weights.w1_EHD.grad().abs().max().item<double>(), 0) << kind.name;
    }
}

TEST(GroupedFfn, RefusesWeightsOfAnotherActivationOrShape) {
    const at::Tensor x = at::zeros({2, 8});
    const std::vector<std::int64_t> offsets{0, 1, 2};
    const ExpertWeights gelu = makeWeights(kPlain, 2, 8, 12, at::kFloat), swiglu = makeWeights(kGated, 2, 8, 12, at::kFloat);
    EXPECT_THROW((void)groupedFfn(x, gelu, Activation::kSwiglu, offsets), c10::Error);
    EXPECT_THROW((void)groupedFfn(x, swiglu, Activation::kGelu, offsets), c10::Error);
    ExpertWeights biased = swiglu;
    biased.b2_ED = gelu.b2_ED;
    EXPECT_THROW((void)groupedFfn(x, biased, Activation::kSwiglu, offsets), c10::Error);
    ExpertWeights narrow = gelu;
    narrow.b1_EH = at::zeros({2, 11});
    EXPECT_THROW((void)groupedFfn(x, narrow, Activation::kGelu, offsets), c10::Error);
    EXPECT_THROW((void)groupedFfn(x, gelu, Activation::kGelu, {0, 1, 3}), c10::Error);
    EXPECT_THROW((void)activationNamed("relu"), c10::Error);
}

TEST(GroupedExperts, HaveTheParametersOfTheirActivation) {
    const auto names = [](const ExpertOptions& options) {
        std::string all;
        for (const auto& item : GroupedExperts(options).named_parameters()) all += item.key() + " ";
        return all;
    };
    EXPECT_EQ(names({2, 4, 6, Activation::kGelu, true}), "w1 b1 w2 b2 ");
    EXPECT_EQ(names({2, 4, 6, Activation::kGelu, false}), "w1 w2 ");
    EXPECT_EQ(names({2, 4, 6, Activation::kSwiglu, true}), "w1 w2 w3 ");
    EXPECT_EQ(activationNamed("gelu"), Activation::kGelu);
    EXPECT_EQ(activationNamed("swiglu"), Activation::kSwiglu);
}

}  // namespace
}  // namespace es::engine
