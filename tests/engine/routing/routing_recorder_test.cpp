// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/routing/routing_recorder.h"

#include <gtest/gtest.h>

#include <cmath>

namespace es::engine {
namespace {

/// Two texts of three words, the second with one word of padding; five routed tokens, two experts, the first expert twice as likely.
struct Planted {
    Batch batch;
    RoutingEvent event;
    Planted() {
        batch.text_samples = {7, 9};
        batch.texts =
            TextStream{at::tensor({10, 11, 12, 20, 21, 0}, at::kLong).reshape({2, 3}), at::tensor({0, 1, 0, 1, 0, 0}, at::kInt).to(at::kBool).reshape({2, 3}),
                       at::tensor({1, 1, 1, 1, 1, 0}, at::kInt).to(at::kBool).reshape({2, 3})};
        event.router = RouterId(0);
        event.layer = LayerIndex(1);
        event.branch = Branch::kText;
        event.logits_TE = at::tensor({std::log(2.0f), 0.0f}).repeat({5, 1});
        event.probs_TE = at::softmax(event.logits_TE, 1);
        event.indices_TK = at::zeros({5, 1}, at::kLong);
        event.weights_TK = event.probs_TE.slice(1, 0, 1).contiguous();
        event.counts_E = at::tensor({5, 0}, at::kLong);
        event.rows_T = at::tensor({0, 1, 2, 3, 4}, at::kLong);
        event.blocks = {{Objective::kText, Modality::kText, 2, 3}};
    }
};

store::RouterInfo router() {
    store::RouterInfo info;
    info.id = RouterId(0);
    info.layer = LayerIndex(1);
    info.branch = Branch::kText;
    info.kind = "softmax_topk";
    info.experts = 2;
    info.k = 1;
    return info;
}

TEST(RoutingRecorder, LoadEqualsTheClosedForm) {
    Planted planted;
    RoutingRecorder recorder({router()}, [](std::int64_t sample) { return static_cast<std::uint64_t>(sample); });
    recorder.begin(4, planted.batch, {.load = true});
    EXPECT_TRUE(recorder.wants(LayerIndex(1), 4));
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    ASSERT_EQ(got.load.size(), 1u);
    const auto& load = got.load.front();
    EXPECT_EQ(load.step, 4);
    EXPECT_EQ(load.modality, Modality::kText);
    EXPECT_EQ(load.tokens, 5);
    EXPECT_EQ(load.counts_E, (std::vector<std::uint32_t>{5, 0}));
    EXPECT_NEAR(load.mass_E[0], 5 * 2.0 / 3, 1e-5);
    EXPECT_NEAR(load.entropy_nats, -(2.0 / 3 * std::log(2.0 / 3) + 1.0 / 3 * std::log(1.0 / 3)), 1e-5);
    EXPECT_NEAR(load.top1, 2.0 / 3, 1e-6);
    EXPECT_NEAR(load.logsumexp, std::log(3.0), 1e-6);
    EXPECT_NEAR(load.max_abs_logit, std::log(2.0), 1e-6);
    ASSERT_EQ(got.statistics.size(), 1u);
    EXPECT_NEAR(got.statistics.front().max_vio, 1, 1e-9);
    EXPECT_NEAR(got.statistics.front().mean_gate, 2.0 / 3, 1e-6);
    EXPECT_EQ(got.statistics.front().dead_experts, 1);
    EXPECT_EQ(got.statistics.front().dropped_share, 0);
    EXPECT_TRUE(got.tables.empty());
}

TEST(RoutingRecorder, TablesNameEveryToken) {
    Planted planted;
    RoutingRecorder recorder({router()}, [](std::int64_t sample) { return static_cast<std::uint64_t>(100 + sample); });
    recorder.begin(4, planted.batch, {.tables = true, .probabilities = true});
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    EXPECT_TRUE(got.load.empty());
    ASSERT_EQ(got.tables.size(), 1u);
    const auto& table = got.tables.front();
    EXPECT_EQ(table.tokens, 5);
    EXPECT_EQ(table.sample_T, (std::vector<std::uint64_t>{107, 107, 107, 109, 109}));
    EXPECT_EQ(table.position_T, (std::vector<std::uint16_t>{0, 1, 2, 0, 1}));
    EXPECT_EQ(table.token_id_T, (std::vector<std::int32_t>{10, 11, 12, 20, 21}));
    EXPECT_EQ(table.masked_T, (std::vector<std::uint8_t>{0, 1, 0, 1, 0}));
    EXPECT_EQ(table.objective_T, std::vector<Objective>(5, Objective::kText));
    EXPECT_EQ(table.probs_TE.size(), 10u);
    EXPECT_NEAR(table.boundary_margin_T[0], 1.0 / 3, 1e-6);
}

TEST(RoutingRecorder, DroppedChoicesAreCountedAndKeptInTheTable) {
    Planted planted;
    planted.event.kept_TK = at::tensor({1, 0, 1, 1, 0}, at::kByte).to(at::kBool).view({5, 1});
    RoutingRecorder recorder({router()}, [](std::int64_t) { return std::uint64_t{0}; });
    recorder.begin(1, planted.batch, {.load = true, .tables = true});
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    EXPECT_EQ(got.load.front().dropped, 2u);
    EXPECT_EQ(got.load.front().counts_E, (std::vector<std::uint32_t>{5, 0}));  // counts are of choices, dropped ones too
    EXPECT_NEAR(got.statistics.front().dropped_share, 0.4, 1e-12);
    EXPECT_EQ(got.tables.front().kept, (std::vector<std::uint8_t>{1, 0, 1, 1, 0}));
}

TEST(RoutingRecorder, PlacesAreAskedForWithDistributionsAlone) {
    Planted planted;
    RoutingRecorder recorder({router()}, [](std::int64_t) { return std::uint64_t{0}; });
    recorder.begin(1, planted.batch, {.load = true, .tables = true});
    EXPECT_FALSE(recorder.wantsPlaces());
    recorder.begin(1, planted.batch, {.tables = true, .probabilities = true});
    EXPECT_TRUE(recorder.wantsPlaces());
    planted.event.place_TK = at::tensor({0, 1, 2, 3, 4}, at::kLong).view({5, 1});
    planted.event.slots_T = at::full({5}, 3, at::kLong);
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    EXPECT_EQ(got.tables.front().place, (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(got.tables.front().slots_T, std::vector<std::uint32_t>(5, 3));
}

TEST(RoutingRecorder, TokensWithFewerChoicesAreRagged) {
    Planted planted;
    planted.event.indices_TK = at::tensor({0, 1, 0, -1, 1, 0, 0, -1, 0, -1}, at::kLong).view({5, 2});
    planted.event.weights_TK = at::tensor({0.75f, 0.25f, 0.75f, 0.0f, 0.5f, 0.5f, 0.75f, 0.0f, 0.75f, 0.0f}).view({5, 2});
    store::RouterInfo info = router();
    info.k = 2;
    info.layout = store::RoutingLayout::kRagged;
    RoutingRecorder recorder({info}, [](std::int64_t) { return std::uint64_t{0}; });
    recorder.begin(1, planted.batch, {.load = true, .tables = true});
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    EXPECT_EQ(got.load.front().counts_E, (std::vector<std::uint32_t>{5, 2}));
    EXPECT_NEAR(got.statistics.front().max_vio, 5.0 * 2 / 7 - 1, 1e-9);
    EXPECT_NEAR(got.statistics.front().mean_gate, (4 * 0.75 + 0.25 + 2 * 0.5) / 7, 1e-6);
    const auto& table = got.tables.front();
    EXPECT_EQ(table.offsets, (std::vector<std::int64_t>{0, 2, 3, 5, 6, 7}));
    EXPECT_EQ(table.expert_ids, (std::vector<std::uint16_t>{0, 1, 0, 1, 0, 0, 0}));
    EXPECT_EQ(table.gates, (std::vector<float>{0.75f, 0.25f, 0.75f, 0.5f, 0.5f, 0.75f, 0.75f}));
    EXPECT_NEAR(table.boundary_margin_T[0], 1.0 / 3, 1e-6);  // both are chosen: the next is 0
    EXPECT_NEAR(table.boundary_margin_T[1], 2.0 / 3 - 1.0 / 3, 1e-6);
}

TEST(RoutingRecorder, WeightsWithoutChoicesAreDenseMass) {
    Planted planted;
    planted.event.indices_TK = planted.event.counts_E = at::Tensor();
    planted.event.probs_TE = at::tensor({0.75f, 0.25f}).repeat({5, 1});
    planted.event.logits_TE = planted.event.probs_TE.log();
    planted.event.weights_TK = planted.event.probs_TE;
    store::RouterInfo info = router();
    info.k = 0;
    info.layout = store::RoutingLayout::kDenseMass;
    RoutingRecorder recorder({info}, [](std::int64_t) { return std::uint64_t{0}; });
    recorder.begin(1, planted.batch, {.load = true, .tables = true, .probabilities = true});
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    EXPECT_EQ(got.load.front().counts_E, (std::vector<std::uint32_t>{0, 0}));
    EXPECT_NEAR(got.load.front().mass_E[0], 3.75, 1e-6);
    EXPECT_NEAR(got.load.front().logsumexp, 0, 1e-6);
    EXPECT_EQ(store::expertLoad(info, got.load.front()), (std::vector<double>{3.75, 1.25}));
    EXPECT_NEAR(got.statistics.front().max_vio, 0.5, 1e-6);
    EXPECT_NEAR(got.statistics.front().mean_gate, 0.5, 1e-6);
    EXPECT_EQ(got.statistics.front().dead_experts, 0);
    EXPECT_EQ(got.statistics.front().dropped_share, 0);
    const auto& table = got.tables.front();
    EXPECT_TRUE(table.expert_ids.empty() && table.offsets.empty() && table.boundary_margin_T.empty());
    EXPECT_EQ(table.gates, (std::vector<float>{0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f}));
    EXPECT_NEAR(table.entropy_nats_T[4], -(0.75 * std::log(0.75) + 0.25 * std::log(0.25)), 1e-6);
}

TEST(RoutingRecorder, ARouterOfBothModalitiesNamesEachTokenByItsOwn) {
    Planted planted;
    // Two patches of one picture of a pair, then its word, then the texts as before.
    const at::Tensor none = at::zeros({1, 2}, at::kBool);
    planted.batch.pair_samples = {5};
    planted.batch.pair_images = ImageStream{at::zeros({1, 2, 3}), at::zeros({1, 2, 3}), none, none};
    planted.batch.pair_texts = TextStream{at::tensor({30, 0}, at::kLong).view({1, 2}), none, at::tensor({1, 0}, at::kInt).to(at::kBool).view({1, 2})};
    planted.event.branch = Branch::kAll;
    planted.event.blocks = {
        {Objective::kPairImage, Modality::kVision, 1, 2}, {Objective::kPairText, Modality::kText, 1, 2}, {Objective::kText, Modality::kText, 2, 3}};
    planted.event.rows_T = at::tensor({0, 1, 2, 4, 5, 6, 7, 8}, at::kLong);
    planted.event.logits_TE = planted.event.logits_TE.narrow(0, 0, 1).repeat({8, 1});
    planted.event.probs_TE = planted.event.logits_TE.softmax(1);
    planted.event.indices_TK = at::tensor({1, 1, 0, 0, 0, 0, 0, 1}, at::kLong).view({8, 1});
    planted.event.weights_TK = planted.event.probs_TE.gather(1, planted.event.indices_TK);
    store::RouterInfo info = router();
    info.branch = Branch::kAll;
    RoutingRecorder recorder({info}, [](std::int64_t sample) { return static_cast<std::uint64_t>(sample); });
    recorder.begin(1, planted.batch, {.load = true, .tables = true});
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    ASSERT_EQ(got.load.size(), 2u);
    EXPECT_EQ(got.load[0].modality, Modality::kVision);
    EXPECT_EQ(got.load[0].counts_E, (std::vector<std::uint32_t>{0, 2}));
    EXPECT_EQ(got.load[1].modality, Modality::kText);
    EXPECT_EQ(got.load[1].counts_E, (std::vector<std::uint32_t>{5, 1}));
    EXPECT_NEAR(got.statistics.front().max_vio, 5.0 * 2 / 8 - 1, 1e-9);  // of both modalities together
    const auto& table = got.tables.front();
    EXPECT_EQ(table.sample_T, (std::vector<std::uint64_t>{5, 5, 5, 7, 7, 7, 9, 9}));
    EXPECT_EQ(table.position_T, (std::vector<std::uint16_t>{0, 1, 0, 0, 1, 2, 0, 1}));
    EXPECT_EQ(table.token_id_T, (std::vector<std::int32_t>{-1, -1, 30, 10, 11, 12, 20, 21}));
    EXPECT_EQ(table.modality_T[1], Modality::kVision);
    EXPECT_EQ(table.modality_T[2], Modality::kText);
}

TEST(RoutingRecorder, FiguresOfScoresThatAreNoSoftmaxFollowTheirDefinitions) {
    Planted planted;
    planted.event.softmax = false;
    planted.event.logits_TE = at::zeros({5, 2});
    planted.event.probs_TE = at::tensor({1.0f, 0.0f}).repeat({5, 1});  // a hash router's
    RoutingRecorder recorder({router()}, [](std::int64_t) { return std::uint64_t{0}; });
    recorder.begin(1, planted.batch, {.load = true, .tables = true});
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    EXPECT_EQ(got.load.front().entropy_nats, 0);
    EXPECT_NEAR(got.load.front().logsumexp, std::log(2.0), 1e-6);
    EXPECT_EQ(got.load.front().top1, 1);
    EXPECT_EQ(got.tables.front().entropy_nats_T[0], 0);
}

TEST(RoutingRecorder, RoutersWithoutTokensAndWithoutWishes) {
    Planted planted;
    planted.event.logits_TE = at::empty({0, 2});
    planted.event.probs_TE = at::empty({0, 2});
    planted.event.indices_TK = at::empty({0, 1}, at::kLong);
    planted.event.weights_TK = at::empty({0, 1});
    planted.event.rows_T = at::empty({0}, at::kLong);
    RoutingRecorder recorder({router()}, [](std::int64_t) { return std::uint64_t{0}; });
    recorder.begin(1, planted.batch, {.load = true, .tables = true});
    recorder.onRouting(planted.event);
    const auto got = recorder.take();
    ASSERT_EQ(got.load.size(), 1u);
    EXPECT_EQ(got.load.front().tokens, 0);
    EXPECT_TRUE(std::isnan(got.statistics.front().max_vio));
    EXPECT_EQ(got.tables.front().tokens, 0);
    recorder.begin(2, planted.batch, {});
    EXPECT_FALSE(recorder.wants(LayerIndex(1), 2));
}

TEST(RoutingRecorder, LogitsThatAreNotFiniteShow) {
    Planted planted;
    planted.event.logits_TE[3][1] = std::nanf("");
    RoutingRecorder recorder({router()}, [](std::int64_t) { return std::uint64_t{0}; });
    recorder.begin(1, planted.batch, {.load = true});
    recorder.onRouting(planted.event);
    EXPECT_TRUE(std::isnan(recorder.take().load.front().max_abs_logit));
}

}  // namespace
}  // namespace es::engine
