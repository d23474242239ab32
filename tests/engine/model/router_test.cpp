// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "engine/config/run_config.h"
#include "engine/model/selection.h"
#include "tests/engine/model/rule_checks.h"

namespace es::engine {
namespace {

at::Tensor row(std::initializer_list<float> values) { return at::tensor(std::vector<float>(values)).unsqueeze(0); }
at::Tensor choices(std::initializer_list<std::int64_t> values) { return at::tensor(std::vector<std::int64_t>(values)).unsqueeze(0); }

TEST(SelectTopK, BestFirstAndTiesToTheLowerIndex) {
    EXPECT_TRUE(at::equal(selectTopK(row({1, 3, 3, 2}), 3), choices({1, 2, 3})));
    EXPECT_TRUE(at::equal(selectTopK(row({0, 0, 0, 0}), 4), choices({0, 1, 2, 3})));
    EXPECT_TRUE(at::equal(selectTopK(row({-500, 500, -500, 499}), 3), choices({1, 3, 0})));
}

TEST(SelectTopK, SortingAndScanningAgree) {
    at::manual_seed(1);
    const at::Tensor scores = at::randint(0, 6, {200, 20}).to(at::kFloat);  // many ties
    EXPECT_TRUE(at::equal(selectTopK(scores, 17).narrow(1, 0, 5), selectTopK(scores, 5)));
}

TEST(SelectTopK, NaNStillGivesDifferentExperts) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(at::equal(selectTopK(row({nan, 1, nan, 2}), 3).narrow(1, 0, 2), choices({3, 1})));
    EXPECT_TRUE(at::equal(selectTopK(row({nan, nan, nan}), 3), choices({0, 1, 2})));
    EXPECT_THROW((void)selectTopK(row({1, 2}), 3), c10::Error);
}

TEST(SoftmaxTopK, WeightsAreTheProbabilitiesOfTheChosen) {
    const at::Tensor logits = at::log(row({0.1f, 0.4f, 0.2f, 0.3f}));
    const RouterOutput output = makeRouter("softmax_topk", {2, 4, 2, false})->route(logits);
    EXPECT_TRUE(at::equal(output.indices_TK, choices({1, 3})));
    EXPECT_TRUE(at::allclose(output.weights_TK, row({0.4f, 0.3f})));
    EXPECT_TRUE(at::allclose(output.probs_TE, row({0.1f, 0.4f, 0.2f, 0.3f})));
    EXPECT_TRUE(at::allclose(makeRouter("softmax_topk", {2, 4, 2, true})->route(logits).weights_TK, row({4.0f / 7, 3.0f / 7})));
}

TEST(SoftmaxTopK, ChoosesOnLogitsWhereProbabilitiesUnderflow) {
    // Softmax gives 1, 0, 0, 0 in fp32; the second choice is still expert 3.
    const RouterOutput output = makeRouter("softmax_topk", {2, 4, 2, true})->route(row({500, -500, -400, 300}));
    EXPECT_TRUE(at::equal(output.indices_TK, choices({0, 3})));
    EXPECT_TRUE(output.probs_TE.isfinite().all().item<bool>());
    EXPECT_TRUE(at::allclose(output.weights_TK, row({1, 0})));
}

TEST(Router, ComputesInFp32AndTakesAnOverride) {
    const auto router = makeRouter("softmax_topk", {3, 4, 1, false});
    const at::NoGradGuard no_grad;
    const at::Tensor hidden = at::randn({5, 3}), weight = at::randn({4, 3});
    EXPECT_EQ(router->forward(hidden.to(at::kBFloat16)).logits_TE.scalar_type(), at::kFloat);
    EXPECT_EQ(router->forward(hidden).logits_TE.abs().max().item<double>(), 0);
    RouterCall call;
    call.weight_override_ED = weight;
    for (const char* kind : {"softmax_topk", "cosine"})
        EXPECT_TRUE(at::allclose(makeRouter(kind, {3, 4, 1})->forward(hidden, call).logits_TE, at::mm(hidden, weight.t()), 1e-5, 1e-6)) << kind;
    EXPECT_THROW((void)makeRouter("wishful", {3, 4, 1, false}), c10::Error);
    EXPECT_THROW((void)makeRouter("softmax_topk", {3, 4, 5, false}), c10::Error);
}

constexpr std::int64_t kWidth = 5, kExperts = 6, kTokens = 30;

RouterOptions someOptions(std::int64_t k) {
    RouterOptions options;
    options.width = kWidth;
    options.experts = kExperts;
    options.k = k;
    options.groups = 3;
    options.groups_kept = k > 4 ? 3 : 2;
    options.cosine_width = 3;
    options.seed = 17;
    return options;
}

/// A router with drawn weights.
std::shared_ptr<Router> someRouter(const std::string& kind, std::int64_t k, at::ScalarType type = at::kDouble) {
    auto router = makeRouter(kind, someOptions(k));
    router->to(type);
    const at::NoGradGuard no_grad;
    for (const at::Tensor& parameter : router->parameters()) at::Tensor(parameter).normal_();
    return router;
}

RouterCall someCall(std::int64_t step = 3) {
    RouterCall call;
    call.step = step;
    call.token_id_T = at::arange(kTokens, at::kLong).remainder(9) - 2;
    call.position_T = at::arange(kTokens, at::kLong);
    return call;
}

std::int64_t choicesOf(const std::string& kind) { return kind == "hash" || kind == "base" ? 1 : 2; }

TEST(RouterKinds, AreThoseThatTheConfigurationOffers) {
    config::MoeOptions moe;
    std::vector<std::string> offered;
    moe.describe([&](std::string_view name, auto&, const config::OptionInfo& info) {
        if (name == "router") offered.assign(info.choices.begin(), info.choices.end());
    });
    std::vector<std::string> known = routerKinds();
    known.emplace_back("soft");
    EXPECT_EQ(offered, known);
}

TEST(RouterKinds, ChooseDifferentExpertsWithGatesOfTheirOwn) {
    at::manual_seed(1);
    const at::Tensor hidden = at::randn({kTokens, kWidth}, at::kDouble);
    for (const std::string& kind : routerKinds()) {
        const std::int64_t k = choicesOf(kind);
        const RouterOutput output = someRouter(kind, k)->forward(hidden, someCall());
        EXPECT_EQ(output.logits_TE.sizes(), (at::IntArrayRef{kTokens, kExperts})) << kind;
        EXPECT_EQ(output.probs_TE.sizes(), (at::IntArrayRef{kTokens, kExperts})) << kind;
        EXPECT_EQ(output.clean_logits_TE.sizes(), (at::IntArrayRef{kTokens, kExperts})) << kind;
        EXPECT_EQ(output.indices_TK.size(0), kTokens) << kind;
        if (kind != "expert_choice") {
            EXPECT_EQ(output.indices_TK.size(1), k) << kind;
        }
        EXPECT_EQ(output.weights_TK.scalar_type(), at::kDouble) << kind;
        EXPECT_TRUE(output.weights_TK.ge(0).all().item<bool>()) << kind;
        EXPECT_TRUE(at::equal(output.indices_TK.lt(0), output.weights_TK.eq(0))) << kind;
        const at::Tensor sorted_TK = std::get<0>(output.indices_TK.sort(1)), first = sorted_TK.slice(1, 0, -1), second = sorted_TK.slice(1, 1);
        EXPECT_FALSE(first.eq(second).logical_and(first.ge(0)).any().item<bool>()) << kind;  // no expert twice
        EXPECT_EQ(choosesUnevenly(kind), output.indices_TK.lt(0).any().item<bool>()) << kind;
        EXPECT_EQ(output.softmax, at::allclose(output.probs_TE, output.logits_TE.softmax(1), 1e-9, 1e-12)) << kind;
        std::int64_t parameters = 0;
        for (const at::Tensor& parameter : someRouter(kind, k)->parameters()) parameters += parameter.numel();
        EXPECT_EQ(parameters, routerWeights(kind, kWidth, kExperts, 3)) << kind;
    }
}

TEST(RouterKinds, TheSameCallGivesTheSameRouting) {
    at::manual_seed(2);
    const at::Tensor hidden = at::randn({kTokens, kWidth}, at::kDouble);
    for (const std::string& kind : routerKinds()) {
        const auto router = someRouter(kind, choicesOf(kind));
        const RouterOutput once = router->forward(hidden, someCall(3)), again = router->forward(hidden, someCall(3)),
                           later = router->forward(hidden, someCall(4));
        EXPECT_TRUE(at::equal(once.indices_TK, again.indices_TK) && at::equal(once.weights_TK, again.weights_TK)) << kind;
        const bool drawn = kind == "noisy_topk" || kind == "random";
        EXPECT_EQ(at::equal(once.logits_TE, later.logits_TE) && at::equal(once.indices_TK, later.indices_TK), !drawn) << kind;
    }
}

TEST(RouterKinds, PermutingTokensPermutesWhatIsNotDrawn) {
    at::manual_seed(3);
    const at::Tensor hidden = at::randn({kTokens, kWidth}, at::kDouble), order = at::randperm(kTokens, at::kLong);
    RouterCall call = someCall(), permuted = someCall();
    call.training = permuted.training = false;
    permuted.token_id_T = call.token_id_T.index_select(0, order);
    permuted.position_T = call.position_T.index_select(0, order);
    for (const std::string& kind : routerKinds()) {
        if (kind == "random") continue;
        const auto router = someRouter(kind, choicesOf(kind));
        EXPECT_TRUE(
            at::equal(router->forward(hidden.index_select(0, order), permuted).indices_TK, router->forward(hidden, call).indices_TK.index_select(0, order)))
            << kind;
    }
}

TEST(RouterKinds, GradientsReachEveryParameter) {
    at::manual_seed(4);
    const at::Tensor hidden = at::randn({7, kWidth}, at::kDouble);
    for (const std::string& kind : routerKinds()) {
        if (kind == "hash" || kind == "random") continue;
        const auto router = someRouter(kind, choicesOf(kind));
        const at::Tensor seed = at::randn({kExperts}, at::kDouble), probs_seed = at::randn({7, kExperts}, at::kDouble);
        const auto loss = [&] {
            const RouterOutput output = router->forward(hidden, someCall());
            return (output.weights_TK * seed.narrow(0, 0, output.weights_TK.size(1))).sum() + (output.probs_TE * probs_seed).sum() +
                   output.clean_logits_TE.square().mean();
        };
        loss().backward();
        for (const auto& item : router->named_parameters()) {
            at::Tensor parameter = item.value().detach();
            parameter.mutable_grad() = item.value().grad();
            test::expectGradient(
                kind + " " + item.key(), parameter, [&] { return loss().item<double>(); }, 30);
        }
    }
}

TEST(NoisyRouter, NoiseHasItsDeviationAndIsOffInEvaluation) {
    RouterOptions options = someOptions(2);
    options.noise = 3.0;
    const auto router = makeRouter("noisy_topk", options);
    const at::Tensor logits = at::zeros({4000, kExperts}, at::kDouble);
    RouterCall call;
    const at::Tensor noise = router->route(logits, call).logits_TE;
    EXPECT_NEAR(noise.std().item<double>(), 3.0 / kExperts, 0.01);
    EXPECT_NEAR(noise.mean().item<double>(), 0, 0.01);
    EXPECT_EQ(router->route(logits, call).clean_logits_TE.abs().max().item<double>(), 0);
    call.training = false;
    EXPECT_EQ(router->route(logits, call).logits_TE.abs().max().item<double>(), 0);
    options.seed = 18;  // another router of the model
    call.training = true;
    EXPECT_FALSE(at::equal(makeRouter("noisy_topk", options)->route(logits, call).logits_TE, noise));
}

TEST(SinkhornRouter, BalancesInTrainingAlone) {
    at::manual_seed(5);
    const auto router = makeRouter("sinkhorn", someOptions(1));
    const at::Tensor logits = at::randn({300, kExperts}) + at::arange(kExperts);
    RouterCall call;
    const at::Tensor balanced = router->route(logits, call).indices_TK;
    call.training = false;
    const at::Tensor plain = router->route(logits, call).indices_TK;
    EXPECT_TRUE(at::equal(plain, logits.argmax(1, true)));
    EXPECT_GT(plain.eq(kExperts - 1).sum().item<std::int64_t>(), 130);
    EXPECT_LT(balanced.eq(kExperts - 1).sum().item<std::int64_t>(), 80);
}

TEST(BaseRouter, SharesTokensOutEvenlyInTrainingAlone) {
    at::manual_seed(11);
    const auto router = makeRouter("base", someOptions(1));
    const at::Tensor logits = at::randn({31, kExperts}) + at::arange(kExperts);  // 31 of 6: at most 6 each
    RouterCall call;
    const RouterOutput balanced = router->route(logits, call);
    const at::Tensor counts = at::bincount(balanced.indices_TK.reshape({-1}), {}, kExperts);
    EXPECT_LE(counts.max().item<std::int64_t>(), 6);
    EXPECT_TRUE(at::equal(balanced.weights_TK, logits.sigmoid().gather(1, balanced.indices_TK)));
    call.training = false;
    EXPECT_TRUE(at::equal(router->route(logits, call).indices_TK, logits.argmax(1, true)));
    EXPECT_THROW((void)makeRouter("base", someOptions(2))->route(logits, call), c10::Error);
}

TEST(ExpertChoiceRouter, EveryExpertTakesAsManyTokensBestFirst) {
    at::manual_seed(6);
    RouterOptions options = someOptions(2);
    options.capacity_factor = 1.2;
    options.capacity_factor_eval = 0.5;
    const auto router = makeRouter("expert_choice", options);
    const at::Tensor logits = at::randn({kTokens, kExperts}, at::kDouble);
    for (const bool training : {true, false}) {
        RouterCall call;
        call.training = training;
        const RouterOutput output = router->route(logits, call);
        const std::int64_t capacity = training ? 12 : 5;  // of 30 tokens, twice 30 / 6
        const ExpertChoice taken = expertChoice(logits, capacity);
        at::Tensor expected = at::zeros({kTokens, kExperts}, at::kDouble);
        expected.scatter_(0, taken.token_indices_EC.t(), taken.weights_EC.t());
        at::Tensor got = at::zeros({kTokens, kExperts}, at::kDouble);
        got.scatter_add_(1, output.indices_TK.clamp_min(0), output.weights_TK);
        EXPECT_TRUE(at::equal(got, expected));
        EXPECT_TRUE(
            at::equal(at::bincount(output.indices_TK.reshape({-1}) + 1, {}, kExperts + 1).narrow(0, 1, kExperts), at::full({kExperts}, capacity, at::kLong)));
        EXPECT_TRUE(output.weights_TK.diff(1, 1).le(0).all().item<bool>());
    }
}

TEST(BiasedRouters, BalanceStepByStepWithGatesOfTheScores) {
    at::manual_seed(7);
    const at::Tensor logits = at::randn({600, kExperts}) + at::arange(kExperts) * 0.6;
    for (const char* kind : {"sigmoid_topk", "group_limited"}) {
        RouterOptions options = someOptions(2);
        options.groups = 1;
        options.groups_kept = 1;
        options.bias_rate = 2e-3;
        options.score = ScoreFunction::kSigmoid;
        const auto router = makeRouter(kind, options);
        ASSERT_EQ(router->named_buffers().size(), 1u) << kind;
        const auto counts = [&] { return at::bincount(router->route(logits).indices_TK.reshape({-1}), {}, kExperts); };
        EXPECT_GT(counts().max().item<std::int64_t>(), 380) << kind;
        for (int step = 0; step < 400; ++step) router->balance(counts());
        EXPECT_LT(counts().max().item<std::int64_t>(), 215) << kind;  // 200 is even
        const RouterOutput output = router->route(logits);
        EXPECT_TRUE(at::allclose(output.weights_TK, logits.sigmoid().gather(1, output.indices_TK))) << kind;
    }
    const auto plain = makeRouter("softmax_topk", someOptions(2));
    plain->balance(at::ones({kExperts}, at::kLong));  // nothing to move
    EXPECT_EQ(plain->named_buffers().size(), 0u);
}

TEST(QuantileBalance, SpreadsTokensWithGatesOfTheLogits) {
    at::manual_seed(8);
    const at::Tensor logits = at::randn({600, kExperts}) + at::arange(kExperts) * 0.6;
    for (const std::string kind : {"softmax_topk", "topk_softmax", "sigmoid_topk"}) {
        for (const double ema : {0.0, 0.9}) {
            RouterOptions options = someOptions(2);
            options.quantile_balance = true;
            options.quantile_ema = ema;
            const auto router = makeRouter(kind, options);
            ASSERT_TRUE(router->balancesByLogits());
            ASSERT_EQ(router->named_buffers().size(), 1u) << kind;
            const auto counts = [&] { return at::bincount(router->route(logits).indices_TK.reshape({-1}), {}, kExperts); };
            const at::Tensor before = counts();
            EXPECT_GT(before.max().item<std::int64_t>(), 380) << kind;
            EXPECT_THROW(router->balance(before), c10::Error) << kind;
            router->balance(before, logits);
            const at::Tensor once = router->named_buffers()["quantile"].clone(), whole = quantileBias(logits, at::zeros({kExperts}), 2);
            EXPECT_TRUE(at::allclose(once, whole * (1 - ema))) << kind;
            for (int step = 0; step < 200; ++step) router->balance(before, logits);
            EXPECT_LT(counts().max().item<std::int64_t>(), 215) << kind;  // 200 is even
            const RouterOutput output = router->route(logits);
            EXPECT_TRUE(at::equal(output.indices_TK, selectTopK(logits.to(at::kDouble) - router->named_buffers()["quantile"].to(at::kDouble), 2))) << kind;
            const at::Tensor chosen = output.indices_TK;
            const at::Tensor gates = kind == "sigmoid_topk"   ? logits.sigmoid().gather(1, chosen)
                                     : kind == "softmax_topk" ? logits.softmax(1).gather(1, chosen)
                                                              : logits.gather(1, chosen).softmax(1);
            EXPECT_TRUE(at::allclose(output.weights_TK, gates)) << kind;
        }
    }
    RouterOptions options = someOptions(2);
    options.quantile_balance = true;
    EXPECT_THROW((void)makeRouter("cosine", options), c10::Error);
}

TEST(InputJitter, MultipliesTheInputInTrainingAloneAndByStep) {
    RouterOptions options = someOptions(2);
    options.input_jitter = 0.25;
    const at::Tensor ones = at::ones({400, kWidth}, at::kDouble);
    RouterCall call;
    call.step = 3;
    const at::Tensor drawn = routerInput(ones, {}, options, call);
    EXPECT_GE(drawn.min().item<double>(), 0.75);
    EXPECT_LT(drawn.max().item<double>(), 1.25);
    EXPECT_NEAR(drawn.mean().item<double>(), 1, 0.01);
    EXPECT_NEAR(drawn.std().item<double>(), 0.5 / std::sqrt(12.0), 0.01);
    EXPECT_TRUE(at::equal(drawn, routerInput(ones, {}, options, call)));
    const auto differs = [&](const RouterOptions& other, const RouterCall& later) { return !at::equal(drawn, routerInput(ones, {}, other, later)); };
    RouterCall later = call;
    later.step = 4;
    EXPECT_TRUE(differs(options, later));
    later = call;
    later.micro_batch = 1;
    EXPECT_TRUE(differs(options, later));
    RouterOptions other = options;
    other.seed = 18;  // another router of the model
    EXPECT_TRUE(differs(other, call));
    call.training = false;
    EXPECT_TRUE(at::equal(routerInput(ones, {}, options, call), ones));

    // The router sees it, its caller's vectors stay.
    at::manual_seed(9);
    auto router = someRouter("softmax_topk", 2);
    auto jittered = makeRouter("softmax_topk", options);
    jittered->to(at::kDouble);
    const at::NoGradGuard no_grad;
    jittered->parameters()[0].copy_(router->parameters()[0]);
    const at::Tensor hidden = at::randn({kTokens, kWidth}, at::kDouble), kept = hidden.clone();
    EXPECT_FALSE(at::equal(jittered->forward(hidden, someCall()).logits_TE, router->forward(hidden, someCall()).logits_TE));
    EXPECT_TRUE(at::equal(hidden, kept));
}

TEST(ModalityEmbedding, IsAddedToTheRoutersCopy) {
    at::manual_seed(10);
    RouterOptions options = someOptions(2);
    options.modalities = true;
    auto router = makeRouter("softmax_topk", options);
    router->to(at::kDouble);
    {
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : router->parameters()) at::Tensor(parameter).normal_();
    }
    const at::Tensor hidden = at::randn({kTokens, kWidth}, at::kDouble), modality = at::arange(kTokens, at::kLong).remainder(2);
    RouterCall call;
    EXPECT_THROW((void)router->forward(hidden, call), c10::Error);
    call.modality_T = modality;
    const auto parameters = router->named_parameters();
    const at::Tensor expected = at::mm(hidden + parameters["modality"].index_select(0, modality), parameters["weight"].t());
    const RouterOutput output = router->forward(hidden, call);
    EXPECT_TRUE(at::allclose(output.logits_TE, expected));
    output.logits_TE.square().sum().backward();
    EXPECT_TRUE(parameters["modality"].grad().defined());
}

TEST(RandomRouter, EveryExpertIsAsLikely) {
    const auto router = makeRouter("random", someOptions(2));
    const RouterOutput output = router->route(at::zeros({6000, kExperts}));
    const at::Tensor indices = output.indices_TK;
    EXPECT_TRUE(at::equal(output.weights_TK, at::full({6000, 2}, 0.5)));
    for (const std::int64_t place : {0, 1}) {
        const at::Tensor counts = at::bincount(indices.select(1, place), {}, kExperts);
        EXPECT_GT(counts.min().item<std::int64_t>(), 880);
        EXPECT_LT(counts.max().item<std::int64_t>(), 1120);
    }
}

TEST(HashRouter, NeedsNamesAndOneChoice) {
    EXPECT_THROW((void)makeRouter("hash", someOptions(1))->route(at::zeros({3, kExperts})), c10::Error);
    EXPECT_THROW((void)makeRouter("hash", someOptions(2))->route(at::zeros({kTokens, kExperts}), someCall()), c10::Error);
}

}  // namespace
}  // namespace es::engine
