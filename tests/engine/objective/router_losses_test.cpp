// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/router_losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/engine/model/rule_checks.h"

namespace es::engine {
namespace {

using test::expectLossGradient;
using test::matrix;
using test::whole;

double value(const at::Tensor& loss) {
    EXPECT_EQ(loss.dim(), 0);
    return loss.item<double>();
}

double entropyOf(std::initializer_list<double> p) {
    double sum = 0;
    for (const double x : p) sum -= x > 0 ? x * std::log(x) : 0;
    return sum;
}

/// Gradient to fp32 logits of a loss of them.
at::Tensor gradientOf(const at::Tensor& logits, const std::function<at::Tensor(const at::Tensor&)>& loss) {
    const at::Tensor leaf = logits.clone().set_requires_grad(true);
    loss(leaf).backward();
    return leaf.grad();
}

TEST(CountChoices, LeavesOutWhatIsNoChoice) {
    EXPECT_TRUE(at::equal(countChoices(whole(2, {0, 2, -1, 2, 2, -1}), 4), at::tensor({1, 0, 3, 0}, at::kLong)));
    EXPECT_TRUE(at::equal(countChoices(at::full({3, 2}, -1, at::kLong), 2), at::zeros({2}, at::kLong)));
    EXPECT_TRUE(at::equal(countChoices(at::empty({0, 2}, at::kLong), 2), at::zeros({2}, at::kLong)));
    EXPECT_THROW((void)countChoices(whole(1, {0, 4}), 4), c10::Error);
}

TEST(BalanceLosses, AtBalanceOneButForTheUnnormalizedOneWhichIsK) {
    const at::Tensor uniform = at::full({8, 4}, 0.25);
    for (const std::int64_t k : {1, 2, 4}) {
        const at::Tensor even = (at::arange(8, at::kLong).unsqueeze(1) + at::arange(k, at::kLong)).remainder(4);
        EXPECT_NEAR(value(balanceLoss(uniform, countChoices(even, 4), k)), 1, 1e-6);
        EXPECT_NEAR(value(unnormalizedBalanceLoss(uniform, countChoices(even, 4))), static_cast<double>(k), 1e-6);
        EXPECT_NEAR(value(gshardLoss(uniform, even)), 1, 1e-6);
        EXPECT_NEAR(value(sequenceBalanceLoss(uniform, even, at::tensor({0, 0, 0, 0, 5, 5, 5, 5}, at::kLong))), 1, 1e-6);
    }
}

TEST(GshardLoss, CountsFirstChoicesAlone) {
    const at::Tensor p = matrix(3, {0.5f, 0.25f, 0.25f, 0.125f, 0.75f, 0.125f});
    const double expected = 3 * (0.5 * (0.5 + 0.125) / 2 + 0.5 * (0.25 + 0.75) / 2);
    EXPECT_NEAR(value(gshardLoss(p, whole(2, {0, 2, 1, 2}))), expected, 1e-6);
    EXPECT_NEAR(value(gshardLoss(p, whole(2, {0, 1, 1, 0}))), expected, 1e-6);
    EXPECT_NEAR(value(gshardLoss(p, whole(2, {0, 1, -1, 0}))), 3 * 0.5 * (0.5 + 0.125) / 2, 1e-6);  // no first choice, no count
}

TEST(ImportanceLoss, IsZeroWithZeroGradientAtBalance) {
    EXPECT_EQ(value(importanceLoss(at::full({8, 4}, 0.25))), 0);
    EXPECT_EQ(gradientOf(at::zeros({4, 4}), [](const at::Tensor& z) { return importanceLoss(z.softmax(1)); }).abs().max().item<double>(), 0);
    at::Tensor collapsed = at::zeros({5, 4});
    collapsed.select(1, 2).fill_(1);
    EXPECT_NEAR(value(importanceLoss(collapsed)), 3, 1e-6);  // sums 5, 0, 0, 0: variance 75/16 over squared mean 25/16
    EXPECT_EQ(value(importanceLoss(at::zeros({5, 4}))), 0);
    // Sums 0.625, 1, 0.375: mean 2/3, population variance 19/288.
    EXPECT_NEAR(value(importanceLoss(matrix(3, {0.5f, 0.25f, 0.25f, 0.125f, 0.75f, 0.125f}))), 19.0 / 288 / (4.0 / 9), 1e-6);
}

TEST(LoadLoss, FollowsTheNormalDistribution) {
    // One token, threshold 1: chances 1/2 and Φ(-1/σ).
    const double sigma = 0.8, other = 0.5 * std::erfc(1 / (sigma * std::sqrt(2.0))), mean = (0.5 + other) / 2;
    const double expected = ((0.5 - mean) * (0.5 - mean) + (other - mean) * (other - mean)) / 2 / (mean * mean);
    EXPECT_NEAR(value(loadLoss(matrix(2, {1, 0}), at::zeros({1, 2}), 1, sigma)), expected, 1e-6);
    // Flat logits and equal noise: all have the same chance.
    EXPECT_NEAR(value(loadLoss(at::zeros({3, 4}), at::zeros({3, 4}), 2, 0.5)), 0, 1e-12);
    EXPECT_THROW((void)loadLoss(at::zeros({3, 4}), at::zeros({3, 4}), 2, 0.0), c10::Error);
    EXPECT_THROW((void)loadLoss(at::zeros({3, 4}), at::zeros({3, 4}), 5, 0.5), c10::Error);
    EXPECT_THROW((void)loadLoss(at::zeros({3, 4}), at::zeros({2, 4}), 2, 0.5), c10::Error);
}

TEST(LoadLoss, TheThresholdCarriesGradient) {
    // A common shift of a token's logits changes no chance, so the gradients of a row must cancel: they do through the threshold alone.
    at::manual_seed(1);
    const at::Tensor logits = at::randn({6, 5}), noise = at::randn({6, 5}) * 0.2;
    const at::Tensor gradient = gradientOf(logits, [&](const at::Tensor& z) { return loadLoss(z, noise, 2, 0.5); });
    EXPECT_GT(gradient.abs().max().item<double>(), 1e-3);
    EXPECT_LE(gradient.sum(1).abs().max().item<double>(), 1e-7);
    const at::Tensor wide = logits.to(at::kDouble);
    expectLossGradient("load loss to the noise", noise.to(at::kDouble), [&](const at::Tensor& n) { return loadLoss(wide, n, 2, 0.5); });
}

TEST(LocalEntropy, IsTheMeanOfTheModalitiesPresent) {
    const at::Tensor p = matrix(2, {0.5f, 0.5f, 1, 0, 0.25f, 0.75f, 0.5f, 0.5f});
    const double first = (std::log(2.0) + 0) / 2, second = entropyOf({0.25, 0.75});
    EXPECT_NEAR(value(localEntropyLoss(p, at::tensor({0, 0, 1, -1}, at::kLong))), (first + second) / 2, 1e-6);
    EXPECT_NEAR(value(localEntropyLoss(p, at::tensor({3, 3, 900000, -1}, at::kLong))), (first + second) / 2, 1e-6);
    EXPECT_NEAR(value(localEntropyLoss(p, at::tensor({-1, -1, 1, -1}, at::kLong))), second, 1e-6);
    EXPECT_THROW((void)localEntropyLoss(p, at::zeros({3}, at::kLong)), c10::Error);
}

TEST(GlobalEntropy, ClampsEachModalityByItself) {
    // Modality 0 is even (entropy log 2), modality 1 decided (entropy 0); with tau = 0.5 only the second pays.
    const at::Tensor p = matrix(2, {1, 0, 0, 1, 1, 0, 1, 0});
    const at::Tensor modality = at::tensor({0, 0, 1, 1}, at::kLong);
    EXPECT_NEAR(value(globalEntropyLoss(p, modality, 0.5)), 0.25, 1e-6);
    EXPECT_NEAR(value(globalEntropyLoss(p, modality, std::log(2.0) + 1)), (1 + std::log(2.0) + 1) / 2, 1e-6);
    EXPECT_EQ(value(globalEntropyLoss(p, modality, -0.1)), 0);
}

TEST(Entropies, WithoutAnyLabelTheyAreZeroAndDifferentiable) {
    const at::Tensor none = at::full({3}, -1, at::kLong);
    const std::function<at::Tensor(const at::Tensor&)> losses[] = {[&](const at::Tensor& z) { return localEntropyLoss(z.softmax(1), none); },
                                                                   [&](const at::Tensor& z) { return globalEntropyLoss(z.softmax(1), none, 2); },
                                                                   [&](const at::Tensor& z) {
                                                                       return sequenceBalanceLoss(z.softmax(1), whole(1, {0, 1, 0}), none);
                                                                   }};
    for (const auto& loss : losses) {
        EXPECT_EQ(value(loss(at::zeros({3, 2}))), 0);
        EXPECT_EQ(gradientOf(at::zeros({3, 2}), loss).abs().max().item<double>(), 0);
    }
}

TEST(Entropies, ProbabilitiesOfZeroHaveNoGradient) {
    const at::Tensor p = matrix(3, {1, 0, 0, 0, 1, 0}), modality = at::tensor({0, 1}, at::kLong);
    const at::Tensor local = gradientOf(p, [&](const at::Tensor& x) { return localEntropyLoss(x, modality); });
    EXPECT_TRUE(at::equal(local.eq(0), p.eq(0)));
    const at::Tensor global = gradientOf(p, [&](const at::Tensor& x) { return globalEntropyLoss(x, modality, 2); });
    EXPECT_TRUE(at::equal(global.eq(0), p.eq(0)));
}

TEST(SequenceBalance, IsTheMeanOfTheBalanceWithinEachSequence) {
    at::manual_seed(2);
    const at::Tensor p = at::randn({7, 4}, at::kDouble).softmax(1), indices = whole(2, {0, 1, 2, -1, 1, 3, 0, 2, -1, -1, 3, 0, 1, 2});
    const at::Tensor sequence = at::tensor({9, -1, 2, 9, 2, 2, 9}, at::kLong);
    double expected = 0;
    for (const std::int64_t id : {2, 9}) {
        const at::Tensor rows = sequence.eq(id).nonzero().squeeze(1);
        expected += value(balanceLoss(p.index_select(0, rows), countChoices(indices.index_select(0, rows), 4), 2)) / 2;
    }
    EXPECT_NEAR(value(sequenceBalanceLoss(p, indices, sequence)), expected, 1e-12);
    EXPECT_THROW((void)sequenceBalanceLoss(p, at::full({7, 2}, 4, at::kLong), sequence), c10::Error);
    EXPECT_THROW((void)sequenceBalanceLoss(p, indices, sequence.narrow(0, 0, 6)), c10::Error);
}

struct NamedLoss {
    std::string name;
    std::function<at::Tensor(const at::Tensor& logits_TE)> of;
};

std::vector<NamedLoss> allLosses(const at::Tensor& indices_TK, const at::Tensor& noise_TE, const at::Tensor& label_T) {
    const std::int64_t experts = noise_TE.size(1), k = indices_TK.size(1);
    const at::Tensor counts = countChoices(indices_TK, experts);
    return {{"balance", [=](const at::Tensor& z) { return balanceLoss(z.softmax(1), counts, k); }},
            {"unnormalized", [=](const at::Tensor& z) { return unnormalizedBalanceLoss(z.softmax(1), counts); }},
            {"gshard", [=](const at::Tensor& z) { return gshardLoss(z.softmax(1), indices_TK); }},
            {"importance", [=](const at::Tensor& z) { return importanceLoss(z.softmax(1)); }},
            {"load", [=](const at::Tensor& z) { return loadLoss(z, noise_TE.to(z.scalar_type()), k, 0.5); }},
            {"z", [=](const at::Tensor& z) { return zLoss(z); }},
            {"local entropy", [=](const at::Tensor& z) { return localEntropyLoss(z.softmax(1), label_T); }},
            {"global entropy", [=](const at::Tensor& z) { return globalEntropyLoss(z.softmax(1), label_T, 3.0); }},
            {"sequence", [=](const at::Tensor& z) { return sequenceBalanceLoss(z.softmax(1), indices_TK, label_T); }}};
}

TEST(RouterLosses, GradientsAgreeWithDifferences) {
    at::manual_seed(3);
    const at::Tensor logits = at::randn({9, 5}, at::kDouble), label = at::tensor({0, 1, 1, -1, 0, 4, 4, 1, 0}, at::kLong);
    const at::Tensor indices = std::get<1>(logits.topk(2, 1));
    for (const NamedLoss& loss : allLosses(indices, at::randn({9, 5}, at::kDouble) * 0.3, label)) expectLossGradient(loss.name, logits, loss.of);
}

TEST(RouterLosses, LogitsOf500AreHarmless) {
    const at::Tensor logits = matrix(4, {500, -500, 0, 499.5f, -500, -500, -500, -500, 500, 500, 500, -500});
    const at::Tensor label = at::tensor({0, 1, 0}, at::kLong);
    for (const NamedLoss& loss : allLosses(whole(2, {0, 3, 0, 1, 0, 1}), at::full({3, 4}, 0.125), label)) {
        const at::Tensor found = loss.of(logits);
        EXPECT_TRUE(found.isfinite().item<bool>()) << loss.name;
        EXPECT_EQ(found.scalar_type(), at::kFloat) << loss.name;
        EXPECT_TRUE(gradientOf(logits, loss.of).isfinite().all().item<bool>()) << loss.name;
    }
}

TEST(ZLoss, TheGradientOfHugeLogitsIsExact) {
    const at::Tensor logits = matrix(3, {500, 499, 498});
    const at::Tensor gradient = gradientOf(logits, [](const at::Tensor&z) { return zLoss(z); }), wide = logits.to(at::kDouble);
    test::expectNear(gradient / (wide.logsumexp(1, true) * wide.softmax(1) * 2), at::ones({1, 3}), 2e-7);
}

TEST(RouterLosses, PermutingTokensChangesNothing) {
    at::manual_seed(4);
    const at::Tensor logits = at::randn({30, 6}, at::kDouble), noise = at::randn({30, 6}, at::kDouble) * 0.2, order = at::randperm(30, at::kLong);
    const at::Tensor indices = std::get<1>(logits.topk(2, 1)), label = at::arange(30, at::kLong).remainder(4) - 1;
    const auto straight = allLosses(indices, noise, label);
    const auto permuted = allLosses(indices.index_select(0, order), noise.index_select(0, order), label.index_select(0, order));
    for (std::size_t i = 0; i < straight.size(); ++i)
        EXPECT_NEAR(value(straight[i].of(logits)), value(permuted[i].of(logits.index_select(0, order))), 1e-12) << straight[i].name;
}

}  // namespace
}  // namespace es::engine
