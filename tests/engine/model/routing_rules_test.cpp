// SPDX-License-Identifier: GPL-3.0-or-later
// Token-choice rules by what must hold of each: ties, huge logits, all experts chosen, permuted tokens, gradients; then what is special to one.
#include "engine/model/routing_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "tests/engine/model/rule_checks.h"

namespace es::engine {
namespace {

using test::expectNear;
using test::matrix;
using test::whole;

constexpr std::int64_t kExperts = 6;

struct Rule {
    std::string name;
    std::function<TokenChoice(const at::Tensor& logits_TE, std::int64_t k)> apply;
    bool softmax = true;  ///< probs is the softmax of the logits
};

std::vector<Rule> tokenChoiceRules() {
    const auto limited = [](GroupScore group_score, ScoreFunction score) {
        return [=](const at::Tensor& z, std::int64_t k) {
            GroupLimitedOptions options;
            options.k = k;
            options.groups = 3;
            options.groups_kept = k > 4 ? 3 : 2;
            options.group_score = group_score;
            options.score = score;
            options.normalize = true;
            options.scale = 1.5;
            return groupLimitedTopK(z, {}, options);
        };
    };
    return {{"softmax", [](const at::Tensor& z, std::int64_t k) { return softmaxTopK(z, k, false); }},
            {"softmax renormalized", [](const at::Tensor& z, std::int64_t k) { return softmaxTopK(z, k, true); }},
            {"topk softmax", [](const at::Tensor& z, std::int64_t k) { return topKSoftmax(z, k); }},
            {"noisy without noise", [](const at::Tensor& z, std::int64_t k) { return noisyTopK(z, at::zeros_like(z), k); }},
            {"sigmoid",
             [](const at::Tensor& z, std::int64_t k) {
                 return sigmoidTopK(z, {}, {k, true, 2.5});
             },
             false},
            {"sigmoid raw",
             [](const at::Tensor& z, std::int64_t k) {
                 return sigmoidTopK(z, {}, {k, false, 1.0});
             },
             false},
            {"groups by best, softmax", limited(GroupScore::kMax, ScoreFunction::kSoftmax)},
            {"groups by best two, sigmoid", limited(GroupScore::kTop2Sum, ScoreFunction::kSigmoid), false},
            {"sinkhorn",
             [](const at::Tensor& z, std::int64_t k) {
                 return sinkhornTopK(z, {k, 1e-9, 500});
             },
             false},
            {"top-p", [](const at::Tensor& z, std::int64_t k) { return topP(z, 2.0, k).choice; }}};
}

/// The gates of a choice as a dense matrix.
at::Tensor gateMatrix(const TokenChoice& choice) {
    const at::Tensor gates = at::zeros_like(choice.probs_TE);
    return gates.scatter_add(1, choice.indices_TK.clamp_min(0), choice.weights_TK);
}

TEST(TokenChoiceRules, EqualScoresGoToTheLowerIndex) {
    const at::Tensor logits = at::zeros({4, kExperts});
    for (const Rule& rule : tokenChoiceRules()) {
        for (const std::int64_t k : {1, 3, 6}) {
            const TokenChoice choice = rule.apply(logits, k);
            EXPECT_TRUE(at::equal(choice.indices_TK, at::arange(k, at::kLong).expand({4, k}))) << rule.name << " k " << k;
        }
    }
}

TEST(TokenChoiceRules, EqualLogitsTieWhereverTheyStand) {
    // Nine rows of five: the vectorised and the remaining part of an element-wise pass both hold equal logits.
    at::Tensor logits = at::full({9, 5}, 0.7);
    logits.select(1, 4).fill_(-1);
    for (const Rule& rule : tokenChoiceRules()) {
        if (rule.name.starts_with("groups")) continue;  // five experts make no three groups
        EXPECT_TRUE(at::equal(rule.apply(logits.to(at::kFloat), 3).indices_TK, at::arange(3, at::kLong).expand({9, 3}))) << rule.name;
    }
    GroupLimitedOptions options{.k = 3, .groups = 5, .groups_kept = 3, .score = ScoreFunction::kSigmoid};
    EXPECT_TRUE(at::equal(groupLimitedTopK(logits.to(at::kFloat), {}, options).indices_TK, at::arange(3, at::kLong).expand({9, 3})));
}

TEST(TokenChoiceRules, HugeLogitsStayFiniteAndKeepTheirOrder) {
    const at::Tensor logits = matrix(6, {500, -500, 499, 0, -499, 1, -500, -500, 500, -500, 500, -500});
    for (const Rule& rule : tokenChoiceRules()) {
        const TokenChoice choice = rule.apply(logits, 2);
        EXPECT_TRUE(choice.probs_TE.isfinite().all().item<bool>()) << rule.name;
        EXPECT_TRUE(choice.weights_TK.isfinite().all().item<bool>()) << rule.name;
        EXPECT_EQ(choice.weights_TK.scalar_type(), at::kFloat) << rule.name;
        if (rule.name == "sinkhorn" || rule.name.starts_with("groups")) continue;  // balance and groups choose otherwise
        EXPECT_TRUE(at::equal(choice.indices_TK, whole(2, {0, 2, 2, 4}))) << rule.name;
    }
}

TEST(TokenChoiceRules, AllExpertsChosenIsTheDenseMixture) {
    at::manual_seed(1);
    const at::Tensor logits = at::randn({11, kExperts}, at::kDouble);
    for (const Rule& rule : tokenChoiceRules()) {
        const TokenChoice choice = rule.apply(logits, kExperts);
        // Normalised or not, all gates together are the scores times a factor of the token.
        const at::Tensor gates = gateMatrix(choice), factor = gates.sum(1, true) / choice.probs_TE.sum(1, true);
        expectNear(gates, choice.probs_TE * factor, 1e-12, rule.name);
        if (rule.softmax) expectNear(choice.probs_TE, logits.softmax(1), 1e-12, rule.name);
    }
}

TEST(TokenChoiceRules, PermutingTokensPermutesTheChoices) {
    at::manual_seed(2);
    const at::Tensor logits = at::randn({40, kExperts}, at::kDouble), order = at::randperm(40, at::kLong);
    for (const Rule& rule : tokenChoiceRules()) {
        const TokenChoice straight = rule.apply(logits, 2), permuted = rule.apply(logits.index_select(0, order), 2);
        EXPECT_TRUE(at::equal(permuted.indices_TK, straight.indices_TK.index_select(0, order))) << rule.name;
        expectNear(permuted.weights_TK, straight.weights_TK.index_select(0, order), 1e-14, rule.name);
    }
}

TEST(TokenChoiceRules, ForcedRoundRobinIsBalanced) {
    const at::Tensor wanted = at::arange(24, at::kLong).remainder(kExperts);
    const at::Tensor logits = at::one_hot(wanted, kExperts).to(at::kFloat) * 9;
    for (const Rule& rule : tokenChoiceRules()) {
        const TokenChoice choice = rule.apply(logits, 1);
        EXPECT_TRUE(at::equal(choice.indices_TK.squeeze(1), wanted)) << rule.name;
        EXPECT_TRUE(at::equal(at::bincount(choice.indices_TK.reshape({-1}), {}, kExperts), at::full({kExperts}, 4, at::kLong))) << rule.name;
    }
}

TEST(TokenChoiceRules, GradientsOfTheGatesAgreeWithDifferences) {
    at::manual_seed(3);
    const at::Tensor logits = at::randn({5, kExperts}, at::kDouble);
    for (const Rule& rule : tokenChoiceRules()) {
        for (const std::int64_t k : {1, 2, 6}) {
            const at::Tensor seed = at::randn({5, k}, at::kDouble), probs_seed = at::randn({5, kExperts}, at::kDouble);
            test::expectLossGradient(rule.name, logits, [&](const at::Tensor& z) {
                const TokenChoice choice = rule.apply(z, k);
                return (choice.weights_TK * seed).sum() + (choice.probs_TE * probs_seed).sum();
            });
        }
    }
}

TEST(TokenChoiceRules, RefuseImpossibleNumbersOfChoices) {
    const at::Tensor logits = at::zeros({3, kExperts});
    for (const Rule& rule : tokenChoiceRules()) {
        EXPECT_THROW((void)rule.apply(logits, 0), c10::Error) << rule.name;
        EXPECT_THROW((void)rule.apply(logits, kExperts + 1), c10::Error) << rule.name;
    }
}

TEST(TopKSoftmax, EqualsTheRenormalizedSoftmax) {
    at::manual_seed(4);
    const at::Tensor logits = at::randn({20, 7}, at::kDouble);
    const TokenChoice a = topKSoftmax(logits, 3);
    const at::Tensor p = logits.softmax(1).gather(1, a.indices_TK);
    expectNear(a.weights_TK, p / p.sum(1, true), 1e-14);
    expectNear(a.weights_TK.sum(1), at::ones({20}), 1e-14);
}

TEST(NoisyTopK, NoiseTurnsTheChoiceEvenBesideLogitsOf500) {
    // 500 + 1e-5 is 500 in fp32.
    const at::Tensor logits = matrix(3, {500, 500, 0, 1, 1.25f, 0}), noise = matrix(3, {0, 1e-5f, 0, 0.5f, 0, 0});
    const TokenChoice choice = noisyTopK(logits, noise, 2);
    EXPECT_TRUE(at::equal(choice.indices_TK, whole(2, {1, 0, 0, 1})));
    expectNear(choice.probs_TE.narrow(0, 1, 1), matrix(3, {1.5f, 1.25f, 0}).softmax(1), 1e-6);
    expectNear(choice.logits_TE, logits + noise, 0);
    EXPECT_THROW((void)noisyTopK(logits, at::zeros({2, 4}), 1), c10::Error);
}

TEST(SigmoidTopK, ChoosesWithBiasAndWeighsWithout) {
    const at::Tensor logits = at::zeros({1, 4});
    const TokenChoice choice = sigmoidTopK(logits, at::tensor({0.0f, 0.25f, -0.5f, 0.25f}), {2, false, 3.0});
    EXPECT_TRUE(at::equal(choice.indices_TK, whole(2, {1, 3})));
    expectNear(choice.weights_TK, matrix(2, {1.5f, 1.5f}), 1e-7);
    expectNear(choice.probs_TE, at::full({1, 4}, 0.5), 1e-7);
    EXPECT_THROW((void)sigmoidTopK(logits, at::zeros({3}), {1, true, 1.0}), c10::Error);
}

TEST(SigmoidTopK, SaturatedAndVanishingScoresAreNoFalseTies) {
    // In fp32 sigmoid(25) = sigmoid(20) = 1 and sigmoid(-400) = sigmoid(-300) = 0.
    const at::Tensor logits = matrix(3, {20, 25, 0, -400, -300, -350});
    EXPECT_TRUE(at::equal(sigmoidTopK(logits, {}, {2, true, 1.0}).indices_TK, whole(2, {1, 0, 1, 2})));
}

TEST(SigmoidTopK, NormalisationKeepsItsEpsilonAndScalesASingleChoice) {
    const TokenChoice one = sigmoidTopK(matrix(3, {0.3f, -1, 2}), {}, {1, true, 2.5});
    expectNear(one.weights_TK, matrix(1, {2.5f}), 1e-6);
    // Both scores are about 1e-20: the sum of the two and the epsilon share one.
    const double s = 1 / (1 + std::exp(46.0));
    expectNear(sigmoidTopK(at::full({1, 4}, -46.0), {}, {2, true, 1.0}).weights_TK, at::full({1, 2}, s / (2 * s + 1e-20)), 1e-6);
    expectNear(sigmoidTopK(at::full({1, 4}, -500.0), {}, {2, true, 1.0}).weights_TK, at::zeros({1, 2}), 0);
}

/// By the definition, one token at a time.
std::vector<std::int64_t> limitedByHand(const std::vector<double>& chooser, std::int64_t groups, std::int64_t kept, std::int64_t k, bool best_two) {
    const std::size_t size = chooser.size() / static_cast<std::size_t>(groups);
    std::vector<std::pair<double, std::size_t>> scored;
    for (std::size_t g = 0; g < static_cast<std::size_t>(groups); ++g) {
        std::vector<double> inside(chooser.begin() + static_cast<std::ptrdiff_t>(g * size), chooser.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
        std::ranges::sort(inside, std::greater<>());
        scored.emplace_back(best_two && size > 1 ? inside[0] + inside[1] : inside[0], g);
    }
    std::ranges::stable_sort(scored, [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::int64_t> allowed;
    for (std::size_t g = 0; g < static_cast<std::size_t>(kept); ++g)
        for (std::size_t i = 0; i < size; ++i) allowed.push_back(static_cast<std::int64_t>(scored[g].second * size + i));
    std::ranges::sort(allowed);
    std::ranges::stable_sort(allowed,
                             [&](std::int64_t a, std::int64_t b) { return chooser[static_cast<std::size_t>(a)] > chooser[static_cast<std::size_t>(b)]; });
    allowed.resize(static_cast<std::size_t>(k));
    return allowed;
}

TEST(GroupLimited, EqualsItsDefinition) {
    at::manual_seed(5);
    const std::int64_t tokens = 50, experts = 12;
    const at::Tensor logits = at::randn({tokens, experts}, at::kDouble);
    for (const bool best_two : {false, true}) {
        for (const bool softmax : {false, true}) {
            for (const double shift : {0.0, -2.0}) {  // negative scores must not lose to the experts of rejected groups
                const at::Tensor bias = at::randn({experts}, at::kDouble) * 0.1 + shift;
                const GroupLimitedOptions options{
                    5, 4, 2, best_two ? GroupScore::kTop2Sum : GroupScore::kMax, softmax ? ScoreFunction::kSoftmax : ScoreFunction::kSigmoid, true, 2.0};
                const TokenChoice choice = groupLimitedTopK(logits, bias, options);
                const at::Tensor chooser = (softmax ? logits.softmax(1) : logits.sigmoid()) + bias;
                for (std::int64_t t = 0; t < tokens; ++t) {
                    const double* row = chooser.data_ptr<double>() + t * experts;
                    EXPECT_TRUE(at::equal(choice.indices_TK[t], at::tensor(limitedByHand({row, row + experts}, 4, 2, 5, best_two)))) << t;
                }
                expectNear(choice.weights_TK.sum(1), at::full({tokens}, 2.0), 1e-12);
            }
        }
    }
}

TEST(GroupLimited, AllGroupsOfOneExpertArePlainTopK) {
    at::manual_seed(6);
    const at::Tensor logits = at::randn({30, 5}, at::kDouble);
    const GroupLimitedOptions options{2, 5, 3, GroupScore::kTop2Sum, ScoreFunction::kSigmoid, false, 1.0};
    EXPECT_TRUE(at::equal(groupLimitedTopK(logits, {}, options).indices_TK, sigmoidTopK(logits, {}, {2, false, 1.0}).indices_TK));
}

TEST(GroupLimited, RefusesGroupsThatDoNotFit) {
    const at::Tensor logits = at::zeros({2, 6});
    EXPECT_THROW((void)groupLimitedTopK(logits, {}, {.k = 1, .groups = 4}), c10::Error);
    EXPECT_THROW((void)groupLimitedTopK(logits, {}, {.k = 1, .groups = 3, .groups_kept = 4}), c10::Error);
    EXPECT_THROW((void)groupLimitedTopK(logits, {}, {.k = 3, .groups = 3, .groups_kept = 1}), c10::Error);
    EXPECT_THROW((void)groupLimitedTopK(logits, at::zeros({5}), {.k = 1}), c10::Error);
}

TEST(CosineLogits, DependOnDirectionsAlone) {
    at::manual_seed(7);
    const at::Tensor hidden = at::randn({9, 8}), proj = at::randn({4, 8}), centroid = at::randn({5, 4});
    const at::Tensor logits = cosineLogits(hidden, proj, centroid, 0.1);
    EXPECT_LE(logits.abs().max().item<double>(), 10.0 + 1e-5);
    expectNear(cosineLogits(hidden * 1000, proj * 0.01, centroid * 7, 0.1), logits, 2e-5);
    const at::Tensor low = at::mm(hidden, proj.t());
    expectNear(logits, at::cosine_similarity(low.unsqueeze(1), centroid.unsqueeze(0), 2) / 0.1, 2e-5);
    EXPECT_THROW((void)cosineLogits(hidden, proj, at::randn({5, 3}), 0.1), c10::Error);
    EXPECT_THROW((void)cosineLogits(hidden, proj, centroid, 0.0), c10::Error);
}

TEST(CosineLogits, GradientsFlowToAllThreeAndZeroTokensAreHarmless) {
    at::manual_seed(8);
    const at::Tensor hidden = at::randn({4, 6}, at::kDouble), proj = at::randn({3, 6}, at::kDouble), centroid = at::randn({5, 3}, at::kDouble);
    const at::Tensor seed = at::randn({4, 5}, at::kDouble);
    test::expectLossGradient("hidden", hidden, [&](const at::Tensor& x) { return (cosineLogits(x, proj, centroid, 0.5) * seed).sum(); });
    test::expectLossGradient("proj", proj, [&](const at::Tensor& x) { return (cosineLogits(hidden, x, centroid, 0.5) * seed).sum(); });
    test::expectLossGradient("centroid", centroid, [&](const at::Tensor& x) { return (cosineLogits(hidden, proj, x, 0.5) * seed).sum(); });
    at::Tensor zero = at::zeros({1, 6}).set_requires_grad(true);
    const at::Tensor logits = cosineLogits(zero, proj.to(at::kFloat), centroid.to(at::kFloat), 0.5);
    EXPECT_EQ(logits.abs().max().item<double>(), 0);
    logits.sum().backward();
    EXPECT_TRUE(zero.grad().isfinite().all().item<bool>());
}

TEST(TopP, TakesExpertsUntilTheirSumReachesP) {
    const at::Tensor logits = at::log(matrix(4, {0.5f, 0.125f, 0.25f, 0.125f, 0.0625f, 0.8125f, 0.0625f, 0.0625f}));
    const TopP some = topP(logits, 0.7, 3);
    EXPECT_TRUE(at::equal(some.counts_T, at::tensor({2, 1}, at::kLong)));
    EXPECT_TRUE(at::equal(some.choice.indices_TK, whole(3, {0, 2, -1, 1, -1, -1})));
    expectNear(some.choice.weights_TK, matrix(3, {0.5f, 0.25f, 0, 0.8125f, 0, 0}), 1e-6);
    EXPECT_TRUE(at::equal(topP(logits, 0.99, 2).counts_T, at::tensor({2, 2}, at::kLong)));
}

TEST(TopP, AnEqualSumStops) {
    EXPECT_TRUE(at::equal(topP(at::zeros({2, 4}), 0.5, 4).counts_T, at::full({2}, 2, at::kLong)));
    EXPECT_TRUE(at::equal(topP(at::zeros({2, 4}), 0.75, 4).counts_T, at::full({2}, 3, at::kLong)));
    EXPECT_TRUE(at::equal(topP(matrix(3, {500, -500, -500}), 1.0, 3).counts_T, at::full({1}, 1, at::kLong)));
    EXPECT_TRUE(at::equal(topP(at::zeros({1, 4}), 1e-9, 4).counts_T, at::full({1}, 1, at::kLong)));
}

TEST(TopP, UnusedPlacesCarryNoGradient) {
    at::manual_seed(9);
    const at::Tensor logits = at::randn({6, 5}, at::kDouble), seed = at::randn({6, 4}, at::kDouble);
    const TopP found = topP(logits, 0.7, 4);
    EXPECT_TRUE(at::equal(found.choice.indices_TK.ge(0).sum(1), found.counts_T));
    EXPECT_TRUE(at::equal(found.choice.weights_TK.gt(0), found.choice.indices_TK.ge(0)));
    test::expectLossGradient("top-p", logits, [&](const at::Tensor& z) { return (topP(z, 0.7, 4).choice.weights_TK * seed).sum(); });
}

}  // namespace
}  // namespace es::engine
