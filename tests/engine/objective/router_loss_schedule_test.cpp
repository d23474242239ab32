// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/router_loss_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace es::engine {
namespace {

TEST(RouterLossSchedule, ConstantIsOneToTheBit) {
    const RouterLossSchedule schedule{LossSchedule::kConstant, 0.1, 5, 100};
    for (const std::int64_t step : {0, 1, 5, 60, 100, 1000}) EXPECT_EQ(schedule.at(step), 1.0);
}

TEST(RouterLossSchedule, GoesFromOneAtTheStartToTheFinalShareAtTheLastStep) {
    for (const LossSchedule kind : {LossSchedule::kLinear, LossSchedule::kCosine}) {
        const RouterLossSchedule schedule{kind, 0.2, 20, 100};
        EXPECT_EQ(schedule.at(0), 1.0);
        EXPECT_EQ(schedule.at(20), 1.0);
        EXPECT_LT(schedule.at(21), 1.0);
        EXPECT_NEAR(schedule.at(60), 0.6, 1e-12);
        EXPECT_EQ(schedule.at(100), 0.2);
        EXPECT_EQ(schedule.at(150), 0.2);
        for (std::int64_t step = 20; step < 100; ++step) EXPECT_GT(schedule.at(step), schedule.at(step + 1));
    }
    EXPECT_NEAR((RouterLossSchedule{LossSchedule::kLinear, 0.0, 0, 100}.at(25)), 0.75, 1e-12);
    EXPECT_NEAR((RouterLossSchedule{LossSchedule::kCosine, 0.0, 0, 100}.at(25)), 0.5 * (1 + std::sqrt(0.5)), 1e-12);
    EXPECT_NEAR((RouterLossSchedule{LossSchedule::kLinear, 3.0, 0, 100}.at(50)), 2.0, 1e-12);  // it may grow
}

TEST(RouterLossSchedule, AStartBehindTheEndChangesNothing) {
    const RouterLossSchedule schedule{LossSchedule::kLinear, 0.0, 200, 100};
    EXPECT_EQ(schedule.at(100), 1.0);
    EXPECT_EQ(schedule.at(199), 1.0);
}

}  // namespace
}  // namespace es::engine
