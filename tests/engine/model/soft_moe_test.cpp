// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/soft_moe.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "engine/model/moe_layer.h"
#include "engine/model/routing_rules.h"
#include "tests/engine/model/gradient_check.h"

namespace es::engine {
namespace {

constexpr std::int64_t kWidth = 6, kExperts = 3, kSlots = 2;

at::Tensor labels() { return at::tensor({4, 4, 4, 9, 9, 4, 2, 9, 4}, at::kLong); }

MoeOptions options() {
    MoeOptions made;
    made.router = "soft";
    made.experts = kExperts;
    made.slots = kSlots;
    made.expert_width = 5;
    return made;
}

struct SoftLayer {
    explicit SoftLayer(const MoeOptions& made, std::int64_t tokens = 9)
        : layer(kWidth, made, {RouterId(0), LayerIndex(1), Branch::kVision}), x(at::randn({tokens, kWidth}, at::kDouble)) {
        at::set_num_threads(1);  // thousands of tiny passes: waking threads would cost more than they give
        layer.to(at::kDouble);
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : layer.parameters()) at::Tensor(parameter).normal_();
        names.sequence_N = labels();
        names.modality_N = at::arange(tokens, at::kLong).remainder(2);
    }
    at::Tensor run(const at::Tensor& input) {
        losses.clear();
        ForwardContext context{forward, losses};
        return layer.forward({input, blocks, {}, names}, context);
    }
    at::Tensor parameter(const std::string& name) { return layer.named_parameters()[name]; }

    MoeLayer layer;
    at::Tensor x;
    TokenNames names;
    ForwardOptions forward;
    std::vector<RouterLosses> losses;
    std::vector<TokenBlock> blocks{{Objective::kImage, Modality::kVision, 1, 9}};
};

/// The definition (arXiv:2308.00951 eq. 1-3), group by group, from the reference rule.
at::Tensor byDefinition(SoftLayer& soft, const at::Tensor& x) {
    at::Tensor y = at::zeros_like(x);
    for (const std::int64_t label : {2, 4, 9}) {
        const at::Tensor rows = labels().eq(label).nonzero().squeeze(1), group = x.index_select(0, rows);
        const SoftRouting routing = softRouting(group, soft.parameter("router.phi").t(), soft.parameter("router.scale").squeeze(0));
        const at::Tensor slots = at::mm(routing.dispatch_TS.t(), group);
        std::vector<at::Tensor> made;
        for (std::int64_t s = 0; s < slots.size(0); ++s) {
            const std::int64_t e = s / kSlots;
            const at::Tensor hidden = at::gelu(at::linear(slots[s], soft.parameter("experts.w1")[e], soft.parameter("experts.b1")[e]));
            made.push_back(at::linear(hidden, soft.parameter("experts.w2")[e], soft.parameter("experts.b2")[e]));
        }
        y.index_copy_(0, rows, at::mm(routing.combine_TS, at::stack(made)));
    }
    return y;
}

TEST(TokenGroups, PutEachTokenInItsPlace) {
    const TokenGroups groups = groupTokens(labels(), at::kCPU);
    EXPECT_EQ(groups.row_GL.sizes(), (at::IntArrayRef{3, 5}));
    EXPECT_TRUE(at::equal(groups.valid_GL.sum(1), at::tensor({1, 5, 3}, at::kLong)));
    EXPECT_TRUE(at::equal(groups.row_GL[1], at::tensor({0, 1, 2, 5, 8}, at::kLong)));
    EXPECT_TRUE(at::equal(groups.row_GL.reshape({-1}).index_select(0, groups.place_T), at::arange(9, at::kLong)));
}

TEST(SoftMoe, IsTheDefinitionWithinEachSample) {
    at::manual_seed(1);
    SoftLayer soft(options());
    const at::NoGradGuard no_grad;
    EXPECT_LE((soft.run(soft.x) - byDefinition(soft, soft.x)).abs().max().item<double>(), 1e-12);
    EXPECT_TRUE(soft.losses.empty());
}

TEST(SoftMoe, GradientsAgreeWithDifferences) {
    at::manual_seed(2);
    MoeOptions made = options();
    made.routing.modalities = true;
    made.shared_experts = 1;
    SoftLayer soft(made);
    soft.x.set_requires_grad(true);
    const at::Tensor seed = at::randn_like(soft.x);
    const auto loss = [&] { return (soft.run(soft.x) * seed).sum(); };
    loss().backward();
    const auto value = [&] {
        const at::NoGradGuard no_grad;
        return loss().item<double>();
    };
    at::Tensor x = soft.x.detach();
    x.mutable_grad() = soft.x.grad();
    test::expectGradient("x", x, value, 40);
    for (const auto& item : soft.layer.named_parameters()) {
        at::Tensor parameter = item.value().detach();
        parameter.mutable_grad() = item.value().grad();
        test::expectGradient(item.key(), parameter, value, 20);
    }
}

TEST(SoftMoe, TokensOfOtherSamplesDoNotMatter) {
    at::manual_seed(3);
    SoftLayer soft(options());
    const at::NoGradGuard no_grad;
    at::Tensor changed = soft.x.clone();
    changed[6].add_(1);  // the sample of one token
    const at::Tensor difference = (soft.run(changed) - soft.run(soft.x)).abs().sum(1);
    EXPECT_GT(difference[6].item<double>(), 1e-3);
    difference[6].zero_();
    EXPECT_EQ(difference.max().item<double>(), 0);
}

class Listener : public RoutingObserver {
public:
    bool wants(LayerIndex, std::int64_t) override { return true; }
    void onRouting(const RoutingEvent& event) override { events.push_back(event); }
    std::vector<RoutingEvent> events;
};

TEST(SoftMoe, TellsTheMassOfEachExpertAndTakesAnotherPhi) {
    at::manual_seed(4);
    SoftLayer soft(options());
    const at::NoGradGuard no_grad;
    Listener listener;
    soft.forward.observer = &listener;
    const at::Tensor plain = soft.run(soft.x);
    ASSERT_EQ(listener.events.size(), 1u);
    const RoutingEvent& event = listener.events[0];
    EXPECT_FALSE(event.indices_TK.defined());
    EXPECT_EQ(event.weights_TK.sizes(), (at::IntArrayRef{9, kExperts}));
    EXPECT_LE((event.weights_TK.sum(1) - 1).abs().max().item<double>(), 1e-12);
    EXPECT_TRUE(at::allclose(event.logits_TE.softmax(1), event.weights_TK));
    const at::Tensor phi = soft.parameter("router.phi").clone(), other = at::randn_like(phi);
    soft.forward.router_weight_override[0] = other;
    const at::Tensor replaced = soft.run(soft.x);
    soft.forward.router_weight_override.clear();
    soft.parameter("router.phi").copy_(other);
    EXPECT_TRUE(at::equal(replaced, soft.run(soft.x)));
    EXPECT_FALSE(at::equal(replaced, plain));
}

}  // namespace
}  // namespace es::engine
