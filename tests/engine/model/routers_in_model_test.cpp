// SPDX-License-Identifier: GPL-3.0-or-later
// Each router by name within a whole tiny model.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "engine/config/config_io.h"
#include "engine/config/router_settings.h"
#include "engine/model/router.h"
#include "engine/model/vl_moe.h"
#include "tests/engine/model/gradient_check.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using test::randomBatch;
using test::tinyShape;

constexpr std::int64_t kPixels = 8;

DataShape smallShape() { return {24, kPixels, 4}; }

/// A router by name, or options of routers that change what a model computes.
struct Variant {
    std::string name;
    std::function<void(config::RunConfig&)> change;
};

std::vector<Variant> variants() {
    std::vector<Variant> all;
    for (const std::string& kind : routerKinds()) {
        all.push_back({kind, [kind](config::RunConfig& c) {
                           c.moe.router = kind;
                           if (kind == "hash" || kind == "base") c.moe.k = 1;
                       }});
    }
    all.push_back({"soft", [](config::RunConfig& c) {
                       c.moe.router = "soft";
                       c.moe.slots = 2;
                   }});
    all.push_back({"shared_pool", [](config::RunConfig& c) { c.moe.pool = "shared"; }});
    all.push_back({"shared_soft_pool", [](config::RunConfig& c) {
                       c.moe.pool = "shared";
                       c.moe.router = "soft";
                       c.moe.slots = 1;
                   }});
    all.push_back({"quantile_balance", [](config::RunConfig& c) { c.moe.quantile_balance = true; }});
    all.push_back({"input_jitter", [](config::RunConfig& c) { c.moe.input_jitter = 0.3; }});
    all.push_back({"overrides", [](config::RunConfig& c) {
                       c.moe.overrides = {"v experts=5 k=3 expert_width=7 router=sigmoid_topk loss.importance=0.4", "t router=cosine shared_experts=1"};
                   }});
    all.push_back({"every_loss", [](config::RunConfig& c) {
                       c.moe.router = "noisy_topk";
                       c.moe.pool = "shared";
                       c.loss.balance_unnormalized = c.loss.gshard = c.loss.importance = c.loss.load = 0.2;
                       c.loss.local_entropy = c.loss.global_entropy = c.loss.sequence_balance = 0.3;
                       c.loss.global_entropy_tau = 3;
                   }});
    return all;
}

/// Thousands of tiny passes: waking threads would cost more than they give.
class RoutersInModel : public ::testing::TestWithParam<Variant> {
protected:
    RoutersInModel() { at::set_num_threads(1); }
    ~RoutersInModel() override { at::set_num_threads(threads_); }

    static config::RunConfig config() {
        config::RunConfig made = test::tinyConfig();
        made.data.image_size = kPixels;
        made.data.max_words = 4;
        made.model.layers = 2;
        made.model.moe_layers = {0};
        made.model.ffn_width = 8;
        made.moe.expert_width = 6;
        made.moe.k = 2;
        made.moe.groups = 2;
        made.moe.cosine_width = 3;
        made.loss.balance = 0.3;
        made.loss.z = 0.1;
        GetParam().change(made);
        return made;
    }
    static Batch batch(std::uint64_t seed) { return randomBatch(config(), smallShape(), seed, {2, 2, 1}); }
    static bool soft() { return config().moe.router == "soft"; }
    static std::size_t routers() { return config().moe.pool == "shared" ? 1 : 2; }

private:
    int threads_ = at::get_num_threads();
};

class Collector : public RoutingObserver {
public:
    bool wants(LayerIndex, std::int64_t) override { return true; }
    void onRouting(const RoutingEvent& event) override { events.push_back(event); }
    std::vector<RoutingEvent> events;
};

std::vector<RoutingEvent> eventsOf(VlMoe& model, const Batch& batch, ForwardOptions options = {}) {
    const at::NoGradGuard no_grad;
    Collector collector;
    options.observer = &collector;
    (void)model.forward(batch, options);
    return collector.events;
}

TEST_P(RoutersInModel, IsAValidConfiguration) {
    const Status valid = config::validate(config());
    EXPECT_TRUE(valid) << valid.error().message();
}

TEST_P(RoutersInModel, GradientsAgreeWithDifferences) {
    VlMoe model(config(), smallShape(), 5);
    model.to(at::kDouble);
    const Batch one = batch(1);
    model.forward(one, {}).loss.backward();
    const auto loss = [&] {
        const at::NoGradGuard no_grad;
        return model.forward(one, {}).loss.item<double>();
    };
    for (const auto& item : model.named_parameters()) {
        // What lies behind the mixtures knows nothing of routers.
        if (!item.key().starts_with("embed.") && !item.key().starts_with("layers.0.")) continue;
        at::Tensor parameter = item.value().detach();
        parameter.mutable_grad() = item.value().grad();
        test::expectGradient(item.key(), parameter, loss, item.key().find(".router.") == std::string::npos ? 1 : 6);
    }
}

TEST_P(RoutersInModel, LearnsABatchByHeart) {
    VlMoe model(config(), smallShape(), 5);
    const Batch one = batch(10);
    double first = 0, last = 0;
    for (int step = 0; step < 25; ++step) {
        ForwardOptions options;
        options.step = step;
        const ModelOutput output = model.forward(one, options);
        output.loss.backward();
        last = output.loss.item<double>();
        if (step == 0) first = last;
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : model.parameters()) {
            if (!parameter.grad().defined()) continue;
            at::Tensor(parameter).sub_(parameter.grad(), 0.1);
            parameter.mutable_grad().reset();
        }
        model.balanceRouters(output);
    }
    EXPECT_LT(last, 0.9 * first);
}

TEST_P(RoutersInModel, AccountAndRouterTableSayWhatIsThere) {
    VlMoe model(config(), smallShape(), 5);
    std::int64_t all = 0;
    for (const at::Tensor& parameter : model.parameters()) all += parameter.numel();
    EXPECT_EQ(model.account().parameters_total, all);
    EXPECT_EQ(model.routers().size(), routers());
    const std::vector<RoutingEvent> events = eventsOf(model, batch(2));
    ASSERT_EQ(events.size(), routers());
    const std::vector<config::RouterSite> sites = config::routerSites(config());
    for (std::size_t i = 0; i < events.size(); ++i) {
        const store::RouterInfo& info = model.routers()[i];
        const config::MoeOptions moe = config::routerSettings(config(), sites[i]).moe;
        EXPECT_EQ(info.kind, moe.router);
        EXPECT_EQ(toString(info.branch), sites[i].branch);
        EXPECT_EQ(info.experts, events[i].probs_TE.size(1));
        EXPECT_EQ(info.layout, soft()                        ? store::RoutingLayout::kDenseMass
                               : choosesUnevenly(moe.router) ? store::RoutingLayout::kRagged
                                                             : store::RoutingLayout::kFixedK);
        if (info.layout == store::RoutingLayout::kFixedK) {
            EXPECT_EQ(info.k, events[i].indices_TK.size(1));
        }
        const at::Tensor drawn = model.drawRouterWeight(info.id, 7, 0);
        EXPECT_EQ(drawn.sizes(), (at::IntArrayRef{config::routerOutputs(moe), 16}));
        ForwardOptions replaced;
        replaced.router_weight_override[info.id.value] = drawn;
        EXPECT_EQ(eventsOf(model, batch(2), replaced).size(), routers());
    }
}

TEST_P(RoutersInModel, EventsCarryADistributionAndTheLoad) {
    VlMoe model(config(), smallShape(), 5);
    for (const RoutingEvent& event : eventsOf(model, batch(2))) {
        EXPECT_LE((event.probs_TE.sum(1) - 1).abs().max().item<double>(), 1e-5);
        EXPECT_TRUE(event.logits_TE.isfinite().all().item<bool>());
        std::int64_t rows = 0;
        for (const TokenBlock& block : event.blocks) rows += block.samples * block.per_sample;
        if (event.rows_T.defined()) {
            EXPECT_EQ(event.rows_T.size(0), event.logits_TE.size(0));
            EXPECT_LT(event.rows_T.max().item<std::int64_t>(), rows);
            EXPECT_TRUE(event.rows_T.diff().gt(0).all().item<bool>());
        } else {
            EXPECT_EQ(rows, event.logits_TE.size(0));
        }
        if (soft()) continue;
        EXPECT_EQ(event.counts_E.sum().item<std::int64_t>(), event.indices_TK.ge(0).sum().item<std::int64_t>());
    }
}

TEST_P(RoutersInModel, EvaluationIsTheSameEachTimeAndHasNoNoise) {
    VlMoe model(config(), smallShape(), 5);
    const Batch one = batch(3);
    ForwardOptions first, later;
    first.training = later.training = false;
    first.step = 10;
    later.step = 20;
    const auto a = eventsOf(model, one, first), again = eventsOf(model, one, first), b = eventsOf(model, one, later);
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_TRUE(at::equal(a[i].weights_TK, again[i].weights_TK));
        EXPECT_TRUE(at::equal(a[i].logits_TE, b[i].logits_TE));
        if (soft()) continue;
        EXPECT_TRUE(at::equal(a[i].indices_TK, again[i].indices_TK));
        EXPECT_EQ(at::equal(a[i].indices_TK, b[i].indices_TK), GetParam().name != "random");
    }
}

TEST_P(RoutersInModel, TheHiddenWordDoesNotSteerItsOwnRouting) {
    VlMoe model(config(), smallShape(), 5);
    Batch one = batch(4);
    const auto before = eventsOf(model, one);
    one.texts->ids_BL.add_(one.texts->masked_BL.to(at::kLong)).remainder_(smallShape().vocabulary);
    one.pair_texts->ids_BL.add_(one.pair_texts->masked_BL.to(at::kLong)).remainder_(smallShape().vocabulary);
    const auto after = eventsOf(model, one);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(before[i].weights_TK, after[i].weights_TK));
}

TEST_P(RoutersInModel, ABatchOfOneModalityJustWorks) {
    VlMoe model(config(), smallShape(), 5);
    for (const test::BatchSizes& sizes : {test::BatchSizes{2, 0, 0}, test::BatchSizes{0, 2, 0}}) {
        const ModelOutput output = model.forward(randomBatch(config(), smallShape(), 5, sizes), {});
        EXPECT_TRUE(std::isfinite(output.loss.item<double>()));
        EXPECT_EQ(output.routers.size(), soft() ? 0u : 1u);
    }
}

INSTANTIATE_TEST_SUITE_P(All, RoutersInModel, ::testing::ValuesIn(variants()), [](const auto& test) { return test.param.name; });

TEST(SharedPool, TheModalityReachesTheRouterButNotTheExperts) {
    config::RunConfig config = test::tinyConfig();
    config.moe.pool = "shared";
    config.moe.k = 4;
    config.moe.router = "topk_softmax";
    VlMoe model(config, tinyShape(), 5);
    const at::NoGradGuard no_grad;
    const Batch batch = randomBatch(config, tinyShape(), 6);
    const auto before = eventsOf(model, batch);
    auto parameters = model.named_parameters();
    // Equal logits for all experts whatever the input: the embedding then changes nothing, as it must where only the router sees it.
    for (const char* layer : {"layers.0.all.moe.router.", "layers.1.all.moe.router."}) parameters[std::string(layer) + "weight"].zero_();
    const double loss = model.forward(batch, {}).loss.item<double>();
    for (const char* layer : {"layers.0.all.moe.router.", "layers.1.all.moe.router."}) parameters[std::string(layer) + "modality"].add_(3);
    EXPECT_EQ(model.forward(batch, {}).loss.item<double>(), loss);
    // With weights it steers.
    VlMoe other(config, tinyShape(), 5);
    auto steered = other.named_parameters();
    steered["layers.0.all.moe.router.modality"][1].add_(at::randn({16}));
    const auto after = eventsOf(other, batch);
    const std::int64_t patches = (2 + 2) * 9;
    const at::Tensor difference = (after[0].logits_TE - before[0].logits_TE).abs().sum(1);
    EXPECT_EQ(difference.narrow(0, 0, patches).max().item<double>(), 0);
    EXPECT_GT(difference.narrow(0, patches, difference.size(0) - patches).min().item<double>(), 1e-3);
}

TEST(HashRouter, TheSameWordGoesToTheSameExpertInEveryLayer) {
    config::RunConfig config = test::tinyConfig();
    config.moe.router = "hash";
    config.moe.k = 1;
    VlMoe model(config, tinyShape(), 5);
    Batch batch = randomBatch(config, tinyShape(), 6, {0, 4, 0});
    batch.texts->masked_BL.zero_();
    batch.texts->masked_BL[0][0].fill_(true);
    batch.texts->ids_BL.fill_(7);
    const auto events = eventsOf(model, batch);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_TRUE(at::equal(events[0].indices_TK, events[1].indices_TK));
    const at::Tensor shown = events[0].indices_TK.narrow(0, 1, events[0].indices_TK.size(0) - 1);  // all words but the hidden first
    EXPECT_TRUE(shown.eq(shown[0][0]).all().item<bool>());
    const at::Tensor expected = hashChoice(at::tensor({24, 7}, at::kLong), at::tensor({0, 1}, at::kLong), 4);  // the mask token, the word
    EXPECT_TRUE(at::equal(events[0].indices_TK.narrow(0, 0, 2), expected));
}

}  // namespace
}  // namespace es::engine
