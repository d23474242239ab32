// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/rate_bumps.h"

#include <gtest/gtest.h>

#include "engine/config/config_io.h"

namespace es::config {
namespace {

TEST(RateBumps, AreStepsAndAFactor) {
    const auto range = parseRateBump("70-71 x100");
    ASSERT_TRUE(range);
    EXPECT_EQ(range->first, 70);
    EXPECT_EQ(range->last, 71);
    EXPECT_EQ(range->factor, 100);
    const auto single = parseRateBump("5 x0.25");
    ASSERT_TRUE(single);
    EXPECT_EQ(single->first, 5);
    EXPECT_EQ(single->last, 5);
    EXPECT_EQ(single->factor, 0.25);
}

TEST(RateBumps, WhatIsWrittenOtherwiseIsRefused) {
    for (const char* text : {"", "70", "70-71", "70-71x100", "70-71 100", "70-71 x", "70-71 x1e999", "70-71 xnan", "70-71 x-1", "71-70 x2", "0 x2", "-3 x2",
                             "7- x2", "a x2", "7 x2 "})
        EXPECT_FALSE(parseRateBump(text)) << text;
}

TEST(RateBumps, AConfigurationMustHaveTheSteps) {
    ASSERT_TRUE(parseToml("[train]\nsteps = 71\nlearning_rate_bumps = [\"70-71 x100\"]\n", "a.toml"));
    const auto late = parseToml("[train]\nsteps = 70\nlearning_rate_bumps = [\"70-71 x100\"]\n", "a.toml");
    ASSERT_FALSE(late);
    EXPECT_NE(late.error().message().find("train.learning_rate_bumps has '70-71 x100', but train.steps is 70"), std::string::npos) << late.error().message();
    const auto odd = parseToml("[train]\nlearning_rate_bumps = [\"always x2\"]\n", "a.toml");
    ASSERT_FALSE(odd);
    EXPECT_NE(odd.error().message().find("train.learning_rate_bumps has 'always x2'"), std::string::npos) << odd.error().message();
}

}  // namespace
}  // namespace es::config
