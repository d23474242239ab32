// SPDX-License-Identifier: GPL-3.0-or-later
// Every router by name, and every option of routers, through a whole run: trained, recorded in its layout, read back, resumed to the same bits.
#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/config/router_settings.h"
#include "engine/model/router.h"
#include "engine/store/routing_view.h"
#include "engine/store/run_reader.h"
#include "engine/train/safetensors.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

struct Variant {
    std::string name;
    std::function<void(config::RunConfig&)> change;
};

void everyLoss(config::RunConfig& c) {
    c.moe.router = "noisy_topk";
    c.loss.balance_unnormalized = c.loss.gshard = c.loss.importance = c.loss.load = 0.01;
    c.loss.local_entropy = c.loss.global_entropy = c.loss.sequence_balance = 0.01;
    c.loss.balance_over = "global_batch";
    c.loss.router_schedule = "cosine";
    c.loss.router_start = 2;
}

std::vector<Variant> allVariants() {
    std::vector<Variant> all;
    for (const std::string& kind : routerKinds()) {
        const auto routed = [kind](config::RunConfig& c) {
            c.moe.router = kind;
            if (kind == "hash" || kind == "base") c.moe.k = 1;
        };
        all.push_back({kind, routed});
        if (kind == "expert_choice") continue;  // its experts have a capacity of their own
        all.push_back({kind + "_capacity", [routed, kind](config::RunConfig& c) {
                           routed(c);
                           c.moe.dispatch = "capacity";
                           c.moe.capacity_factor = 0.75;
                           if (kind == "sigmoid_topk" || kind == "random") c.moe.capacity_policy = "batch_priority";
                       }});
    }
    all.push_back({"soft", [](config::RunConfig& c) { c.moe.router = "soft"; }});
    all.push_back({"shared_pool", [](config::RunConfig& c) { c.moe.pool = "shared"; }});
    all.push_back({"shared_soft_pool", [](config::RunConfig& c) {
                       c.moe.pool = "shared";
                       c.moe.router = "soft";
                   }});
    all.push_back({"quantile_balance", [](config::RunConfig& c) {
                       c.moe.quantile_balance = true;
                       c.moe.quantile_ema = 0.5;
                   }});
    all.push_back({"input_jitter", [](config::RunConfig& c) { c.moe.input_jitter = 0.1; }});
    all.push_back({"overrides", [](config::RunConfig& c) { c.moe.overrides = {"v experts=6 k=3 router=sigmoid_topk", "t router=soft experts=3 slots=2"}; }});
    all.push_back({"every_loss", everyLoss});
    all.push_back({"accumulated", [](config::RunConfig& c) {
                       everyLoss(c);
                       c.train.accumulate = 2;
                       c.moe.input_jitter = 0.1;
                       c.moe.overrides = {"t router=sigmoid_topk quantile_balance=true loss.load=0"};
                   }});
    return all;
}

class RoutersTraining : public TrainingFixture, public testing::WithParamInterface<Variant> {
protected:
    static config::RunConfig routed() {
        config::RunConfig made = config();
        made.moe.k = 2;
        made.moe.groups = 2;
        made.moe.cosine_width = 4;
        GetParam().change(made);
        return made;
    }
    static const std::string& name() { return GetParam().name; }
};

void expectLoad(const store::LoadRecord& record, const store::RouterInfo& router) {
    double mass = 0;
    std::int64_t sum = 0;
    for (const float share : record.mass_E) mass += share;
    for (const auto count : record.counts_E) sum += count;
    EXPECT_NEAR(mass, static_cast<double>(record.tokens), 1e-3 * static_cast<double>(record.tokens));
    EXPECT_TRUE(std::isfinite(record.entropy_nats) && std::isfinite(record.logsumexp));
    EXPECT_EQ(record.counts_E.size(), static_cast<std::size_t>(router.experts));
    if (router.layout == store::RoutingLayout::kDenseMass) {
        EXPECT_TRUE(std::isnan(record.balance_loss) && std::isnan(record.z_loss));
        EXPECT_EQ(sum, 0);
        return;
    }
    EXPECT_TRUE(std::isfinite(record.balance_loss) && std::isfinite(record.z_loss));
    EXPECT_GE(record.balance_loss, 0);
    if (router.layout == store::RoutingLayout::kFixedK) {
        EXPECT_EQ(sum, record.tokens * router.k);
    }
    if (router.kind == "top_p") {
        EXPECT_GE(sum, record.tokens);
        EXPECT_LE(sum, record.tokens * router.k);
    }
    if (router.kind == "expert_choice") {
        for (const auto count : record.counts_E) EXPECT_EQ(count, record.counts_E[0]);
    }
}

TEST_P(RoutersTraining, RecordsWhatItsRoutersDid) {
    config::RunConfig made = routed();
    made.train.evaluate_every = made.train.checkpoint_every = 0;  // at the end alone
    made.record.probe_random_routers = 1;
    ASSERT_GOOD(train("recorded-" + name(), made));
    auto opened = store::RunReader::open(path("recorded-" + name()));
    ASSERT_TRUE(opened) << opened.error().message();
    const auto& run = **opened;
    EXPECT_EQ(run.status().state, store::RunState::kFinished);
    EXPECT_EQ(run.scalars("train/loss")->non_finite, 0);
    const std::vector<config::RouterSite> sites = config::routerSites(routed());
    ASSERT_EQ(run.routers().size(), sites.size());
    for (std::size_t i = 0; i < sites.size(); ++i) {
        const store::RouterInfo router = run.routers()[i];
        const config::MoeOptions moe = config::routerSettings(routed(), sites[i]).moe;
        EXPECT_EQ(router.kind, moe.router);
        EXPECT_EQ(router.experts, moe.experts);
        EXPECT_EQ(toString(router.branch), sites[i].branch);
        const bool uneven = choosesUnevenly(router.kind), soft = isSoft(router.kind);
        EXPECT_EQ(router.layout, soft ? store::RoutingLayout::kDenseMass : uneven ? store::RoutingLayout::kRagged : store::RoutingLayout::kFixedK);
        const auto load = *run.loadRecords(router.id);
        ASSERT_FALSE(load.empty());
        for (const auto& record : load) expectLoad(record, router);
        // The trace of a step is the load of that step, token by token.
        const auto trace = *run.trace({router.id, 2, 2, std::nullopt, -1});
        std::vector<double> loads(static_cast<std::size_t>(router.experts), 0), recorded(loads);
        std::int64_t tokens = 0, dropped = 0, lost = 0;
        store::RoutingView(trace).forEachAssignment([&](std::int64_t, ExpertIndex expert, float mass, bool kept) {
            loads[static_cast<std::size_t>(expert.value)] += soft ? mass : 1;
            lost += kept ? 0 : 1;
        });
        for (const auto& record : load) {
            if (record.step != 2) continue;
            const std::vector<double> more = store::expertLoad(router, record);
            for (std::size_t e = 0; e < recorded.size(); ++e) recorded[e] += more[e];
            tokens += record.tokens;
            dropped += record.dropped;
        }
        for (std::size_t e = 0; e < loads.size(); ++e)
            EXPECT_NEAR(loads[e], recorded[e], soft ? 2e-3 * static_cast<double>(tokens) : 0) << e;  // gates are fp16
        EXPECT_EQ(tokens, trace.tokens);
        EXPECT_EQ(lost, dropped);
        if (moe.dispatch == "capacity") {
            EXPECT_GT(dropped, 0);
        }
        if (uneven) {
            EXPECT_EQ(trace.offsets.size(), static_cast<std::size_t>(trace.tokens) + 1);
        }
        const auto probe = *run.probe({10, "trained"}, router.id);
        EXPECT_EQ(probe.probs_TE.size(), static_cast<std::size_t>(probe.tokens * router.experts));
        EXPECT_EQ(std::ranges::count(probe.modality_T, Modality::kVision) > 0, router.branch != Branch::kText);
        EXPECT_EQ(std::ranges::count(probe.modality_T, Modality::kText) > 0, router.branch != Branch::kVision);
        EXPECT_GT(run.probe({10, "random-router-0"}, router.id)->tokens, 0);
        const bool limited = moe.dispatch == "capacity" && !soft;
        EXPECT_EQ(probe.slots_T.size(), limited ? static_cast<std::size_t>(probe.tokens) : 0);
        std::size_t place = 0;
        if (limited)
            store::RoutingView(probe).forEachAssignment([&](std::int64_t token, ExpertIndex, float, bool kept) {
                EXPECT_EQ(probe.place.at(place++) < probe.slots_T[static_cast<std::size_t>(token)], kept) << token;
            });
        if (!soft) {
            const std::string scalar = "train/balance/l" + std::to_string(router.layer.value) + "." + std::string(toString(router.branch));
            EXPECT_EQ(run.scalars(scalar)->points, 10) << scalar;
        }
    }
}

/// Routers that draw random numbers or keep a state: the others have nothing that a stop could lose.
class StatefulRoutersTraining : public RoutersTraining {};

TEST_P(StatefulRoutersTraining, AResumedRunEqualsOneThatWasNotStopped) {
    ASSERT_GOOD(train("straight-" + name(), routed()));
    ASSERT_FALSE(train("halved-" + name(), routed(), {.stop_before = 8}));
    ASSERT_GOOD(train("halved-" + name(), routed(), {.resume = true}));
    EXPECT_EQ(weights("straight-" + name(), 10), weights("halved-" + name(), 10));
    EXPECT_EQ(moments("straight-" + name(), 10), moments("halved-" + name(), 10));
}

TEST_F(TrainingFixture, EveryLossIsLoggedUnscaledForEachRouter) {
    config::RunConfig made = config();
    made.moe.k = 2;
    everyLoss(made);
    made.loss.router_schedule = "linear";
    made.moe.overrides = {"t loss.importance=0 loss.load=0"};
    ASSERT_GOOD(train("logged", made));
    auto opened = store::RunReader::open(path("logged"));
    ASSERT_TRUE(opened);
    for (const char* loss : {"balance", "z", "balance_unnormalized", "gshard", "importance", "load", "local_entropy", "global_entropy", "sequence_balance"}) {
        for (const char* router : {"l1.v", "l1.t"}) {
            const bool left_out = router == std::string("l1.t") && (loss == std::string("importance") || loss == std::string("load"));
            const auto series = (*opened)->scalars("train/" + std::string(loss) + "/" + router);
            ASSERT_TRUE(series);
            EXPECT_EQ(series->points, left_out ? 0 : 10) << loss << " " << router;
            EXPECT_EQ(series->non_finite, 0) << loss << " " << router;
        }
    }
    // The weight falls to 0 at the last step, the logged value does not.
    const auto balance = (*opened)->loadRecords(RouterId(0), 10, 10);
    ASSERT_TRUE(balance && !balance->empty());
    EXPECT_GT(balance->front().balance_loss, 0.5);
}

TEST_F(TrainingFixture, QuantilesMoveOnceAStepAndAreInTheCheckpoint) {
    config::RunConfig made = config();
    made.moe.quantile_balance = true;
    ASSERT_GOOD(train("quantiles", made));
    const auto early = readSafetensors(path("quantiles") / checkpointName(5) / "model.safetensors"),
               late = readSafetensors(path("quantiles") / checkpointName(10) / "model.safetensors");
    ASSERT_TRUE(early && late);
    const at::Tensor before = early->tensors.at("layers.1.v.moe.router.quantile"), after = late->tensors.at("layers.1.v.moe.router.quantile");
    EXPECT_GT(before.abs().max().item<double>(), 0);
    EXPECT_FALSE(at::equal(before, after));
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

std::vector<Variant> statefulVariants() {
    std::vector<Variant> some;
    for (const Variant& variant : allVariants())
        for (const char* name : {"noisy_topk", "random", "quantile_balance", "input_jitter", "soft", "shared_pool", "overrides", "every_loss", "accumulated"})
            if (variant.name == name) some.push_back(variant);
    return some;
}

INSTANTIATE_TEST_SUITE_P(All, StatefulRoutersTraining, testing::ValuesIn(statefulVariants()), [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(All, RoutersTraining, testing::ValuesIn(allVariants()), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace es::engine
