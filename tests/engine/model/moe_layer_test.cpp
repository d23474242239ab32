// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/moe_layer.h"

#include <gtest/gtest.h>

#include "engine/model/selection.h"
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
        return layer.forward({input, blocks, {}, names}, context);
    }
    at::Tensor parameter(const std::string& name) { return layer.named_parameters()[name]; }

    MoeLayer layer;
    at::Tensor x;
    ForwardOptions forward;
    TokenNames names;
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

/// What each router's gates are when every token takes every expert; undefined: the softmax of its logits.
at::Tensor gatesOfAll(const std::string& kind, const at::Tensor& logits) {
    if (kind == "random") return at::full_like(logits, 1.0 / static_cast<double>(logits.size(1)));
    if (kind == "sigmoid_topk") return logits.sigmoid();
    return logits.softmax(1);
}

TEST(MoeLayer, AllExpertsChosenIsTheDenseMixtureOfEveryRouter) {
    for (const std::string& kind : routerKinds()) {
        if (kind == "hash" || kind == "base") continue;  // they have one choice
        at::manual_seed(21);
        MoeOptions made = options(4, 4);
        made.router = kind;
        made.routing.cosine_width = 3;
        made.routing.top_p = 1;
        made.routing.groups = made.routing.groups_kept = 2;
        Fixture f(made, at::kDouble);
        f.forward.training = false;
        class Listener : public RoutingObserver {
        public:
            bool wants(LayerIndex, std::int64_t) override { return true; }
            void onRouting(const RoutingEvent& event) override { logits = event.logits_TE; }
            at::Tensor logits;
        } listener;
        f.forward.observer = &listener;
        const at::NoGradGuard no_grad;
        const at::Tensor y = f.run(f.x), gates = gatesOfAll(kind, listener.logits);
        at::Tensor dense = at::zeros_like(f.x);
        for (std::int64_t e = 0; e < 4; ++e) {
            const at::Tensor hidden = at::gelu(at::linear(f.x, f.parameter("experts.w1")[e], f.parameter("experts.b1")[e]));
            dense = dense + gates.select(1, e).unsqueeze(1) * at::linear(hidden, f.parameter("experts.w2")[e], f.parameter("experts.b2")[e]);
        }
        EXPECT_LE((y - dense).abs().max().item<double>(), 1e-11) << kind;
    }
}

TEST(MoeLayer, PermutingTokensPermutesOutputsOfEveryRouter) {
    for (const std::string kind : {"topk_softmax", "noisy_topk", "sigmoid_topk", "group_limited", "cosine", "sinkhorn", "top_p", "expert_choice", "soft"}) {
        at::manual_seed(22);
        MoeOptions made = options(5, 2);
        made.router = kind;
        made.routing.cosine_width = 3;
        Fixture f(made, at::kDouble);
        f.forward.training = false;
        f.names.sequence_N = at::zeros({kTokens}, at::kLong);
        const at::NoGradGuard no_grad;
        const at::Tensor order = at::randperm(kTokens, at::kLong);
        EXPECT_LE((f.run(f.x.index_select(0, order)) - f.run(f.x).index_select(0, order)).abs().max().item<double>(), 1e-12) << kind;
    }
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
            return (y * seed).sum() + 0.3 * f.losses[0].value("balance") + 0.2 * f.losses[0].value("z");
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
    EXPECT_NEAR(f.losses[0].value("balance").item<double>(), 1.0, 1e-6);
    EXPECT_NEAR(f.losses[0].value("z").item<double>(), std::log(4.0) * std::log(4.0), 1e-5);
}

TEST(MoeLayer, CollapsedRouterHasBalanceOfTheNumberOfExperts) {
    Fixture f(options(4, 1));
    const at::NoGradGuard no_grad;
    f.x.abs_();
    f.parameter("router.weight").zero_();
    f.parameter("router.weight")[2].fill_(50);
    (void)f.run(f.x);
    EXPECT_NEAR(f.losses[0].value("balance").item<double>(), 4.0, 1e-4);
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

/// Random experts, routing and inputs in fp64, all leaves.
struct Mixture {
    explicit Mixture(Activation activation_in, std::int64_t tokens = 9, std::int64_t experts_in = 4, std::int64_t k = 2) : activation(activation_in) {
        const auto random = [](at::IntArrayRef sizes) { return at::randn(sizes, at::kDouble).set_requires_grad(true); };
        x = random({tokens, kWidth});
        weights = random({tokens, k});
        experts.w1_EHD = random({experts_in, 5, kWidth});
        experts.w2_EDH = random({experts_in, kWidth, 5});
        if (activation == Activation::kSwiglu) experts.w3_EHD = random({experts_in, 5, kWidth});
        else experts.b1_EH = random({experts_in, 5}), experts.b2_ED = random({experts_in, kWidth});
        indices = selectTopK(at::randn({tokens, experts_in}), k);
        kept = at::rand({tokens, k}).lt(0.6);
        kept[1].fill_(false);
    }
    [[nodiscard]] std::vector<at::Tensor> leaves() const {
        std::vector<at::Tensor> made{x, weights, experts.w1_EHD, experts.w2_EDH};
        for (const at::Tensor& tensor : {experts.b1_EH, experts.b2_ED, experts.w3_EHD})
            if (tensor.defined()) made.push_back(tensor);
        return made;
    }
    /// Every expert on every token, then a sum with the gates of the kept choices.
    [[nodiscard]] at::Tensor direct() const {
        at::Tensor y = at::zeros_like(x);
        for (std::int64_t t = 0; t < x.size(0); ++t) {
            for (std::int64_t j = 0; j < indices.size(1); ++j) {
                if (!kept[t][j].item<bool>()) continue;
                const std::int64_t e = indices[t][j].item<std::int64_t>();
                const auto of = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor[e] : at::Tensor(); };
                const at::Tensor u = at::linear(x[t], experts.w1_EHD[e], of(experts.b1_EH));
                const at::Tensor hidden = activation == Activation::kSwiglu ? at::silu(u) * at::linear(x[t], experts.w3_EHD[e]) : at::gelu(u);
                y = y.index_add(0, at::full({1}, t, at::kLong), (weights[t][j] * at::linear(hidden, experts.w2_EDH[e], of(experts.b2_ED))).unsqueeze(0));
            }
        }
        return y;
    }
    Activation activation;
    at::Tensor x, weights, indices, kept;
    ExpertWeights experts;
};

TEST(MixtureOfExperts, IsTheSumOverKeptChoicesWithItsGradients) {
    at::manual_seed(12);
    for (const Activation activation : {Activation::kGelu, Activation::kSwiglu}) {
        const Mixture m(activation);
        const at::Tensor seed = at::randn_like(m.x);
        const auto gradients = [&](const at::Tensor& y) {
            for (const at::Tensor& leaf : m.leaves()) leaf.mutable_grad().reset();
            y.backward(seed);
            std::vector<at::Tensor> made;
            for (const at::Tensor& leaf : m.leaves()) made.push_back(leaf.grad().defined() ? leaf.grad().clone() : at::zeros_like(leaf));
            return made;
        };
        const at::Tensor y = mixtureOfExperts(m.x, m.indices, m.weights, m.kept, m.experts, activation), expected = m.direct();
        EXPECT_LE((y - expected).abs().max().item<double>(), 1e-12);
        EXPECT_EQ(y[1].abs().max().item<double>(), 0);  // both choices of token 1 were dropped
        const auto got = gradients(y), wanted = gradients(expected);
        for (std::size_t i = 0; i < got.size(); ++i) EXPECT_LE((got[i] - wanted[i]).abs().max().item<double>(), 1e-11) << i;
        EXPECT_EQ(got[0][1].abs().max().item<double>(), 0);
        EXPECT_EQ(got[1].masked_select(m.kept.logical_not()).abs().max().item<double>(), 0);
    }
}

TEST(MixtureOfExperts, ADroppedChoiceAddsNothing) {
    at::manual_seed(13);
    for (const Activation activation : {Activation::kGelu, Activation::kSwiglu}) {
        const Mixture m(activation, 30);
        const at::NoGradGuard no_grad;
        const at::Tensor dropped = mixtureOfExperts(m.x, m.indices, m.weights, m.kept, m.experts, activation);
        // The same with gate 0, with no choice at all, and whatever gate a dropped choice has.
        EXPECT_LE((dropped - mixtureOfExperts(m.x, m.indices, m.weights * m.kept, {}, m.experts, activation)).abs().max().item<double>(), 1e-13);
        EXPECT_TRUE(at::equal(dropped, mixtureOfExperts(m.x, m.indices.masked_fill(m.kept.logical_not(), -1), m.weights, {}, m.experts, activation)));
        EXPECT_TRUE(at::equal(dropped, mixtureOfExperts(m.x, m.indices, m.weights.masked_fill(m.kept.logical_not(), 1e9), m.kept, m.experts, activation)));
        const at::Tensor nothing = mixtureOfExperts(m.x, m.indices, m.weights, at::zeros_like(m.kept), m.experts, activation);
        EXPECT_EQ(nothing.abs().max().item<double>(), 0);
        EXPECT_TRUE(at::equal(mixtureOfExperts(m.x, m.indices, m.weights, at::ones_like(m.kept), m.experts, activation),
                              mixtureOfExperts(m.x, m.indices, m.weights, {}, m.experts, activation)));
    }
}

TEST(MoeLayer, CapacityDropsAreSeenAndRenormaliseNothing) {
    at::manual_seed(14);
    MoeOptions made = options(4, 2, true);
    made.dispatch = {.kind = "capacity", .capacity = {0.5, 2.0, CapacityPolicy::kBatchPriority, 0}};
    Fixture f(made, at::kDouble);
    MoeOptions all = made;
    all.dispatch = {};
    Fixture whole(all, at::kDouble);
    const at::NoGradGuard no_grad;
    whole.x = f.x;
    for (const auto& item : f.layer.named_parameters()) whole.parameter(item.key()).copy_(item.value());
    Listener listener;
    f.forward.observer = whole.forward.observer = &listener;
    const at::Tensor y = f.run(f.x), undropped = whole.run(f.x);
    ASSERT_EQ(listener.events.size(), 2u);
    const RoutingEvent event = listener.events[0], other = listener.events[1];
    ASSERT_TRUE(event.kept_TK.defined());
    EXPECT_TRUE(at::equal(event.counts_E, other.counts_E));
    EXPECT_TRUE(at::equal(event.weights_TK, other.weights_TK));
    const std::int64_t places = capacityOf(0.5, 2, kTokens, 4);
    EXPECT_EQ(event.kept_TK.sum().item<std::int64_t>(), event.counts_E.clamp_max(places).sum().item<std::int64_t>());
    for (std::int64_t t = 0; t < kTokens; ++t) {
        const std::int64_t kept = event.kept_TK[t].sum().item<std::int64_t>();
        if (kept == 2) {
            EXPECT_LE((y[t] - undropped[t]).abs().max().item<double>(), 1e-12);
        }
        if (kept == 0) {
            EXPECT_EQ(y[t].abs().max().item<double>(), 0);
        }
    }
    // The losses see the router's wish, not what became of it.
    EXPECT_TRUE(at::equal(f.losses[0].value("balance"), whole.losses[0].value("balance")));
    f.forward.training = false;  // twice an even share
    (void)f.run(f.x);
    EXPECT_EQ(listener.events[2].kept_TK.sum().item<std::int64_t>(), event.counts_E.clamp_max(capacityOf(2, 2, kTokens, 4)).sum().item<std::int64_t>());
}

TEST(MoeLayer, SharedExpertsAreAddedForEveryToken) {
    for (const bool gated : {false, true}) {
        for (const Activation activation : {Activation::kGelu, Activation::kSwiglu}) {
            at::manual_seed(15);
            MoeOptions made = options(4, 2);
            made.activation = activation;
            made.shared_experts = 2;
            made.shared_gate = gated;
            Fixture f(made, at::kDouble);
            const at::NoGradGuard no_grad;
            const at::Tensor y = f.run(f.x);
            const auto part = [&](const std::string& name) { return f.parameter("shared." + name)[0]; };
            EXPECT_EQ(part("w1").sizes(), (at::IntArrayRef{18, kWidth}));
            at::Tensor shared;
            if (activation == Activation::kSwiglu) {
                shared = at::linear(at::silu(at::linear(f.x, part("w1"))) * at::linear(f.x, part("w3")), part("w2"));
            } else {
                shared = at::linear(at::gelu(at::linear(f.x, part("w1"), part("b1"))), part("w2"), part("b2"));
            }
            if (gated) shared = shared * at::linear(f.x, f.parameter("shared_gate")).sigmoid();
            f.parameter("shared.w2").zero_();
            if (activation == Activation::kGelu) f.parameter("shared.b2").zero_();
            EXPECT_LE((y - shared - f.run(f.x)).abs().max().item<double>(), 1e-12);
            EXPECT_GT(shared.abs().max().item<double>(), 0.1);
        }
    }
}

TEST(MoeLayer, GradientsOfEveryKindAgreeWithDifferences) {
    for (const Activation activation : {Activation::kGelu, Activation::kSwiglu}) {
        at::manual_seed(16);
        MoeOptions made = options(4, 2, true);
        made.activation = activation;
        made.biases = false;
        made.shared_experts = 1;
        made.shared_gate = true;
        made.dispatch = {.kind = "capacity", .capacity = {0.7, 1, CapacityPolicy::kPosition, 8}};
        Fixture f(made, at::kDouble);
        const at::Tensor seed = at::randn_like(f.x);
        (f.run(f.x) * seed).sum().backward();
        const auto value = [&] {
            const at::NoGradGuard no_grad;
            return (f.run(f.x) * seed).sum().item<double>();
        };
        for (const auto& item : f.layer.named_parameters()) {
            at::Tensor parameter = item.value().detach();
            parameter.mutable_grad() = item.value().grad();
            test::expectGradient(item.key(), parameter, value, 30);
        }
    }
}

}  // namespace
}  // namespace es::engine
