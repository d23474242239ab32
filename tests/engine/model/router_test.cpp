// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/router.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/model/selection.h"

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
    const SoftmaxTopKRouter router({2, 4, 2, false});
    const at::Tensor logits = at::log(row({0.1f, 0.4f, 0.2f, 0.3f}));
    const RouterOutput output = router.route(logits);
    EXPECT_TRUE(at::equal(output.indices_TK, choices({1, 3})));
    EXPECT_TRUE(at::allclose(output.weights_TK, row({0.4f, 0.3f})));
    EXPECT_TRUE(at::allclose(output.probs_TE, row({0.1f, 0.4f, 0.2f, 0.3f})));

    const SoftmaxTopKRouter renormalizing({2, 4, 2, true});
    EXPECT_TRUE(at::allclose(renormalizing.route(logits).weights_TK, row({4.0f / 7, 3.0f / 7})));
}

TEST(SoftmaxTopK, ChoosesOnLogitsWhereProbabilitiesUnderflow) {
    // Softmax gives 1, 0, 0, 0 in fp32; the second choice is still expert 3.
    const RouterOutput output = SoftmaxTopKRouter({2, 4, 2, true}).route(row({500, -500, -400, 300}));
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
    EXPECT_TRUE(at::allclose(router->forward(hidden, weight).logits_TE, at::mm(hidden, weight.t()), 1e-5, 1e-6));
    EXPECT_THROW((void)makeRouter("wishful", {3, 4, 1, false}), c10::Error);
    EXPECT_THROW((void)makeRouter("softmax_topk", {3, 4, 5, false}), c10::Error);
    EXPECT_EQ(routerKinds(), std::vector<std::string>{"softmax_topk"});
}

}  // namespace
}  // namespace es::engine
