// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/moe_layer.h"

#include <gtest/gtest.h>

#include "tests/engine/model/gradient_check.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

constexpr std::int64_t kWidth = 6, kTokens = 23;

/// A layer with random weights, its inputs and everything a forward pass needs.
struct Fixture {
    explicit Fixture(const MoeOptions& options, at::ScalarType type = at::kFloat, std::int64_t tokens = kTokens)
        : layer(kWidth, options, {RouterId(0), LayerIndex(3), Branch::kVision}), x(at::randn({tokens, kWidth}, type)) {
        layer.to(type);
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : layer.parameters()) at::Tensor(parameter).normal_();
    }
    at::Tensor run(const at::Tensor& input) {
        losses.clear();
        ForwardContext context{forward, losses};
        return layer.forward({input, blocks, {}}, context);
    }
    at::Tensor parameter(const std::string& name) { return layer.named_parameters()[name]; }

    MoeLayer layer;
    at::Tensor x;
    ForwardOptions forward;
    std::vector<RouterLosses> losses;
    std::vector<TokenBlock> blocks{{Objective::kImage, Modality::kVision, 1, kTokens}};
};

MoeOptions options(std::int64_t experts, std::int64_t k, bool renormalize = false) {
    MoeOptions made;
    made.experts = experts;
    made.k = k;
    made.expert_width = 9;
    made.renormalize = renormalize;
    return made;
}

at::Tensor denseMixture(Fixture& f) {
    const at::Tensor p = at::mm(f.x, f.parameter("router.weight").t()).softmax(1);
    at::Tensor y = at::zeros_like(f.x);
    for (std::int64_t e = 0; e < p.size(1); ++e) {
        const at::Tensor hidden = at::gelu(at::linear(f.x, f.parameter("experts.w1")[e], f.parameter("experts.b1")[e]));
        y = y + p.select(1, e).unsqueeze(1) * at::linear(hidden, f.parameter("experts.w2")[e], f.parameter("experts.b2")[e]);
    }
    return y;
}

TEST(MoeLayer, AllExpertsChosenIsTheDenseMixture) {
    at::manual_seed(1);
    Fixture f(options(4, 4), at::kDouble);
    EXPECT_LE((f.run(f.x) - denseMixture(f)).abs().max().item<double>(), 1e-12);
}

TEST(MoeLayer, PermutingTokensPermutesOutputs) {
    at::manual_seed(2);
    Fixture f(options(5, 2), at::kDouble);
    const at::Tensor order = at::randperm(kTokens, at::kLong);
    EXPECT_LE((f.run(f.x.index_select(0, order)) - f.run(f.x).index_select(0, order)).abs().max().item<double>(), 1e-13);
}

TEST(MoeLayer, GradientsAgreeWithDifferences) {
    for (const bool renormalize : {false, true}) {
        at::manual_seed(3);
        Fixture f(options(4, 2, renormalize), at::kDouble);
        f.x.set_requires_grad(true);
        const at::Tensor seed = at::randn_like(f.x);
        const auto loss = [&] {
            const at::Tensor y = f.run(f.x);
            return (y * seed).sum() + 0.3 * f.losses[0].balance + 0.2 * f.losses[0].z;
        };
        loss().backward();
        const auto value = [&] {
            const at::NoGradGuard no_grad;
            return loss().item<double>();
        };
        at::Tensor x = f.x.detach();
        x.mutable_grad() = f.x.grad();
        test::expectGradient("x", x, value, 40);
        for (const auto& item : f.layer.named_parameters()) {
            at::Tensor parameter = item.value().detach();
            parameter.mutable_grad() = item.value().grad();
            test::expectGradient(item.key(), parameter, value, 30);
        }
    }
}

TEST(MoeLayer, UniformRouterHasBalanceOne) {
    at::manual_seed(4);
    Fixture f(options(4, 2));
    const at::NoGradGuard no_grad;
    f.parameter("router.weight").zero_();
    (void)f.run(f.x);
    // P is 1/E for every expert, so E Σ f P is 1 whoever is chosen; logsumexp is log 4.
    EXPECT_NEAR(f.losses[0].balance.item<double>(), 1.0, 1e-6);
    EXPECT_NEAR(f.losses[0].z.item<double>(), std::log(4.0) * std::log(4.0), 1e-5);
}

TEST(MoeLayer, CollapsedRouterHasBalanceOfTheNumberOfExperts) {
    Fixture f(options(4, 1));
    const at::NoGradGuard no_grad;
    f.x.abs_();
    f.parameter("router.weight").zero_();
    f.parameter("router.weight")[2].fill_(50);
    (void)f.run(f.x);
    EXPECT_NEAR(f.losses[0].balance.item<double>(), 4.0, 1e-4);
}

TEST(MoeLayer, OverrideReplacesTheRouterAlone) {
    at::manual_seed(5);
    Fixture f(options(4, 1));
    const at::NoGradGuard no_grad;
    const at::Tensor other = at::randn({4, kWidth}), plain = f.run(f.x);
    f.forward.router_weight_override[0] = other;
    const at::Tensor replaced = f.run(f.x);
    EXPECT_FALSE(at::allclose(plain, replaced));
    f.forward.router_weight_override.clear();
    f.parameter("router.weight").copy_(other);
    EXPECT_TRUE(at::equal(f.run(f.x), replaced));
}

TEST(MoeLayer, WithoutTokensNothingHappens) {
    Fixture f(options(4, 2), at::kFloat, 0);
    EXPECT_EQ(f.run(f.x).size(0), 0);
    EXPECT_TRUE(f.losses.empty());
}

class Listener : public RoutingObserver {
public:
    bool wants(LayerIndex layer, std::int64_t step) override {
        asked.push_back({layer.value, step});
        return step % 2 == 0;
    }
    void onRouting(const RoutingEvent& event) override { events.push_back(event); }
    std::vector<std::pair<int, std::int64_t>> asked;
    std::vector<RoutingEvent> events;
};

TEST(MoeLayer, TellsTheObserverWhatItAskedFor) {
    at::manual_seed(6);
    Fixture f(options(4, 2));
    Listener listener;
    f.forward.observer = &listener;
    f.forward.step = 1;
    const at::Tensor unheard = f.run(f.x);
    EXPECT_EQ(listener.asked.size(), 1u);
    EXPECT_TRUE(listener.events.empty());
    f.forward.step = 2;
    EXPECT_TRUE(at::equal(f.run(f.x), unheard));  // watching changes nothing
    ASSERT_EQ(listener.events.size(), 1u);
    const RoutingEvent& event = listener.events[0];
    EXPECT_EQ(event.layer, LayerIndex(3));
    EXPECT_EQ(event.branch, Branch::kVision);
    EXPECT_EQ(event.indices_TK.sizes(), (at::IntArrayRef{kTokens, 2}));
    EXPECT_TRUE(at::equal(at::bincount(event.indices_TK.reshape({-1}), {}, 4), event.counts_E));
    EXPECT_TRUE(at::allclose(event.logits_TE.softmax(1).gather(1, event.indices_TK), event.weights_TK));
    EXPECT_FALSE(event.weights_TK.requires_grad());
    EXPECT_EQ(event.blocks.size(), 1u);
}

TEST(Dispatch, SlotsAreSortedByExpertAndKeepTokenOrder) {
    at::manual_seed(7);
    const at::Tensor indices = at::randint(0, 7, {50, 3}, at::kLong);
    const DispatchPlan plan = makeDispatcher("dropless")->plan(indices, {}, 8), reference = droplessPlanReference(indices, 8);
    EXPECT_EQ(plan.offsets, reference.offsets);
    EXPECT_EQ(plan.offsets[8], 150);
    EXPECT_EQ(plan.offsets[7], 150);  // expert 7 is idle
    EXPECT_TRUE(at::equal(plan.token_of_slot_S, reference.token_of_slot_S));
    EXPECT_TRUE(at::equal(plan.slot_of_TK, reference.slot_of_TK));
    EXPECT_TRUE(at::equal(plan.counts_E, reference.counts_E));
    for (std::int64_t t = 0; t < 50; ++t) {
        for (std::int64_t j = 0; j < 3; ++j) {
            const std::int64_t slot = plan.slot_of_TK[t][j].item<std::int64_t>();
            const auto expert = static_cast<std::size_t>(indices[t][j].item<std::int64_t>());
            EXPECT_TRUE(slot >= plan.offsets[expert] && slot < plan.offsets[expert + 1]);
            EXPECT_EQ(plan.token_of_slot_S[slot].item<std::int64_t>(), t);
        }
    }
    EXPECT_THROW((void)makeDispatcher("dropless")->plan(indices, {}, 5), c10::Error);
    EXPECT_THROW((void)makeDispatcher("lossy"), c10::Error);
}

}  // namespace
}  // namespace es::engine
