// SPDX-License-Identifier: GPL-3.0-or-later
// Interventions on a whole tiny model: what each changes, what it must leave alone, and what is refused.
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "engine/infer/intervention_plan.h"
#include "engine/model/moe_layer.h"
#include "engine/model/vl_moe.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using session::Intervention;
using Kind = session::InterventionKind;

/// All that routers told in one forward, by router id. Branches see all tokens of the batch at once, so there is one event a router.
class Told final : public RoutingObserver {
public:
    bool wants(LayerIndex, std::int64_t) override { return true; }
    void onRouting(const RoutingEvent& event) override { events[event.router.value] = event; }
    std::map<std::int32_t, RoutingEvent> events;
};

config::RunConfig configured(const std::string& kind = "softmax_topk") {
    config::RunConfig config = test::tinyConfig();
    config.moe.router = kind;
    config.moe.experts = 6;
    config.moe.renormalize = true;
    config.moe.groups = 3;
    config.moe.groups_kept = 2;
    config.moe.cosine_width = 4;
    config.moe.router_init_std = 1.0;
    config.moe.capacity_factor_eval = 1.0;
    if (kind == "hash") config.moe.k = 1;
    return config;
}

struct Fixture {
    explicit Fixture(config::RunConfig settings = configured()) : config(std::move(settings)), model(config, test::tinyShape(), 7) {
        at::set_num_threads(1);  // a model so small that threads would only wait for each other
        batch = test::randomBatch(config, test::tinyShape(), 3, {2, 3, 3});
        // The balancing bias of a trained router is not 0.
        const at::NoGradGuard no_gradient;
        for (auto& buffer : model.named_buffers())
            if (buffer.key().ends_with("router.bias")) buffer.value().copy_(at::linspace(-0.5, 0.8, buffer.value().numel()));
    }
    Told run(const InterventionPlan* plan = nullptr) {
        const at::NoGradGuard no_gradient;
        Told told;
        ForwardOptions options;
        options.training = false;
        options.step = 5;
        options.observer = &told;
        options.interventions = plan;
        output = model.forward(batch, options);
        return told;
    }
    Result<InterventionPlan> plan(const std::vector<Intervention>& wishes) { return planInterventions(wishes, model, {9, 6}, 7); }
    Told under(const std::vector<Intervention>& wishes) {
        const auto made = plan(wishes);
        EXPECT_TRUE(made) << (made ? "" : made.error().message());
        return made ? run(&*made) : Told{};
    }
    config::RunConfig config;
    VlMoe model;
    Batch batch;
    ModelOutput output;
};

Intervention wish(Kind kind, std::int32_t layer, std::optional<Branch> branch, std::vector<std::int32_t> experts, std::int64_t number = 0,
                  session::TokenSet tokens = {}) {
    return {kind, layer < 0 ? LayerIndex() : LayerIndex(layer), branch, std::move(experts), number, std::move(tokens)};
}
Intervention ban(std::int32_t layer, std::vector<std::int32_t> experts, session::TokenSet tokens = {}) {
    return wish(Kind::kBan, layer, Branch::kVision, std::move(experts), 0, std::move(tokens));
}

std::vector<std::int64_t> choices(const RoutingEvent& event, std::int64_t token) {
    std::vector<std::int64_t> chosen;
    for (std::int64_t j = 0; j < event.indices_TK.size(1); ++j)
        if (const auto e = event.indices_TK[token][j].item<std::int64_t>(); e >= 0) chosen.push_back(e);
    return chosen;
}
bool chose(const RoutingEvent& event, std::int64_t token, std::int64_t expert) { return std::ranges::count(choices(event, token), expert) > 0; }
std::vector<std::int64_t> asSet(std::vector<std::int64_t> list) {
    std::ranges::sort(list);
    return list;
}
bool equalBits(const at::Tensor& a, const at::Tensor& b) { return a.sizes() == b.sizes() && at::equal(a, b); }
std::int64_t tokensOf(const RoutingEvent& event) { return event.indices_TK.size(0); }

// Routers of the tiny model: 0 is 0.v, 1 is 0.t, 2 is 1.v, 3 is 1.t.
constexpr std::int32_t kV0 = 0, kT0 = 1, kV1 = 2, kT1 = 3;

TEST(Interventions, WithoutAnyNothingIsTouched) {
    Fixture f;
    const Told plain = f.run();
    const at::Tensor loss = f.output.loss;
    const auto none = f.plan({});
    ASSERT_TRUE(none);
    const Told same = f.run(&*none);
    for (const auto& [router, event] : plain.events) EXPECT_TRUE(equalBits(event.weights_TK, same.events.at(router).weights_TK));
    EXPECT_TRUE(equalBits(loss, f.output.loss));
}

TEST(Interventions, ABannedExpertChangesExactlyTheTokensThatChoseItAndNoEarlierLayer) {
    Fixture f;
    const Told before = f.run();
    const Told after = f.under({ban(1, {2})});
    for (const std::int32_t earlier : {kV0, kT0}) {
        EXPECT_TRUE(equalBits(before.events.at(earlier).logits_TE, after.events.at(earlier).logits_TE));
        EXPECT_TRUE(equalBits(before.events.at(earlier).indices_TK, after.events.at(earlier).indices_TK));
        EXPECT_TRUE(equalBits(before.events.at(earlier).weights_TK, after.events.at(earlier).weights_TK));
    }
    // The text router of the layer sees the same tokens as before.
    EXPECT_TRUE(equalBits(before.events.at(kT1).weights_TK, after.events.at(kT1).weights_TK));
    const RoutingEvent &was = before.events.at(kV1), &is = after.events.at(kV1);
    std::int64_t changed = 0;
    for (std::int64_t t = 0; t < tokensOf(was); ++t) {
        EXPECT_FALSE(chose(is, t, 2));
        if (!chose(was, t, 2)) {
            EXPECT_EQ(choices(was, t), choices(is, t));
            EXPECT_TRUE(equalBits(was.weights_TK[t], is.weights_TK[t])) << "gates of a renormalising router know the chosen alone";
            continue;
        }
        ++changed;
        // The third best, by the logits of before, is there instead.
        const at::Tensor order = was.logits_TE[t].argsort(0, /*descending=*/true);
        std::vector<std::int64_t> expected;
        for (std::int64_t j = 0; j < 3; ++j)
            if (const auto e = order[j].item<std::int64_t>(); e != 2) expected.push_back(e);
        EXPECT_EQ(choices(is, t), expected);
    }
    EXPECT_GT(changed, 0);
    EXPECT_LT(changed, tokensOf(was));
}

/// The layer by itself: outputs of tokens, not only their routing.
TEST(Interventions, OutputsOfOtherTokensOfTheLayerStay) {
    for (const Kind kind : {Kind::kBan, Kind::kSilence}) {
        at::manual_seed(3);
        MoeOptions options;
        options.experts = 5;
        options.k = 2;
        options.expert_width = 9;
        options.renormalize = true;
        MoeLayer layer(6, options, {RouterId(0), LayerIndex(0), Branch::kVision});
        const at::NoGradGuard no_gradient;
        for (const at::Tensor& parameter : layer.parameters()) at::Tensor(parameter).normal_();
        const at::Tensor x_TD = at::randn({40, 6});
        const std::vector<TokenBlock> blocks{{Objective::kImage, Modality::kVision, 1, 40}};
        const auto run = [&](const InterventionPlan* plan, Told& told) {
            std::vector<RouterLosses> losses;
            ForwardOptions forward;
            forward.training = false;
            forward.observer = &told;
            forward.interventions = plan;
            ForwardContext context{forward, losses};
            return layer.forward({x_TD, blocks, {}, {}}, context);
        };
        InterventionPlan plan;
        plan.by_router[0].push_back({kind, {3}});
        Told before, after;
        const at::Tensor was_TD = run(nullptr, before), is_TD = run(&plan, after);
        for (std::int64_t t = 0; t < 40; ++t) {
            const double difference = (was_TD[t] - is_TD[t]).abs().max().item<double>();
            if (chose(before.events[0], t, 3)) EXPECT_GT(difference, 1e-4) << t;
            else EXPECT_LT(difference, 1e-5) << t;
        }
        if (kind != Kind::kSilence) continue;
        EXPECT_TRUE(equalBits(before.events[0].indices_TK, after.events[0].indices_TK)) << "nobody takes over";
        for (std::int64_t t = 0; t < 40; ++t)
            for (std::int64_t j = 0; j < 2; ++j) {
                const float gate = after.events[0].weights_TK[t][j].item<float>(), own = before.events[0].weights_TK[t][j].item<float>();
                EXPECT_EQ(gate, before.events[0].indices_TK[t][j].item<std::int64_t>() == 3 ? 0.0f : own);
            }
    }
}

TEST(Interventions, RawGatesSpreadWhatTheBannedExpertHad) {
    config::RunConfig config = configured();
    config.moe.renormalize = false;
    Fixture f(config);
    const Told before = f.run(), after = f.under({ban(1, {2})});
    const RoutingEvent &was = before.events.at(kV1), &is = after.events.at(kV1);
    for (std::int64_t t = 0; t < tokensOf(was); ++t) {
        const double p = was.probs_TE[t][2].item<double>();
        EXPECT_EQ(is.probs_TE[t][2].item<float>(), 0.0f);
        if (chose(was, t, 2)) continue;
        EXPECT_NEAR(is.weights_TK[t][0].item<double>(), was.weights_TK[t][0].item<double>() / (1 - p), 1e-5);
    }
}

TEST(Interventions, OnlyTheNamedTokensAreTouched) {
    Fixture f;
    const Told before = f.run();
    const session::TokenSet patches{Modality::kVision, {0, 4, 5}};
    const Told after = f.under({wish(Kind::kBan, 1, std::nullopt, {1, 2}, 0, patches), wish(Kind::kOtherK, 1, Branch::kText, {}, 1, {Modality::kText, {0}})});
    const RoutingEvent &was = before.events.at(kV1), &is = after.events.at(kV1);
    for (std::int64_t t = 0; t < tokensOf(was); ++t) {
        const std::int64_t position = t % 9;
        const bool named = position == 0 || position == 4 || position == 5;
        if (named) EXPECT_FALSE(chose(is, t, 1) || chose(is, t, 2));
        else EXPECT_EQ(choices(was, t), choices(is, t));
    }
    // First words choose one expert, the others two. Words lie sample by sample: pairs, then texts.
    const RoutingEvent& words = after.events.at(kT1);
    std::vector<std::size_t> expected;
    for (const auto* texts : {&f.batch.pair_texts, &f.batch.texts})
        for (std::int64_t b = 0; b < (*texts)->valid_BL.size(0); ++b)
            for (std::int64_t i = 0; i < (*texts)->valid_BL[b].sum().item<std::int64_t>(); ++i) expected.push_back(i == 0 ? 1 : 2);
    ASSERT_EQ(static_cast<std::size_t>(tokensOf(words)), expected.size());
    for (std::int64_t t = 0; t < tokensOf(words); ++t) EXPECT_EQ(choices(words, t).size(), expected[static_cast<std::size_t>(t)]);
}

TEST(Interventions, SwappingExchangesLogitsAndTwiceIsNothing) {
    Fixture f;
    const Intervention swap = wish(Kind::kSwap, 0, Branch::kText, {1, 4});
    const Told before = f.run(), once = f.under({swap}), twice = f.under({swap, swap});
    const RoutingEvent &was = before.events.at(kT0), &is = once.events.at(kT0);
    EXPECT_TRUE(equalBits(was.logits_TE.select(1, 1), is.logits_TE.select(1, 4)));
    EXPECT_TRUE(equalBits(was.logits_TE.select(1, 4), is.logits_TE.select(1, 1)));
    EXPECT_TRUE(equalBits(was.logits_TE.select(1, 0), is.logits_TE.select(1, 0)));
    for (const auto& [router, event] : before.events) {
        EXPECT_TRUE(equalBits(event.logits_TE, twice.events.at(router).logits_TE));
        EXPECT_TRUE(equalBits(event.weights_TK, twice.events.at(router).weights_TK));
    }
}

TEST(Interventions, ARandomRouterIsTheBaselinesOfTheSameDraw) {
    for (const char* kind : {"softmax_topk", "cosine"}) {
        Fixture f(configured(kind));
        const Told drawn = f.under({wish(Kind::kRandomRouter, 1, Branch::kVision, {}, 3)});
        Told baseline;
        ForwardOptions options;
        options.training = false;
        options.step = 5;
        options.observer = &baseline;
        options.router_weight_override[kV1] = f.model.drawRouterWeight(RouterId(kV1), 7, 3);
        const at::NoGradGuard no_gradient;
        (void)f.model.forward(f.batch, options);
        for (const auto& [router, event] : baseline.events) {
            EXPECT_TRUE(equalBits(event.logits_TE, drawn.events.at(router).logits_TE)) << kind << router;
            EXPECT_TRUE(equalBits(event.weights_TK, drawn.events.at(router).weights_TK)) << kind << router;
        }
        EXPECT_FALSE(equalBits(drawn.events.at(kV1).logits_TE, f.run().events.at(kV1).logits_TE));
    }
}

TEST(Interventions, AllExpertsCanBeChosen) {
    config::RunConfig all = configured();
    all.moe.k = 6;
    Fixture few, many(all);
    const Told asked = few.under({wish(Kind::kOtherK, -1, std::nullopt, {}, 6)}), own = many.run();
    for (const auto& [router, event] : own.events) {
        EXPECT_TRUE(equalBits(event.indices_TK, asked.events.at(router).indices_TK));
        EXPECT_TRUE(equalBits(event.weights_TK, asked.events.at(router).weights_TK));
    }
    const auto plan = few.plan({wish(Kind::kOtherK, 0, Branch::kVision, {}, 6), wish(Kind::kOtherK, 1, Branch::kVision, {}, 3, {Modality::kVision, {1}})});
    ASSERT_TRUE(plan);
    const auto routers = routersUnder(*plan, few.model);
    EXPECT_EQ(routers[kV0].k, 6);
    EXPECT_EQ(routers[kV0].layout, store::RoutingLayout::kFixedK);
    EXPECT_EQ(routers[kV1].k, 3);
    EXPECT_EQ(routers[kV1].layout, store::RoutingLayout::kRagged);
    EXPECT_EQ(routers[kT1].k, 2);
}

TEST(Interventions, TheBestAreDropped) {
    Fixture f;
    const Told before = f.run(), after = f.under({wish(Kind::kDropBest, 0, Branch::kVision, {}, 1)});
    const RoutingEvent &was = before.events.at(kV0), &is = after.events.at(kV0);
    for (std::int64_t t = 0; t < tokensOf(was); ++t) {
        const at::Tensor order = was.logits_TE[t].argsort(0, true);
        EXPECT_EQ(choices(is, t), (std::vector<std::int64_t>{order[1].item<std::int64_t>(), order[2].item<std::int64_t>()}));
    }
}

TEST(Interventions, AForcedExpertComesFirstWithTheGateOfTheBest) {
    Fixture f;
    const Told before = f.run(), after = f.under({wish(Kind::kForce, 0, Branch::kVision, {5})}),
               two = f.under({wish(Kind::kForce, 0, Branch::kVision, {5, 0})});
    const RoutingEvent &was = before.events.at(kV0), &is = after.events.at(kV0);
    for (std::int64_t t = 0; t < tokensOf(was); ++t) {
        EXPECT_EQ(choices(is, t)[0], 5);
        EXPECT_EQ(choices(two.events.at(kV0), t), (std::vector<std::int64_t>{5, 0}));
        if (choices(was, t)[0] == 5) {
            EXPECT_TRUE(equalBits(was.weights_TK[t], is.weights_TK[t])) << "it was first already";
        } else {
            EXPECT_EQ(choices(is, t)[1], choices(was, t)[0]);
            EXPECT_NEAR(is.weights_TK[t][0].item<double>(), 0.5, 1e-4) << "a tie with the best";
        }
    }
}

class EveryRouter : public testing::TestWithParam<std::string> {};

TEST_P(EveryRouter, ObeysWhatMakesSense) {
    config::RunConfig config = configured(GetParam());
    const bool one = GetParam() == "base";
    if (one) config.moe.k = 1;
    if (GetParam() == "sigmoid_topk" || GetParam() == "group_limited") config.moe.bias_rate = 0.01;
    if (GetParam() == "group_limited") config.moe.group_score = "top2_sum", config.moe.score_function = "sigmoid";
    Fixture f(config);
    const Told before = f.run(), after = f.under({ban(1, {5})});
    const RoutingEvent &was = before.events.at(kV1), &is = after.events.at(kV1);
    EXPECT_TRUE(is.weights_TK.isfinite().all().item<bool>());
    EXPECT_TRUE(is.probs_TE.isfinite().all().item<bool>());
    std::int64_t took = 0;
    for (std::int64_t t = 0; t < tokensOf(was); ++t) {
        EXPECT_FALSE(chose(is, t, 5));
        took += chose(was, t, 5) ? 1 : 0;
        const bool others_matter = GetParam() == "group_limited" || GetParam() == "top_p" || GetParam() == "expert_choice";
        if (others_matter) continue;
        if (!chose(was, t, 5)) {
            EXPECT_EQ(choices(was, t), choices(is, t));
        } else {
            EXPECT_EQ(choices(is, t).size(), one ? 1u : 2u);
        }
    }
    EXPECT_GT(took, 0) << "nobody chose it anyway";
    EXPECT_TRUE(equalBits(before.events.at(kV0).weights_TK, after.events.at(kV0).weights_TK));

    const Told silent = f.under({wish(Kind::kSilence, 1, Branch::kVision, {5})});
    EXPECT_TRUE(equalBits(silent.events.at(kV1).indices_TK, was.indices_TK));
    const Told dropped = f.under({wish(Kind::kDropBest, 1, Branch::kVision, {}, 1)});
    EXPECT_TRUE(dropped.events.at(kV1).weights_TK.isfinite().all().item<bool>());
    const auto fewer = f.plan({wish(Kind::kOtherK, 1, Branch::kVision, {}, 1)});
    ASSERT_EQ(fewer.has_value(), !one);
    const Told other = f.run(one ? nullptr : &*fewer);
    if (GetParam() != "expert_choice") {
        for (std::int64_t t = 0; t < tokensOf(was); ++t) EXPECT_EQ(choices(other.events.at(kV1), t).size(), 1u);
    }
    const auto forced = f.plan({wish(Kind::kForce, 1, Branch::kVision, {0})});
    if (GetParam() == "expert_choice") {
        ASSERT_FALSE(forced);
        EXPECT_THAT(forced.error().message(), testing::HasSubstr("expert_choice"));
        return;
    }
    ASSERT_TRUE(forced) << forced.error().message();
    const Told first = f.run(&*forced);
    for (std::int64_t t = 0; t < tokensOf(was); ++t) EXPECT_EQ(choices(first.events.at(kV1), t).at(0), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryRouter,
                         testing::Values("softmax_topk", "topk_softmax", "noisy_topk", "sigmoid_topk", "group_limited", "cosine", "sinkhorn", "top_p", "base",
                                         "expert_choice"),
                         [](const auto& kind) { return kind.param; });

TEST(Interventions, AForcedExpertComesFirstBesideQuantileBiases) {
    config::RunConfig config = configured();
    config.moe.quantile_balance = true;
    Fixture f(config);
    const at::NoGradGuard no_gradient;
    for (auto& buffer : f.model.named_buffers())
        if (buffer.key().ends_with("router.quantile")) buffer.value().copy_(at::linspace(-1, 2, buffer.value().numel()));
    const Told forced = f.under({wish(Kind::kForce, 1, Branch::kVision, {5})}), banned = f.under({ban(1, {0, 1})});
    for (std::int64_t t = 0; t < tokensOf(forced.events.at(kV1)); ++t) {
        EXPECT_EQ(choices(forced.events.at(kV1), t)[0], 5);
        EXPECT_FALSE(chose(banned.events.at(kV1), t, 0) || chose(banned.events.at(kV1), t, 1));
    }
}

TEST(Interventions, ASharedPoolTellsPatchesFromWords) {
    config::RunConfig config = configured();
    config.moe.pool = "shared";
    Fixture f(config);
    const Told before = f.run();
    const Told after = f.under({wish(Kind::kBan, 0, Branch::kAll, {0, 1, 2}, 0, {Modality::kText, {}})});
    const RoutingEvent &was = before.events.at(0), &is = after.events.at(0);
    const std::int64_t patches = 5 * 9;  // of two pictures and three pairs, before all words
    ASSERT_GT(tokensOf(was), patches);
    for (std::int64_t t = 0; t < tokensOf(was); ++t) {
        if (t < patches) EXPECT_EQ(choices(was, t), choices(is, t));
        else EXPECT_TRUE(asSet(choices(is, t))[0] >= 3);
    }
}

TEST(Interventions, EachRefusalSaysWhyAndWhatIsAllowed) {
    Fixture f;
    const auto refused = [](Fixture& fixture, const std::vector<Intervention>& wishes, const char* why, const char* remedy) {
        const auto got = fixture.plan(wishes);
        ASSERT_FALSE(got) << why;
        EXPECT_THAT(got.error().why, testing::HasSubstr(why));
        EXPECT_THAT(got.error().remedy, testing::HasSubstr(remedy));
        EXPECT_EQ(got.error().kind, ErrorKind::kWrongCall);
    };
    refused(f, {ban(2, {0})}, "no experts in layer 2", "0.v, 0.t, 1.v, 1.t");
    refused(f, {wish(Kind::kBan, -1, Branch::kVisionLanguage, {0})}, "branch vl", "0.v");
    refused(f, {ban(1, {6})}, "no expert 6", "0 to 5");
    refused(f, {ban(1, {1, 1})}, "named twice", "once");
    refused(f, {ban(1, {})}, "no expert is named", "0 to 5");
    refused(f, {wish(Kind::kSwap, 1, Branch::kVision, {1})}, "takes two", "two");
    refused(f, {ban(1, {0, 1, 2, 3, 4})}, "would have 1 experts left to choose 2", "--k");
    refused(f, {ban(1, {0, 1, 2}), wish(Kind::kDropBest, 1, Branch::kVision, {}, 2)}, "would have 1 experts", "Leave more");
    refused(f, {wish(Kind::kOtherK, 1, Branch::kVision, {}, 7)}, "7 of the 6 experts", "1 to 6");
    refused(f, {wish(Kind::kOtherK, 1, Branch::kVision, {}, 0)}, "0 of the 6 experts", "1 to 6");
    refused(f, {wish(Kind::kDropBest, 1, Branch::kVision, {}, 6)}, "6 best of the 6", "1 to 5");
    refused(f, {wish(Kind::kForce, 1, Branch::kVision, {0, 1, 2})}, "3 experts are forced", "Force fewer");
    refused(f, {ban(1, {3}), wish(Kind::kForce, 1, Branch::kVision, {3})}, "both banned and forced", "Drop one");
    refused(f, {ban(1, {3}, {Modality::kText, {}})}, "1.v takes no words", "other branch");
    refused(f, {ban(1, {3}, {Modality::kVision, {9}})}, "no patch 9", "0 to 8");
    // With fewer choices, fewer experts may be left.
    EXPECT_TRUE(f.plan({ban(1, {0, 1, 2, 3, 4}), wish(Kind::kOtherK, 1, Branch::kVision, {}, 1)}));

    config::RunConfig dense = configured();
    dense.model.ffn = "dense";
    Fixture plain(dense);
    refused(plain, {ban(1, {0})}, "dense", "sparse");
    Fixture hash(configured("hash")), random(configured("random"));
    for (Fixture* fixture : {&hash, &random}) {
        refused(*fixture, {ban(1, {0})}, "no logits to choose by", "Silence");
        EXPECT_TRUE(fixture->plan({wish(Kind::kSilence, 1, Branch::kVision, {0})}));
    }
    config::RunConfig mixing = configured("soft");
    mixing.moe.slots = 2;
    Fixture soft(mixing);
    refused(soft, {wish(Kind::kSilence, 1, Branch::kVision, {0})}, "chooses none", "Choose a run");
    Fixture limited(configured("group_limited"));
    refused(limited, {ban(1, {1, 3}), wish(Kind::kOtherK, 1, Branch::kVision, {}, 3)}, "would have 2 experts in 2 groups", "Leave more");
    EXPECT_TRUE(limited.plan({ban(1, {0, 1, 2, 3})})) << "a group is left";
    refused(limited, {wish(Kind::kForce, 1, Branch::kVision, {0, 2, 4}), wish(Kind::kOtherK, 1, Branch::kVision, {}, 3)}, "lie in 3 groups", "fewer groups");
    refused(limited, {wish(Kind::kOtherK, 1, Branch::kVision, {}, 5)}, "would have 4 experts", "choose fewer");
    Fixture uneven(configured("top_p"));
    refused(uneven, {wish(Kind::kForce, 1, Branch::kVision, {0, 1})}, "which may be one", "Force one");
}

}  // namespace
}  // namespace es::engine
