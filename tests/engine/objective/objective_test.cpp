// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <cmath>

#include "engine/objective/masked_prediction.h"
#include "engine/objective/router_losses.h"
#include "tests/engine/model/gradient_check.h"

namespace es::engine {
namespace {

TEST(BalanceLoss, IsOneAtBalanceAndExpertsAtCollapse) {
    for (const std::int64_t k : {1, 2}) {
        const at::Tensor uniform = at::full({8, 4}, 0.25), even = at::full({4}, 2 * k, at::kLong);
        EXPECT_NEAR(balanceLoss(uniform, even, k).item<double>(), 1.0, 1e-6);
    }
    at::Tensor collapsed = at::zeros({8, 4});
    collapsed.select(1, 3).fill_(1);
    EXPECT_NEAR(balanceLoss(collapsed, at::tensor({0, 0, 0, 8}, at::kLong), 1).item<double>(), 4.0, 1e-6);
}

TEST(BalanceLoss, EqualsItsDefinitionAndItsGradientPassesTheProbabilitiesOnly) {
    at::manual_seed(1);
    at::Tensor logits = at::randn({11, 5}, at::kDouble).set_requires_grad(true);
    const at::Tensor counts = at::tensor({3, 0, 9, 4, 6}, at::kLong);  // k = 2
    const at::Tensor loss = balanceLoss(logits.softmax(1), counts, 2);
    double expected = 0;
    const at::Tensor p = logits.detach().softmax(1).mean(0);
    for (std::int64_t e = 0; e < 5; ++e) expected += 5 * counts[e].item<double>() / 22 * p[e].item<double>();
    EXPECT_NEAR(loss.item<double>(), expected, 1e-12);
    loss.backward();
    at::Tensor plain = logits.detach();
    plain.mutable_grad() = logits.grad();
    test::expectGradient(
        "logits", plain, [&] { return balanceLoss(plain.softmax(1), counts, 2).item<double>(); }, 55);
}

TEST(ZLoss, EqualsItsDefinition) {
    at::manual_seed(2);
    at::Tensor logits = (at::randn({7, 3}, at::kDouble) * 3).set_requires_grad(true);
    const at::Tensor loss = zLoss(logits);
    double expected = 0;
    for (std::int64_t t = 0; t < 7; ++t) {
        double sum = 0;
        for (std::int64_t e = 0; e < 3; ++e) sum += std::exp(logits[t][e].item<double>());
        expected += std::log(sum) * std::log(sum) / 7;
    }
    EXPECT_NEAR(loss.item<double>(), expected, 1e-12);
    loss.backward();
    at::Tensor plain = logits.detach();
    plain.mutable_grad() = logits.grad();
    test::expectGradient(
        "logits", plain, [&] { return zLoss(plain).item<double>(); }, 21);
    EXPECT_NEAR(zLoss(at::tensor({500.0f, -500.0f}).unsqueeze(0)).item<double>(), 250000.0, 0.1);
}

TEST(PixelLosses, AreMeanSquaresPerPatch) {
    const at::Tensor predicted = at::tensor({1.0f, 2.0f, 0.0f, 0.0f}).view({2, 2}), target = at::tensor({0.0f, 0.0f, 3.0f, 1.0f}).view({2, 2});
    EXPECT_TRUE(at::allclose(pixelLosses(predicted, target).loss_M, at::tensor({2.5f, 5.0f})));
    EXPECT_FALSE(pixelLosses(predicted, target).correct_M.defined());
}

TEST(WordLosses, AreCrossEntropiesInNats) {
    const at::Tensor logits = at::log(at::tensor({0.5f, 0.25f, 0.25f, 0.1f, 0.2f, 0.7f})).view({2, 3});
    const TokenLosses losses = classLosses(logits, at::tensor({1, 2}, at::kLong));
    EXPECT_NEAR(losses.loss_M[0].item<double>(), std::log(4.0), 1e-6);
    EXPECT_NEAR(losses.loss_M[1].item<double>(), -std::log(0.7), 1e-6);
    EXPECT_TRUE(at::equal(losses.correct_M, at::tensor({0.0f, 1.0f})));
}

TEST(SumBySample, AddsAndLeavesOthersZero) {
    const at::Tensor sums = sumBySample(at::tensor({1.0f, 2.0f, 4.0f}), at::tensor({2, 0, 2}, at::kLong), 4);
    EXPECT_TRUE(at::equal(sums, at::tensor({2.0f, 0.0f, 5.0f, 0.0f})));
}

}  // namespace
}  // namespace es::engine
