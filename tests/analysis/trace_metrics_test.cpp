// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/trace_metrics.h"

#include <gtest/gtest.h>

#include "analysis/memory_run.h"
#include "support/large_run.h"
#include "support/planted_routing.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::analysis {
namespace {

TEST(TraceMetrics, AreThoseOfTheWholeTrace) {
    test::ScratchFolder scratch;
    test::SyntheticRunOptions options;
    options.steps = 200;
    options.k = 2;
    ASSERT_TRUE(test::writeSyntheticRun(scratch / "run", options));
    const auto run = *store::RunReader::open(scratch / "run");
    const SampleCategories categories = sampleCategories(*run->sampleList());
    EXPECT_EQ(categories.names, (std::vector<std::string>{"animal", "building", "fruit", "vehicle"}));
    const auto all = traceMetrics(*run);
    ASSERT_TRUE(all) << all.error().message();
    ASSERT_EQ(all->size(), 4u);
    for (const TraceMetrics& metrics : *all) {
        store::TraceQuery query;
        query.router = metrics.router.id;
        const store::RoutingTable whole = *run->trace(query);
        const store::RoutingView view(whole);
        EXPECT_EQ(metrics.tokens, whole.tokens);
        EXPECT_EQ(metrics.assignments, whole.tokens * 2);
        EXPECT_EQ(metrics.units, 20);
        EXPECT_EQ(metrics.first_step, 10);
        EXPECT_EQ(metrics.last_step, 200);
        EXPECT_EQ(metrics.load_E, expertLoads(view));
        EXPECT_EQ(metrics.coactivation.count_EE, coactivation(view).count_EE);
        EXPECT_EQ(metrics.coactivation.conditional_EE, coactivation(view).conditional_EE);
        std::vector<std::int32_t> label_T;
        for (const std::uint64_t sample : whole.sample_T) label_T.push_back(categories.of.at(sample));
        const MutualInformation expected = mutualInformation(label_T, firstChoices(view));
        EXPECT_NEAR(metrics.category.mi_nats, expected.mi_nats, 1e-12);
        EXPECT_NEAR(metrics.category.nmi, expected.nmi, 1e-12);
        EXPECT_EQ(metrics.category.tokens, expected.tokens);
    }
    TraceOptions some;
    some.layer = LayerIndex(2);
    some.first_step = 50;
    some.last_step = 100;
    some.coactivation = some.dependence = false;
    const auto part = *traceMetrics(*run, some);
    ASSERT_EQ(part.size(), 2u);
    EXPECT_EQ(part.front().units, 6);
    EXPECT_TRUE(part.front().coactivation.count_EE.empty());
    EXPECT_EQ(part.front().category.tokens, 0);
}

TEST(TraceMetrics, TakeEveryLayout) {
    const std::vector<std::int32_t> choices{0, 1, 1, 2, 2, 3, 3, 0};
    test::MemoryRun run;
    run.traces[5] = {test::tableOf(choices, 4, 2), test::raggedOf(choices, 4, 2), test::denseOf(choices, 4, 2)};
    for (std::size_t i = 0; i < 3; ++i) {
        run.traces[5][i].router.id = RouterId(static_cast<std::int32_t>(i));
        run.traces[5][i].step = 5;
        run.router_table.push_back(run.traces[5][i].router);
    }
    const auto all = traceMetrics(run);
    ASSERT_TRUE(all) << all.error().message();
    ASSERT_EQ(all->size(), 3u);
    for (const TraceMetrics& metrics : *all) {
        EXPECT_NEAR(metrics.load.max_vio, 0, 1e-12) << metrics.router.id.value;
        EXPECT_EQ(metrics.tokens, 4);
        EXPECT_EQ(metrics.coactivation.experts, 4);
    }
    EXPECT_EQ((*all)[0].coactivation.count_EE, (*all)[1].coactivation.count_EE);
}

TEST(TraceMetrics, ExpertsThatThereAreNotDoNotCount) {
    test::MemoryRun run;
    for (std::uint64_t s = 0; s < 2; ++s) {
        store::SampleRecord sample;
        sample.hash = s;
        sample.category = s == 0 ? "cats" : "dogs";
        run.samples.push_back(sample);
    }
    store::RoutingTable table = test::tableOf({0, 1, 0, 1, 1, 0, 1, 1}, 2, 1);
    table.sample_T = {0, 0, 0, 0, 1, 1, 1, 1};
    table.position_T = {0, 1, 2, 3, 0, 1, 2, 3};
    table.step = 5;
    table.expert_ids[1] = 0xFFFF;
    table.expert_ids[6] = 2;
    run.traces[5] = {table};
    run.router_table = {table.router};
    const auto all = traceMetrics(run);
    ASSERT_TRUE(all) << all.error().message();
    ASSERT_EQ(all->size(), 1u);
    EXPECT_EQ(all->front().joint_LE, (std::vector<double>{2, 1, 1, 2}));
    EXPECT_EQ(all->front().load_E, (std::vector<double>{3, 3}));
}

TEST(TraceMetrics, PlantedDependenceComesOutOfAnyNumberOfUnits) {
    test::ScratchFolder scratch;
    // Half of the choices follow the sample's category of six, the others are even over eight experts.
    ASSERT_TRUE(test::writeLargeRun(scratch / "run", {.assignments = 600'000, .experts = 8, .tokens_per_step = 7000, .samples = 60}));
    const auto run = *store::RunReader::open(scratch / "run");
    const auto read = traceMetrics(*run);
    ASSERT_TRUE(read) << read.error().message();
    const std::vector<TraceMetrics>& all = *read;
    ASSERT_EQ(all.size(), 2u);
    double planted = 0;
    const double own = 0.5 + 0.5 / 8, other = 0.5 / 8;
    // p(e) of the six followed experts is 1/12 + 1/16, of the two others 1/16.
    const double followed = 0.5 / 6 + 0.5 / 8;
    planted = own * std::log(own / followed) + 5 * other * std::log(other / followed);
    for (const TraceMetrics& metrics : all) {
        EXPECT_NEAR(metrics.category.mi_nats, planted, 0.02) << metrics.router.id.value;
        EXPECT_GE(metrics.assignments, 300'000);
    }
}

}  // namespace
}  // namespace es::analysis
