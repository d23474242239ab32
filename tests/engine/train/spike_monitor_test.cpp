// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/spike_monitor.h"

#include <gtest/gtest.h>

namespace es::engine {
namespace {

TEST(SpikeMonitor, JudgesByMeanAndPopulationDeviationOfAFullWindow) {
    SpikeMonitor monitor(2.0, 4);
    // Mean 2, population deviation 1 (of a sample it would be 1.155).
    for (const double x : {1.0, 3.0, 1.0}) EXPECT_FALSE(monitor.judge(x, 1.0));
    EXPECT_FALSE(monitor.judge(3.0, 1.0)) << "the window was not full";
    SpikeMonitor same = monitor;
    EXPECT_FALSE(same.judge(4.0, 1.0)) << "at the bound, not above it";
    const auto spike = monitor.judge(4.1, 1.0);
    ASSERT_TRUE(spike);
    EXPECT_EQ(spike->what, "loss");
    EXPECT_DOUBLE_EQ(spike->mean, 2.0);
    EXPECT_DOUBLE_EQ(spike->deviation, 1.0);
    EXPECT_EQ(spike->text(4), "the loss 4.1 is 2.1 deviations above the mean 2 of the last 4 steps");
}

TEST(SpikeMonitor, LooksAtGradientNormsTooAndNeverBelow) {
    SpikeMonitor monitor(3.0, 4);
    for (const double x : {1.0, 3.0, 1.0, 3.0}) EXPECT_FALSE(monitor.judge(1.0 + x, x));
    SpikeMonitor low = monitor;
    EXPECT_FALSE(low.judge(-50, 0));
    const auto spike = monitor.judge(3.0, 6.0);
    ASSERT_TRUE(spike);
    EXPECT_EQ(spike->what, "gradient norm");
}

TEST(SpikeMonitor, GetsUsedToALevelThatStays) {
    SpikeMonitor monitor(3.0, 8);
    for (int i = 0; i < 8; ++i) EXPECT_FALSE(monitor.judge(i % 2, 1.0));
    int spikes = 0;
    for (int i = 0; i < 8; ++i) spikes += monitor.judge(100 + i % 2, 1.0) ? 1 : 0;
    EXPECT_GE(spikes, 1);
    EXPECT_LT(spikes, 4) << "after a while the level is usual";
    SpikeMonitor restored(3.0, 8);
    restored.restore(monitor.history());
    EXPECT_EQ(restored.history().losses.size(), 8u);
    EXPECT_EQ(restored.judge(500, 1).has_value(), monitor.judge(500, 1).has_value());
}

}  // namespace
}  // namespace es::engine
