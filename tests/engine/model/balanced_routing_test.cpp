// SPDX-License-Identifier: GPL-3.0-or-later
// Rules that balance or share out by construction: Sinkhorn, expert choice, Soft MoE, capacity, BASE, biases, hash.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "engine/base/assignment.h"
#include "engine/model/routing_rules.h"
#include "engine/objective/router_losses.h"
#include "tests/engine/model/rule_checks.h"

namespace es::engine {
namespace {

using test::expectNear;
using test::matrix;
using test::whole;

std::int64_t largestLoad(const at::Tensor& indices_TK, std::int64_t experts) { return countChoices(indices_TK, experts).max().item<std::int64_t>(); }

/// The rounds of the definition as they stand, d0 then d1, in plain numbers.
std::vector<double> balancedByHand(const at::Tensor& logits, double tolerance, std::int64_t rounds) {
    const auto tokens = static_cast<std::size_t>(logits.size(0)), experts = static_cast<std::size_t>(logits.size(1));
    const double* z = logits.const_data_ptr<double>();
    std::vector<double> d0(tokens), d1(experts, 1);
    double change = INFINITY;
    for (std::int64_t round = 0; round < rounds && change > tolerance; ++round) {
        for (std::size_t t = 0; t < tokens; ++t) {
            double sum = 0;
            for (std::size_t e = 0; e < experts; ++e) sum += std::exp(z[t * experts + e]) * d1[e];
            d0[t] = 1 / (static_cast<double>(tokens) * sum);
        }
        change = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            double sum = 0;
            for (std::size_t t = 0; t < tokens; ++t) sum += std::exp(z[t * experts + e]) * d0[t];
            const double next = 1 / (static_cast<double>(experts) * sum);
            change += std::abs(next - d1[e]) / static_cast<double>(experts);
            d1[e] = next;
        }
    }
    return d1;
}

TEST(Sinkhorn, ChoosesByTheBalancedMatrix) {
    at::manual_seed(1);
    const at::Tensor logits = at::randn({40, 6}, at::kDouble) + at::tensor({3.0, 0.0, -1.0, 0.0, 1.0, -3.0}, at::kDouble);
    for (const auto& [tolerance, rounds] : {std::pair{1e-4, std::int64_t{200}},
                                            {0.3, std::int64_t{200}},
                                            {3.0, std::int64_t{200}},
                                            {1.0, std::int64_t{200}},
                                            {0.1, std::int64_t{200}},
                                            {0.03, std::int64_t{200}},
                                            {1e-12, std::int64_t{1}},
                                            {1e-12, std::int64_t{3}}}) {
        const std::vector<double> d1 = balancedByHand(logits, tolerance, rounds);
        const at::Tensor expected = (logits.exp() * at::tensor(d1, at::kDouble)).argsort(1, true).narrow(1, 0, 2);
        const TokenChoice choice = sinkhornTopK(logits, {2, tolerance, rounds});
        EXPECT_TRUE(at::equal(choice.indices_TK, expected)) << tolerance << " " << rounds;
        expectNear(choice.weights_TK, logits.softmax(1).gather(1, expected), 1e-14);
    }
}

TEST(Sinkhorn, BalancesWhatPlainSelectionWouldPileUp) {
    at::manual_seed(2);
    const at::Tensor logits = at::randn({400, 8}) + at::arange(8) * 0.5;
    const TokenChoice plain = sinkhornTopK(logits, {1, 1e-4, 0}), balanced = sinkhornTopK(logits, {1, 1e-4, 1000});
    EXPECT_TRUE(at::equal(plain.indices_TK, softmaxTopK(logits, 1, false).indices_TK));  // no round, no balance
    EXPECT_GT(largestLoad(plain.indices_TK, 8), 150);
    EXPECT_LT(largestLoad(balanced.indices_TK, 8), 75);
    expectNear(balanced.weights_TK, logits.sigmoid().gather(1, balanced.indices_TK), 1e-7);
    // A shift common to a token's logits is none to the balance.
    EXPECT_TRUE(at::equal(sinkhornTopK(logits + at::randint(-9, 9, {400, 1}).to(at::kFloat), {1, 1e-4, 1000}).indices_TK, balanced.indices_TK));
}

TEST(Sinkhorn, FactorsBeyondTheRangeOfDoubleAreHarmless) {
    at::Tensor logits = at::full({6, 3}, 500.0);
    logits.select(1, 2).fill_(-500);  // its factor is about e^1000
    logits[1][0].fill_(499);
    const TokenChoice choice = sinkhornTopK(logits, {3, 1e-4, 50});
    EXPECT_TRUE(choice.weights_TK.isfinite().all().item<bool>());
    EXPECT_TRUE(at::equal(std::get<0>(choice.indices_TK.sort(1)), at::arange(3, at::kLong).expand({6, 3})));
    EXPECT_THROW((void)sinkhornTopK(logits, {1, -1.0, 5}), c10::Error);
}

TEST(ExpertChoice, EveryExpertTakesItsCapacity) {
    at::manual_seed(3);
    const at::Tensor logits = at::randn({20, 4}, at::kDouble), p = logits.softmax(1);
    const ExpertChoice choice = expertChoice(logits, 5);
    EXPECT_EQ(choice.token_indices_EC.sizes(), (at::IntArrayRef{4, 5}));
    EXPECT_TRUE(at::equal(choice.token_indices_EC, p.t().argsort(1, true).narrow(1, 0, 5)));
    expectNear(choice.weights_EC, p.t().gather(1, choice.token_indices_EC), 1e-14);
    const at::Tensor seed = at::randn({4, 5}, at::kDouble);
    test::expectLossGradient("logits", logits.narrow(0, 0, 12), [&](const at::Tensor& z) { return (expertChoice(z, 5).weights_EC * seed).sum(); });
}

TEST(ExpertChoice, TiesGoToTheLowerToken) {
    EXPECT_TRUE(at::equal(expertChoice(at::full({9, 3}, 0.7), 4).token_indices_EC, at::arange(4, at::kLong).expand({3, 4})));
    EXPECT_TRUE(at::equal(expertChoice(at::zeros({3, 1}), 3).token_indices_EC, whole(3, {0, 1, 2})));
    // The same logits in another order: expert 0 is as likely for both tokens, whatever the order of a sum.
    const at::Tensor shuffled = matrix(4, {1, 0.3f, -0.7f, 2.1f, 1, 2.1f, 0.3f, -0.7f, 1, -0.7f, 2.1f, 0.3f});
    EXPECT_TRUE(at::equal(expertChoice(shuffled, 3).token_indices_EC[0], at::arange(3, at::kLong)));
    // With many experts some order of a sum would round otherwise.
    at::manual_seed(11);
    std::vector<at::Tensor> rows;
    const at::Tensor others = at::randn({30});
    for (int t = 0; t < 60; ++t) rows.push_back(at::cat({at::ones({1}), others.index_select(0, at::randperm(30, at::kLong))}));
    EXPECT_TRUE(at::equal(expertChoice(at::stack(rows), 60).token_indices_EC[0], at::arange(60, at::kLong)));
    const at::Tensor huge = matrix(2, {500, -500, -500, 500, 500, -500});
    EXPECT_TRUE(at::equal(expertChoice(huge, 2).token_indices_EC, whole(2, {0, 2, 1, 0})));
    EXPECT_THROW((void)expertChoice(huge, 4), c10::Error);
    EXPECT_THROW((void)expertChoice(huge, 0), c10::Error);
}

TEST(ExpertChoice, OneTokenAnExpertInAForcedRoundRobin) {
    const at::Tensor logits = at::eye(5) * 8;
    EXPECT_TRUE(at::equal(expertChoice(logits, 1).token_indices_EC.squeeze(1), at::arange(5, at::kLong)));
}

TEST(SoftRouting, BothSidesAreDistributions) {
    at::manual_seed(4);
    const at::Tensor hidden = at::randn({7, 5}, at::kDouble), phi = at::randn({5, 6}, at::kDouble), scale = at::scalar_tensor(3.0, at::kDouble);
    const SoftRouting routing = softRouting(hidden, phi, scale);
    expectNear(routing.dispatch_TS.sum(0), at::ones({6}), 1e-14);
    expectNear(routing.combine_TS.sum(1), at::ones({7}), 1e-14);
    const at::Tensor h = hidden[2] / (hidden[2].square().sum() + 1e-6).sqrt(), f = phi.select(1, 4) / (phi.select(1, 4).square().sum() + 1e-6).sqrt();
    EXPECT_NEAR(routing.logits_TS[2][4].item<double>(), 3 * (h * f).sum().item<double>(), 1e-14);
    const at::Tensor order = at::randperm(7, at::kLong);
    expectNear(softRouting(hidden.index_select(0, order), phi, scale).combine_TS, routing.combine_TS.index_select(0, order), 1e-14);
    EXPECT_THROW((void)softRouting(hidden, phi.t(), scale), c10::Error);
    EXPECT_THROW((void)softRouting(hidden, phi, at::ones({1})), c10::Error);
}

TEST(SoftRouting, GradientsFlowToAllThreeAndZeroRowsAreHarmless) {
    at::manual_seed(5);
    at::Tensor hidden = at::randn({4, 3}, at::kDouble);
    hidden[1].zero_();
    const at::Tensor phi = at::randn({3, 5}, at::kDouble), scale = at::scalar_tensor(1.5, at::kDouble), a = at::randn({4, 5}, at::kDouble),
                     b = at::randn({4, 5}, at::kDouble);
    const auto loss = [&](const SoftRouting& r) { return (r.dispatch_TS * a).sum() + (r.combine_TS * b).sum(); };
    test::expectLossGradient("phi", phi, [&](const at::Tensor& x) { return loss(softRouting(hidden, x, scale)); });
    test::expectLossGradient("scale", scale, [&](const at::Tensor& x) { return loss(softRouting(hidden, phi, x)); });
    hidden[1].fill_(0.01);  // at 0 the curvature of 1/sqrt(1e-6) is too strong for differences
    test::expectLossGradient("hidden", hidden, [&](const at::Tensor& x) { return loss(softRouting(x, phi, scale)); });
    const SoftRouting huge = softRouting(at::randn({4, 3}), phi.to(at::kFloat), at::scalar_tensor(500.0f));
    EXPECT_TRUE(huge.dispatch_TS.isfinite().all().item<bool>() && huge.combine_TS.isfinite().all().item<bool>());
}

TEST(Capacity, FirstChoicesComeBeforeSecondOnes) {
    const at::Tensor indices = whole(2, {1, 0, 0, 2, 0, 1});
    const at::Tensor probs = matrix(3, {0.125f, 0.75f, 0.125f, 0.5f, 0.125f, 0.375f, 0.625f, 0.25f, 0.125f});
    EXPECT_TRUE(at::equal(keptWithinCapacity(indices, probs, 3, 2, CapacityPolicy::kPosition), whole(2, {1, 0, 1, 1, 1, 1}).to(at::kByte)));
    EXPECT_TRUE(at::equal(keptWithinCapacity(indices, probs, 3, 1, CapacityPolicy::kPosition), whole(2, {1, 0, 1, 1, 0, 0}).to(at::kByte)));
    // The surest token is the first here, though not by expert 0.
    EXPECT_TRUE(at::equal(keptWithinCapacity(whole(1, {1, 1}), matrix(2, {0.125f, 0.875f, 0.25f, 0.75f}), 2, 1, CapacityPolicy::kBatchPriority),
                          whole(1, {1, 0}).to(at::kByte)));
    // The surest token of expert 0 is the third.
    EXPECT_TRUE(at::equal(keptWithinCapacity(indices, probs, 3, 1, CapacityPolicy::kBatchPriority), whole(2, {1, 0, 0, 1, 1, 0}).to(at::kByte)));
}

TEST(Capacity, NoChoiceTakesNoPlaceAndEqualPrioritiesGoByPosition) {
    const at::Tensor indices = whole(2, {-1, -1, 0, -1, 0, 1, 0, 0}), equal = at::full({4, 2}, 0.5);
    for (const CapacityPolicy policy : {CapacityPolicy::kPosition, CapacityPolicy::kBatchPriority}) {
        EXPECT_TRUE(at::equal(keptWithinCapacity(indices, equal, 2, 2, policy), whole(2, {0, 0, 1, 0, 1, 1, 0, 0}).to(at::kByte)));
        EXPECT_EQ(keptWithinCapacity(indices, equal, 2, 0, policy).sum().item<std::int64_t>(), 0);
        EXPECT_TRUE(at::equal(keptWithinCapacity(indices, equal, 2, 9, policy), indices.ge(0).to(at::kByte)));
        EXPECT_THROW((void)keptWithinCapacity(indices, equal, 1, 2, policy), c10::Error);
    }
    EXPECT_THROW((void)keptWithinCapacity(indices, at::ones({3, 2}), 2, 2, CapacityPolicy::kBatchPriority), c10::Error);
}

TEST(Capacity, KeepsAsManyAsFitAndNeverMore) {
    at::manual_seed(6);
    const at::Tensor logits = at::randn({60, 5});
    const TokenChoice choice = softmaxTopK(logits, 2, false);
    const at::Tensor counts = countChoices(choice.indices_TK, 5);
    for (const CapacityPolicy policy : {CapacityPolicy::kPosition, CapacityPolicy::kBatchPriority}) {
        const at::Tensor kept = keptWithinCapacity(choice.indices_TK, choice.probs_TE, 5, 20, policy);
        const at::Tensor kept_counts = countChoices(choice.indices_TK.masked_fill(kept.eq(0), -1), 5);
        EXPECT_TRUE(at::equal(kept_counts, counts.clamp_max(20)));
    }
}

TEST(BalancedAssignment, EqualsTheBestOfAllBalancedPlans) {
    at::manual_seed(7);
    for (int attempt = 0; attempt < 20; ++attempt) {
        const at::Tensor scores = at::randn({6, 3}, at::kDouble);
        std::array<std::int64_t, 6> plan{0, 0, 1, 1, 2, 2}, best{};
        double most = -INFINITY;
        do {
            double sum = 0;
            for (std::size_t t = 0; t < plan.size(); ++t) sum += scores[static_cast<std::int64_t>(t)][plan[t]].item<double>();
            if (sum > most) most = sum, best = plan;
        } while (std::ranges::next_permutation(plan).found);
        EXPECT_TRUE(at::equal(balancedAssignment(scores), at::tensor(std::vector<std::int64_t>(best.begin(), best.end()))));
    }
}

TEST(BalancedAssignment, GivesEveryExpertTheSameNumber) {
    at::manual_seed(8);
    const at::Tensor scores = at::randn({64, 8}) + at::arange(8) * 10;
    EXPECT_TRUE(at::equal(countChoices(balancedAssignment(scores).unsqueeze(1), 8), at::full({8}, 8, at::kLong)));
    EXPECT_TRUE(
        at::equal(balancedAssignment(at::one_hot(at::arange(12, at::kLong).remainder(4), 4).to(at::kFloat) * 500), at::arange(12, at::kLong).remainder(4)));
    EXPECT_THROW((void)balancedAssignment(at::zeros({7, 3})), c10::Error);
}

TEST(AssignmentWithin, IsTheBestPlanWithThatManyPlaces) {
    at::manual_seed(9);
    for (int attempt = 0; attempt < 20; ++attempt) {
        // Against the plain assignment of tokens to places, of which the last are for nobody: as many rows of zeros fill them.
        const std::int64_t tokens = 11, experts = 4, places = 4;
        const at::Tensor scores = at::randn({tokens, experts}, at::kDouble) + at::arange(experts) * 0.5;
        const at::Tensor plan = assignmentWithin(scores, places);
        EXPECT_LE(countChoices(plan.unsqueeze(1), experts).max().item<std::int64_t>(), places);
        const at::Tensor square =
            at::cat({scores.repeat_interleave(places, 1), at::zeros({experts * places - tokens, experts * places}, at::kDouble)}).contiguous();
        const auto place_of =
            bestAssignment({square.const_data_ptr<double>(), static_cast<std::size_t>(square.numel())}, static_cast<std::int32_t>(experts * places));
        for (std::int64_t t = 0; t < tokens; ++t) EXPECT_EQ(plan[t].item<std::int64_t>(), place_of[static_cast<std::size_t>(t)] / places);
    }
    const at::Tensor many = at::randn({1152, 8}) + at::arange(8);
    EXPECT_TRUE(at::equal(countChoices(balancedAssignment(many).unsqueeze(1), 8), at::full({8}, 144, at::kLong)));
    EXPECT_THROW((void)assignmentWithin(many, 143), c10::Error);
}

TEST(UpdatedBias, MovesTowardsTheMeanAndStopsThere) {
    const at::Tensor bias = at::tensor({0.5f, 0.0f, -0.5f, 1.0f});
    expectNear(updatedBias(at::tensor({2, 4, 6, 4}, at::kLong), bias, 0.25), at::tensor({0.75f, 0.0f, -0.75f, 1.0f}), 0);
    expectNear(updatedBias(at::tensor({1, 2, 1, 1}, at::kLong), bias, 0.25), at::tensor({0.75f, -0.25f, -0.25f, 1.25f}), 0);  // the mean is 1.25
    expectNear(updatedBias(at::zeros({4}, at::kLong), bias, 0.25), bias, 0);
    EXPECT_THROW((void)updatedBias(at::zeros({3}, at::kLong), bias, 0.25), c10::Error);
}

TEST(UpdatedBias, RepeatedItBalancesASkewedRouter) {
    at::manual_seed(9);
    const at::Tensor logits = at::randn({600, 6}) + at::arange(6) * 0.6;
    at::Tensor bias = at::zeros({6});
    const std::int64_t before = largestLoad(sigmoidTopK(logits, bias, {2, true, 1.0}).indices_TK, 6);
    for (int step = 0; step < 400; ++step) bias = updatedBias(countChoices(sigmoidTopK(logits, bias, {2, true, 1.0}).indices_TK, 6), bias, 2e-3);
    EXPECT_GT(before, 380);
    EXPECT_LT(largestLoad(sigmoidTopK(logits, bias, {2, true, 1.0}).indices_TK, 6), 215);  // 200 is even
}

TEST(QuantileBias, LeavesAnEvenShareAboveTheQuantile) {
    at::manual_seed(10);
    const std::int64_t tokens = 90, experts = 6, k = 2;
    const at::Tensor logits = at::randn({tokens, experts}, at::kDouble) + at::arange(experts) * 0.7;
    const at::Tensor zero = at::zeros({experts}, at::kDouble), next = std::get<0>(logits.sort(1, true)).select(1, k).unsqueeze(1);
    const at::Tensor bias = quantileBias(logits, zero, k);
    EXPECT_TRUE(at::equal((logits - next).gt(bias).sum(0), at::full({experts}, tokens * k / experts, at::kLong)));
    at::Tensor settled = zero;
    for (int step = 0; step < 40; ++step) settled = quantileBias(logits, settled, k);
    EXPECT_GT(largestLoad(softmaxTopK(logits, k, false).indices_TK, experts), 50);
    EXPECT_LE(largestLoad(softmaxTopK(logits - settled, k, false).indices_TK, experts), 33);  // 30 is even
    EXPECT_THROW((void)quantileBias(logits, zero, experts), c10::Error);
}

TEST(HashChoice, DependsOnTheWordAloneAndOnThePositionOfPatches) {
    const at::Tensor ids = at::tensor({7, 8, 7, -1, -1, -1}, at::kLong), positions = at::tensor({0, 1, 2, 3, 3, 7}, at::kLong);
    const at::Tensor choice = hashChoice(ids, positions, 1000).squeeze(1);
    EXPECT_EQ(choice[0].item<std::int64_t>(), choice[2].item<std::int64_t>());
    EXPECT_EQ(choice[3].item<std::int64_t>(), choice[4].item<std::int64_t>());
    EXPECT_NE(choice[0].item<std::int64_t>(), choice[5].item<std::int64_t>());  // word 7 is not patch 7
    EXPECT_TRUE(choice.ge(0).all().item<bool>() && choice.lt(1000).all().item<bool>());
    const at::Tensor first_word = hashChoice(at::zeros({9}, at::kLong), at::arange(9, at::kLong), 1000);  // id 0 is a word too
    EXPECT_TRUE(first_word.eq(first_word[0]).all().item<bool>());
}

TEST(HashChoice, SpreadsManyWordsEvenly) {
    const at::Tensor ids = at::arange(8000, at::kLong);
    const at::Tensor counts = countChoices(hashChoice(ids, ids, 8), 8);
    EXPECT_GT(counts.min().item<std::int64_t>(), 880);
    EXPECT_LT(counts.max().item<std::int64_t>(), 1120);
}

}  // namespace
}  // namespace es::engine
