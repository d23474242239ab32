// SPDX-License-Identifier: GPL-3.0-or-later
// Each router by name within a whole tiny model.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "engine/model/router.h"
#include "engine/model/vl_moe.h"
#include "tests/engine/model/gradient_check.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using test::randomBatch;
using test::tinyShape;

/// Thousands of tiny passes: waking threads would cost more than they give.
class RoutersInModel : public ::testing::TestWithParam<std::string> {
protected:
    RoutersInModel() { at::set_num_threads(1); }
    ~RoutersInModel() override { at::set_num_threads(threads_); }

    static config::RunConfig config() {
        config::RunConfig made = test::tinyConfig();
        made.moe.router = GetParam();
        made.moe.k = GetParam() == "hash" ? 1 : 2;
        made.moe.groups = 2;
        made.moe.cosine_width = 3;
        made.loss.balance = 0.3;
        made.loss.z = 0.1;
        return made;
    }

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

TEST_P(RoutersInModel, GradientsAgreeWithDifferences) {
    VlMoe model(config(), tinyShape(), 5);
    model.to(at::kDouble);
    const Batch batch = randomBatch(config(), tinyShape(), 1);
    model.forward(batch, {}).loss.backward();
    const auto loss = [&] {
        const at::NoGradGuard no_grad;
        return model.forward(batch, {}).loss.item<double>();
    };
    for (const auto& item : model.named_parameters()) {
        at::Tensor parameter = item.value().detach();
        parameter.mutable_grad() = item.value().grad();
        test::expectGradient(item.key(), parameter, loss, item.key().find(".router.") == std::string::npos ? 1 : 6);
    }
}

TEST_P(RoutersInModel, LearnsABatchByHeart) {
    VlMoe model(config(), tinyShape(), 5);
    const Batch batch = randomBatch(config(), tinyShape(), 10);
    double first = 0, last = 0;
    for (int step = 0; step < 60; ++step) {
        ForwardOptions options;
        options.step = step;
        const ModelOutput output = model.forward(batch, options);
        output.loss.backward();
        last = output.loss.item<double>();
        if (step == 0) first = last;
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : model.parameters()) {
            if (!parameter.grad().defined()) continue;
            at::Tensor(parameter).sub_(parameter.grad(), 0.1);
            parameter.mutable_grad().reset();
        }
    }
    EXPECT_LT(last, 0.8 * first);
}

TEST_P(RoutersInModel, AccountAndRouterTableSayWhatIsThere) {
    VlMoe model(config(), tinyShape(), 5);
    std::int64_t all = 0;
    for (const at::Tensor& parameter : model.parameters()) all += parameter.numel();
    EXPECT_EQ(model.account().parameters_total, all);
    for (const store::RouterInfo& info : model.routers()) {
        EXPECT_EQ(info.kind, GetParam());
        EXPECT_EQ(info.layout, GetParam() == "top_p" || GetParam() == "expert_choice" ? store::RoutingLayout::kRagged : store::RoutingLayout::kFixedK);
    }
}

TEST_P(RoutersInModel, EventsCarryADistributionAndTheLoad) {
    VlMoe model(config(), tinyShape(), 5);
    const std::vector<RoutingEvent> events = eventsOf(model, randomBatch(config(), tinyShape(), 2));
    ASSERT_EQ(events.size(), 4u);
    for (const RoutingEvent& event : events) {
        EXPECT_LE((event.probs_TE.sum(1) - 1).abs().max().item<double>(), 1e-5);
        EXPECT_EQ(event.counts_E.sum().item<std::int64_t>(), event.indices_TK.ge(0).sum().item<std::int64_t>());
        EXPECT_TRUE(event.logits_TE.isfinite().all().item<bool>());
    }
}

TEST_P(RoutersInModel, EvaluationIsTheSameEachTimeAndHasNoNoise) {
    VlMoe model(config(), tinyShape(), 5);
    const Batch batch = randomBatch(config(), tinyShape(), 3);
    ForwardOptions first, later;
    first.training = later.training = false;
    first.step = 10;
    later.step = 20;
    const auto a = eventsOf(model, batch, first), again = eventsOf(model, batch, first), b = eventsOf(model, batch, later);
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_TRUE(at::equal(a[i].indices_TK, again[i].indices_TK));
        EXPECT_EQ(at::equal(a[i].indices_TK, b[i].indices_TK), GetParam() != "random");
    }
}

TEST_P(RoutersInModel, TheHiddenWordDoesNotSteerItsOwnRouting) {
    VlMoe model(config(), tinyShape(), 5);
    Batch batch = randomBatch(config(), tinyShape(), 4);
    const auto before = eventsOf(model, batch);
    batch.texts->ids_BL.add_(batch.texts->masked_BL.to(at::kLong)).remainder_(tinyShape().vocabulary);
    batch.pair_texts->ids_BL.add_(batch.pair_texts->masked_BL.to(at::kLong)).remainder_(tinyShape().vocabulary);
    const auto after = eventsOf(model, batch);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(before[i].indices_TK, after[i].indices_TK));
}

INSTANTIATE_TEST_SUITE_P(All, RoutersInModel, ::testing::ValuesIn(routerKinds()), [](const auto& test) { return test.param; });

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
