// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/objectives.h"

#include <gtest/gtest.h>

#include "engine/config/config_io.h"

namespace es::config {
namespace {

TEST(WeightSchedule, IsPiecewiseLinearAndConstantOutside) {
    const WeightSchedule schedule{{{100, 0}, {200, 1}, {400, 0.5}}};
    EXPECT_EQ(schedule.at(1), 0);
    EXPECT_EQ(schedule.at(100), 0);
    EXPECT_DOUBLE_EQ(schedule.at(125), 0.25);
    EXPECT_EQ(schedule.at(200), 1);
    EXPECT_DOUBLE_EQ(schedule.at(300), 0.75);
    EXPECT_EQ(schedule.at(400), 0.5);
    EXPECT_EQ(schedule.at(100000), 0.5);
    EXPECT_EQ(WeightSchedule{}.at(7), 1);
    EXPECT_EQ((WeightSchedule{{{50, 3}}}.at(1)), 3) << "one point: everywhere";
}

TEST(WeightSchedule, IsReadFromText) {
    const auto parsed = parseSchedules({"contrastive 0@100 1@200", "  image   0.5@0 "});
    EXPECT_EQ(parsed.problem, "");
    const auto& contrastive = parsed.schedules[static_cast<std::size_t>(Objective::kContrastive)];
    EXPECT_EQ(contrastive.points, (std::vector<WeightSchedule::Point>{{100, 0}, {200, 1}}));
    LossOptions loss;
    loss.contrastive = 4;
    const auto weights = objectiveWeights(loss, parsed.schedules, 150);
    EXPECT_EQ(weights, (ObjectiveWeights{0.5, 1, 1, 1, 2, 0}));
    EXPECT_EQ(objectiveWeights(loss), (ObjectiveWeights{1, 1, 1, 1, 4, 0}));
}

TEST(WeightSchedule, WhatCannotBeReadIsNamed) {
    for (const char* entry : {"", "contrastve 0@1", "contrastive", "contrastive 1", "contrastive x@1", "contrastive 1@", "contrastive 1@x", "contrastive -1@5",
                              "contrastive 1@-5", "contrastive nan@5", "contrastive 1@5 2@5", "contrastive 1@9 2@5", "contrastive 1@5.5"})
        EXPECT_NE(parseSchedules({entry}).problem, "") << entry;
    EXPECT_NE(parseSchedules({"image 1@5", "image 1@5"}).problem, "") << "twice";
    RunConfig config;
    config.loss.schedule = {"imge 0@5"};
    const Status refused = validate(config);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("loss.schedule has the entry 'imge 0@5'"), std::string::npos) << refused.error().message();
}

TEST(Objectives, PairsAreToldFromOthers) {
    for (auto weight : {&LossOptions::contrastive, &LossOptions::matching}) {
        RunConfig config;
        config.loss.*weight = 1;
        EXPECT_TRUE(validate(config));
        config.train.batch_pairs = 1;
        EXPECT_FALSE(validate(config));
        config.train.batch_pairs = 2;
        EXPECT_TRUE(validate(config));
    }
    RunConfig only;
    only.loss.image = only.loss.text = only.loss.pair_image = only.loss.pair_text = 0;
    EXPECT_FALSE(validate(only)) << "nothing to learn";
    only.loss.matching = 1;
    EXPECT_TRUE(validate(only));
}

TEST(Objectives, UnitsFollowTheTargets) {
    RunConfig config;
    EXPECT_EQ(lossUnit(config, Objective::kImage), "");
    EXPECT_EQ(lossUnit(config, Objective::kPairText), "nats");
    EXPECT_EQ(lossUnit(config, Objective::kMatching), "nats");
    config.model.image_target = "codes";
    EXPECT_EQ(lossUnit(config, Objective::kPairImage), "nats");
}

}  // namespace
}  // namespace es::config
