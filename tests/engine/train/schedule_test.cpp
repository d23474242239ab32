// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/schedule.h"

#include <gtest/gtest.h>

namespace es::engine {
namespace {

TEST(Schedule, RisesLinearlyThenFallsToItsLastRate) {
    const LearningRateSchedule schedule{.steps = 100, .peak = 2.0, .warmup = 0.1, .final_share = 0.25};
    EXPECT_EQ(schedule.warmupSteps(), 10);
    EXPECT_NEAR(schedule.at(0), 0.2, 1e-12);
    EXPECT_NEAR(schedule.at(4), 1.0, 1e-12);
    EXPECT_NEAR(schedule.at(9), 2.0, 1e-12);
    for (std::int64_t step = 10; step < 100; ++step) EXPECT_LT(schedule.at(step), schedule.at(step - 1));
    EXPECT_NEAR(schedule.at(54), 2.0 * (0.25 + 0.75 * 0.5), 1e-12);  // half of the fall
    EXPECT_NEAR(schedule.at(99), 0.5, 1e-12);
    EXPECT_NEAR(schedule.at(500), 0.5, 1e-12);
}

TEST(Schedule, FallsAlongALineOrNotAtAll) {
    const LearningRateSchedule line{.steps = 100, .peak = 2.0, .warmup = 0.1, .final_share = 0.25, .shape = rateShapeNamed("linear")};
    EXPECT_NEAR(line.at(4), 1.0, 1e-12);
    EXPECT_NEAR(line.at(9), 2.0, 1e-12);
    EXPECT_NEAR(line.at(54), 2.0 * 0.625, 1e-12);
    for (std::int64_t step = 11; step < 100; ++step) EXPECT_NEAR(line.at(step - 1) - line.at(step), 1.5 / 90, 1e-12);
    EXPECT_NEAR(line.at(99), 0.5, 1e-12);
    EXPECT_NEAR(line.at(500), 0.5, 1e-12);
    const LearningRateSchedule level{.steps = 100, .peak = 2.0, .warmup = 0.1, .final_share = 0.25, .shape = rateShapeNamed("constant")};
    EXPECT_NEAR(level.at(4), 1.0, 1e-12);
    for (std::int64_t step = 9; step < 120; ++step) EXPECT_EQ(level.at(step), 2.0);
}

TEST(Schedule, HasNoHolesAtItsEnds) {
    const LearningRateSchedule plain{.steps = 11, .peak = 1.0, .warmup = 0, .final_share = 0};
    EXPECT_NEAR(plain.at(0), 1.0, 1e-12);
    EXPECT_NEAR(plain.at(5), 0.5, 1e-12);
    EXPECT_NEAR(plain.at(10), 0.0, 1e-12);
    const LearningRateSchedule rising{.steps = 4, .peak = 1.0, .warmup = 1, .final_share = 0.1};
    EXPECT_NEAR(rising.at(3), 1.0, 1e-12);
    const LearningRateSchedule single{.steps = 1, .peak = 1.0, .warmup = 0.1, .final_share = 0.1};
    EXPECT_NEAR(single.at(0), 0.1, 1e-12);
    const LearningRateSchedule flat{.steps = 50, .peak = 3.0, .warmup = 0, .final_share = 1};
    for (std::int64_t step = 0; step < 50; ++step) EXPECT_NEAR(flat.at(step), 3.0, 1e-12);
}

TEST(Schedule, BumpsMultiplyTheRateInTheirStepsAlone) {
    LearningRateSchedule schedule{.steps = 100, .peak = 2.0, .warmup = 0.1, .final_share = 0.25};
    const LearningRateSchedule plain = schedule;
    schedule.bumps = {{70, 71, 100}, {71, 72, 0.5}};
    for (std::int64_t step = 0; step < 100; ++step) {
        const double factor = step == 69 ? 100 : step == 70 ? 50 : step == 71 ? 0.5 : 1;  // step 69 from 0 is the run's 70th
        EXPECT_DOUBLE_EQ(schedule.at(step), plain.at(step) * factor) << step;
    }
}

}  // namespace
}  // namespace es::engine
