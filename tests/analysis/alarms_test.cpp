// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/alarms/alarms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/memory_run.h"

namespace es::analysis {
namespace {

constexpr std::int64_t kSteps = 400, kWarmup = 100;

/// A run whose loads are given by a function of (step, expert).
template <class Load>
test::MemoryRun runWith(Load&& load, std::int64_t steps = kSteps) {
    test::MemoryRun run;
    run.configuration.train.steps = steps;
    run.configuration.train.warmup = 0.1;
    run.router_table = {{RouterId(0), LayerIndex(3), Branch::kVision, "softmax_topk", 4, 1, store::RoutingLayout::kFixedK}};
    for (std::int64_t step = 1; step <= steps; ++step) {
        store::LoadRecord record;
        record.step = step;
        record.router = RouterId(0);
        record.modality = Modality::kVision;
        for (int e = 0; e < 4; ++e) {
            record.counts_E.push_back(load(step, e));
            record.tokens += record.counts_E.back();
        }
        run.addLoad(std::move(record));
    }
    return run;
}

std::vector<Alarm> of(const std::vector<Alarm>& alarms, AlarmKind kind) {
    std::vector<Alarm> found;
    for (const Alarm& alarm : alarms)
        if (alarm.kind == kind) found.push_back(alarm);
    return found;
}

TEST(Alarms, ABalancedRunHasNone) {
    EXPECT_TRUE(findAlarms(runWith([](auto, int) { return 100u; }))->empty());
}

TEST(Alarms, WarmupIsSilent) {
    // Collapsed for the first 90 steps, as a healthy run may be.
    const auto alarms = findAlarms(runWith([](std::int64_t step, int e) { return step <= 70 ? (e == 0 ? 400u : 0u) : 100u; }));
    EXPECT_TRUE(alarms->empty());
    config::RunConfig config;
    config.train.steps = 600;
    EXPECT_EQ(warmupSteps(config), 100);
    config.train.steps = 5000;
    EXPECT_EQ(warmupSteps(config), 500);
    config.train.steps = 1'000'000;
    EXPECT_EQ(warmupSteps(config), 1000);
}

TEST(Alarms, DeadExpertSaysSinceWhen) {
    const auto run = runWith([](std::int64_t step, int e) { return e == 2 && step >= 210 ? 0u : 100u; });
    const auto dead = of(*findAlarms(run), AlarmKind::kDeadExpert);
    ASSERT_EQ(dead.size(), 1u);
    EXPECT_EQ(dead[0].expert, ExpertIndex(2));
    EXPECT_EQ(dead[0].start_step, 210);
    EXPECT_EQ(dead[0].raised_step, 259) << "50 steps without a token";
    EXPECT_TRUE(dead[0].active());
    EXPECT_EQ(dead[0].title, "Expert 2, layer 3 · V-router dead");
    EXPECT_EQ(dead[0].detail, "no token for 191 steps · since 210");
    EXPECT_EQ(dead[0].key(), "dead_expert/3.v/2/210");
}

TEST(Alarms, DeathInWarmupIsRaisedAfterItAndResolves) {
    const auto run = runWith([](std::int64_t step, int e) { return e == 1 && step >= 20 && step < 300 ? 0u : 100u; });
    const auto dead = of(*findAlarms(run), AlarmKind::kDeadExpert);
    ASSERT_EQ(dead.size(), 1u);
    EXPECT_EQ(dead[0].start_step, 20);
    EXPECT_EQ(dead[0].raised_step, kWarmup + 49);
    EXPECT_EQ(dead[0].end_step, 300);
}

TEST(Alarms, OverloadHasHysteresis) {
    // Expert 0 has 2.2 x the even share in steps 150-199, hovers at 1.9 x to step 299, is even after.
    const auto run = runWith([](std::int64_t step, int e) {
        const unsigned top = step < 150 ? 300u : step < 200 ? 660u : step < 300 ? 570u : 300u;
        return e == 0 ? top : (1200u - top) / 3;
    });
    const auto overload = of(*findAlarms(run), AlarmKind::kOverload);
    ASSERT_EQ(overload.size(), 1u) << "1.9 x neither raises again nor resolves";
    EXPECT_EQ(overload[0].expert, ExpertIndex(0));
    EXPECT_GT(overload[0].start_step, 150);
    EXPECT_LT(overload[0].start_step, 175);
    ASSERT_TRUE(overload[0].end_step.has_value());
    EXPECT_GT(*overload[0].end_step, 299);
    EXPECT_NEAR(overload[0].worst, 2.2, 1e-9);
}

TEST(Alarms, LogitsAndDropsNameTheirRouter) {
    test::MemoryRun run = runWith([](auto, int) { return 100u; });
    for (store::LoadRecord& record : run.loads[0]) {
        record.max_abs_logit = record.step >= 50 && record.step < 60 ? 61 : 5;
        record.dropped = record.step >= 200 ? 40 : 0;
    }
    const auto alarms = *findAlarms(run);
    const auto logits = of(alarms, AlarmKind::kRouterLogits), drops = of(alarms, AlarmKind::kDrops);
    ASSERT_EQ(logits.size(), 1u);
    EXPECT_EQ(logits[0].start_step, 50) << "large logits are never part of a healthy start";
    EXPECT_EQ(logits[0].end_step, 60);
    EXPECT_EQ(logits[0].title, "Router logits above 50, resolved");
    ASSERT_EQ(drops.size(), 1u);
    EXPECT_TRUE(drops[0].active());
    EXPECT_NEAR(drops[0].worst, 0.1, 1e-9);
    EXPECT_EQ(alarms.front().kind, AlarmKind::kDrops) << "active ones first";
}

test::MemoryRun spikyRun() {
    test::MemoryRun run;
    run.configuration.train.steps = 500;
    for (std::int64_t step = 1; step <= 500; ++step) {
        const double wave = 0.05 * std::sin(static_cast<double>(step));
        run.add("train/loss", static_cast<double>(step), 3 + wave + (step >= 300 && step < 312 ? 2.0 * std::exp(-0.2 * static_cast<double>(step - 300)) : 0));
        run.add("grad_norm/all", static_cast<double>(step), 1 + wave + (step >= 400 ? 3 : 0));
    }
    return run;
}

TEST(Alarms, SpikesRecoverOrStay) {
    const auto alarms = *findAlarms(spikyRun());
    const auto loss = of(alarms, AlarmKind::kLossSpike), gradient = of(alarms, AlarmKind::kGradientSpike);
    ASSERT_EQ(loss.size(), 1u) << "a spike of several steps is one alarm";
    EXPECT_EQ(loss[0].start_step, 300);
    EXPECT_EQ(loss[0].title, "Loss spike, resolved");
    ASSERT_TRUE(loss[0].end_step.has_value());
    EXPECT_THAT(loss[0].detail, testing::HasSubstr("recovered after"));
    ASSERT_EQ(gradient.size(), 1u);
    EXPECT_EQ(gradient[0].start_step, 400);
    EXPECT_TRUE(gradient[0].active());
}

TEST(Alarms, FollowingARunGivesTheSameAsReadingItAtOnce) {
    const auto load = [](std::int64_t step, int e) { return e == 2 && step >= 210 && step < 330 ? 0u : e == 0 && step > 250 ? 300u : 100u; };
    test::MemoryRun whole = runWith(load), spiky = spikyRun();
    whole.scalar_values = spiky.scalar_values;
    const auto expected = *findAlarms(whole);
    test::MemoryRun growing;
    growing.configuration = whole.configuration;
    growing.router_table = whole.router_table;
    growing.state.state = store::RunState::kTraining;
    AlarmMonitor monitor;
    std::int64_t last = 0;
    for (std::int64_t until = 37; last < 500; until += 37) {
        for (std::int64_t step = last + 1; step <= std::min<std::int64_t>(until, 500); ++step) {
            if (step <= kSteps) growing.addLoad(whole.loads[0][static_cast<std::size_t>(step - 1)]);
            for (const auto& [name, values] : whole.scalar_values) growing.add(name, static_cast<double>(step), values.at(static_cast<double>(step)));
            last = step;
        }
        if (last == 500) growing.state.state = store::RunState::kFinished;
        ASSERT_TRUE(monitor.update(growing).has_value());
    }
    ASSERT_EQ(monitor.alarms().size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(monitor.alarms()[i].key(), expected[i].key());
        EXPECT_EQ(monitor.alarms()[i].end_step, expected[i].end_step);
        EXPECT_EQ(monitor.alarms()[i].detail, expected[i].detail);
    }
    EXPECT_FALSE(*monitor.update(growing)) << "nothing new, nothing changed";
}

TEST(Alarms, StartOverWhenTheRunIsResumed) {
    test::MemoryRun run = runWith([](std::int64_t step, int e) { return e == 2 && step >= 210 ? 0u : 100u; });
    AlarmMonitor monitor;
    ASSERT_TRUE(*monitor.update(run));
    ASSERT_EQ(monitor.alarms().size(), 1u);
    test::MemoryRun resumed = runWith([](auto, int) { return 100u; });
    resumed.state.attempts = 2;
    EXPECT_TRUE(*monitor.update(resumed));
    EXPECT_TRUE(monitor.alarms().empty());
}

TEST(Alarms, NonFiniteEventsAreErrors) {
    test::MemoryRun run;
    run.event_list = {{12, 0, store::Severity::kError, "non_finite", "At step 12 the loss is not finite"}};
    const auto alarms = *findAlarms(run);
    ASSERT_EQ(alarms.size(), 1u);
    EXPECT_EQ(alarms[0].severity, store::Severity::kError);
    EXPECT_EQ(alarms[0].detail, "At step 12 the loss is not finite");
}

}  // namespace
}  // namespace es::analysis
