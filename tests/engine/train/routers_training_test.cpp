// SPDX-License-Identifier: GPL-3.0-or-later
// Every router by name through a whole run: trained, recorded in its layout, read back, resumed to the same bits.
#include <cmath>

#include "engine/model/router.h"
#include "engine/store/routing_view.h"
#include "engine/store/run_reader.h"
#include "engine/train/safetensors.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

class RoutersTraining : public TrainingFixture, public testing::WithParamInterface<std::string> {
protected:
    static config::RunConfig routed() {
        config::RunConfig made = config();
        made.moe.router = GetParam();
        made.moe.k = GetParam() == "hash" ? 1 : 2;
        made.moe.groups = 2;
        made.moe.cosine_width = 4;
        return made;
    }
};

TEST_P(RoutersTraining, RecordsWhatItsRoutersDid) {
    ASSERT_GOOD(train("recorded-" + GetParam(), routed()));
    auto opened = store::RunReader::open(path("recorded-" + GetParam()));
    ASSERT_TRUE(opened) << opened.error().message();
    const auto& run = **opened;
    EXPECT_EQ(run.status().state, store::RunState::kFinished);
    EXPECT_EQ(run.scalars("train/loss")->non_finite, 0);
    ASSERT_EQ(run.routers().size(), 2u);
    const bool uneven = choosesUnevenly(GetParam());
    for (const auto& router : run.routers()) {
        EXPECT_EQ(router.kind, GetParam());
        EXPECT_EQ(router.layout, uneven ? store::RoutingLayout::kRagged : store::RoutingLayout::kFixedK);
        const auto load = *run.loadRecords(router.id);
        ASSERT_FALSE(load.empty());
        for (const auto& record : load) {
            double mass = 0;
            std::int64_t sum = 0;
            for (const float share : record.mass_E) mass += share;
            for (const auto count : record.counts_E) sum += count;
            EXPECT_NEAR(mass, static_cast<double>(record.tokens), 1e-3 * static_cast<double>(record.tokens));
            EXPECT_TRUE(std::isfinite(record.balance_loss) && std::isfinite(record.z_loss) && std::isfinite(record.entropy_nats));
            EXPECT_GE(record.balance_loss, 0);
            if (!uneven) {
                EXPECT_EQ(sum, record.tokens * router.k);
            }
            if (GetParam() == "top_p") {
                EXPECT_GE(sum, record.tokens);
                EXPECT_LE(sum, record.tokens * router.k);
            }
            if (GetParam() == "expert_choice") {
                for (const auto count : record.counts_E) EXPECT_EQ(count, record.counts_E[0]);
            }
        }
        // The trace of a step is the load of that step, token by token.
        const auto trace = *run.trace({router.id, 2, 2, std::nullopt, -1});
        const store::RoutingView view(trace);
        std::vector<std::uint32_t> counts(static_cast<std::size_t>(router.experts), 0);
        for (const auto expert : trace.expert_ids) ++counts[expert];
        for (const auto& record : load) {
            if (record.step == 2) {
                EXPECT_EQ(record.counts_E, counts);
                EXPECT_EQ(record.tokens, trace.tokens);
            }
        }
        if (uneven) {
            EXPECT_EQ(trace.offsets.size(), static_cast<std::size_t>(trace.tokens) + 1);
        }
        const auto probe = *run.probe({10, "trained"}, router.id);
        EXPECT_EQ(probe.probs_TE.size(), static_cast<std::size_t>(probe.tokens * router.experts));
    }
}

/// Routers that draw random numbers: the others have nothing that a stop could lose.
class DrawingRoutersTraining : public RoutersTraining {};

TEST_P(DrawingRoutersTraining, AResumedRunEqualsOneThatWasNotStopped) {
    ASSERT_GOOD(train("straight-" + GetParam(), routed()));
    ASSERT_FALSE(train("halved-" + GetParam(), routed(), {.stop_before = 8}));
    ASSERT_GOOD(train("halved-" + GetParam(), routed(), {.resume = true}));
    EXPECT_EQ(weights("straight-" + GetParam(), 10), weights("halved-" + GetParam(), 10));
    EXPECT_EQ(moments("straight-" + GetParam(), 10), moments("halved-" + GetParam(), 10));
}

TEST_F(TrainingFixture, TheBalancingBiasMovesAndIsResumed) {
    config::RunConfig biased = config();
    biased.moe.router = "sigmoid_topk";
    biased.moe.bias_rate = 0.01;
    ASSERT_GOOD(train("biased", biased));
    ASSERT_FALSE(train("biased-halved", biased, {.stop_before = 8}));
    ASSERT_GOOD(train("biased-halved", biased, {.resume = true}));
    EXPECT_EQ(weights("biased", 10), weights("biased-halved", 10));
    const auto file = readSafetensors(path("biased") / checkpointName(10) / "model.safetensors");
    ASSERT_TRUE(file);
    const at::Tensor bias = file->tensors.at("layers.1.v.moe.router.bias");
    EXPECT_GT(bias.abs().max().item<double>(), 0.005);
    EXPECT_LE(bias.abs().max().item<double>(), 0.1 + 1e-6);
}

INSTANTIATE_TEST_SUITE_P(All, DrawingRoutersTraining, testing::Values("noisy_topk", "random"), [](const auto& test) { return test.param; });
INSTANTIATE_TEST_SUITE_P(All, RoutersTraining, testing::ValuesIn(routerKinds()), [](const auto& test) { return test.param; });

}  // namespace
}  // namespace es::engine
