// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "analysis/stats/assignment.h"
#include "analysis/stats/entropy.h"
#include "analysis/stats/histogram.h"
#include "analysis/stats/intervals.h"
#include "analysis/stats/moments.h"
#include "analysis/stats/quantiles.h"
#include "analysis/stats/resampling.h"
#include "analysis/stats/smoothing.h"
#include "analysis/stats/spikes.h"
#include "engine/base/random.h"

namespace es::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Moments, KeepTheirDigitsFarFromZero) {
    const std::vector<double> values = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
    const Moments m = moments(values);
    EXPECT_EQ(m.mean, 1e9 + 10);
    EXPECT_EQ(m.variance_population, 22.5);
    EXPECT_EQ(m.variance_sample, 30);
}

TEST(Moments, CountWhatIsNotFinite) {
    const std::vector<double> values = {1, kNaN, 3, std::numeric_limits<double>::infinity()};
    const Moments m = moments(values);
    EXPECT_EQ(m.n, 2);
    EXPECT_EQ(m.non_finite, 2);
    EXPECT_EQ(m.mean, 2);
    EXPECT_TRUE(std::isnan(moments({}).mean));
}

TEST(Entropy, TakesZeroTimesLogZeroAsZero) {
    const std::vector<double> weights = {2, 0, 2, 0};
    EXPECT_NEAR(entropyNats(weights), std::log(2.0), 1e-15);
    EXPECT_EQ(entropyNats(std::vector<double>{0, 0}), 0);
}

TEST(Histogram, PutsTheUpperEdgeInTheLastBin) {
    const std::vector<double> values = {0, 0.5, 1, 2, -1, 5, kNaN};
    const Histogram h = histogram(values, 4, 0, 2);
    EXPECT_EQ(h.counts, (std::vector<std::int64_t>{1, 1, 1, 1}));
    EXPECT_EQ(h.below, 1);
    EXPECT_EQ(h.above, 1);
    EXPECT_EQ(h.non_finite, 1);
    EXPECT_EQ(histogram(std::vector<double>{3, 3}, 2).counts[0] + histogram(std::vector<double>{3, 3}, 2).counts[1], 2) << "a point is widened to a range";
}

TEST(Quantiles, OfNothingAreNotNumbers) { EXPECT_TRUE(std::isnan(quantile({}, 0.5))); }

TEST(Intervals, NeedTwoValues) {
    const std::vector<double> one = {3};
    EXPECT_TRUE(std::isnan(meanInterval(one).low));
    EXPECT_EQ(meanInterval(one).mean, 3);
    EXPECT_TRUE(std::isnan(wilson(0, 0).low));
}

TEST(Intervals, CoverAsOftenAsTheySay) {
    int paired = 0, wilsons = 0;
    constexpr int kDraws = 2000, kValues = 12;
    for (int draw = 0; draw < kDraws; ++draw) {
        RandomStream random(7, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(draw));
        std::vector<double> a, b;
        int successes = 0;
        for (int i = 0; i < kValues; ++i) {
            const double shared = 5 * random.normal();
            a.push_back(shared + random.normal() + 0.4);
            b.push_back(shared + random.normal());
        }
        for (int i = 0; i < 80; ++i) successes += random.uniform() < 0.3;
        const Interval t = pairedT(a, b), w = wilson(successes, 80);
        paired += t.low <= 0.4 && t.high >= 0.4;
        wilsons += w.low <= 0.3 && w.high >= 0.3;
    }
    EXPECT_NEAR(paired / static_cast<double>(kDraws), 0.95, 0.015);
    EXPECT_NEAR(wilsons / static_cast<double>(kDraws), 0.95, 0.015);
}

TEST(Bootstrap, AgreesWithStudentAndRepeatsToTheBit) {
    std::vector<double> values;
    RandomStream random(3, RandomPurpose::kSynthetic);
    for (int i = 0; i < 200; ++i) values.push_back(1 + random.normal());
    const Interval first = bootstrapMean(values, 2000, 11), again = bootstrapMean(values, 2000, 11), t = meanInterval(values);
    EXPECT_EQ(first.low, again.low);
    EXPECT_EQ(first.high, again.high);
    EXPECT_NEAR(first.low, t.low, 0.03);
    EXPECT_NEAR(first.high, t.high, 0.03);
    EXPECT_NE(bootstrapMean(values, 2000, 12).low, first.low);
}

TEST(Permutation, HoldsEachIndexOnce) {
    const std::vector<std::int32_t> order = permutation(100, 5, 3);
    EXPECT_EQ(std::set<std::int32_t>(order.begin(), order.end()).size(), 100u);
    EXPECT_EQ(order, permutation(100, 5, 3));
    EXPECT_NE(order, permutation(100, 5, 4));
}

TEST(Smoothing, IsNotPulledTowardsZeroAtTheStart) {
    const std::vector<double> constant(20, 4.0);
    for (const double value : smoothed(constant, 0.99)) EXPECT_NEAR(value, 4, 1e-12);
    const std::vector<double> gap = {1, kNaN, 1};
    const std::vector<double> result = smoothed(gap, 0.5);
    EXPECT_TRUE(std::isnan(result[1]));
    EXPECT_NEAR(result[2], 1, 1e-12);
    const std::vector<double> two = {0, 1};
    EXPECT_NEAR(smoothed(two, 0.5)[1], 0.5 / 0.75, 1e-12);
    EXPECT_EQ(smoothed(two, 0), two);
}

TEST(Spikes, ComeToNothingWithoutAFullWindow) {
    std::vector<double> series(127, 0.0);
    for (std::size_t i = 0; i < series.size(); ++i) series[i] = static_cast<double>(i % 2);
    series.push_back(1000);
    for (const std::uint8_t flag : spikeFlags(series)) EXPECT_EQ(flag, 0);
    series.insert(series.begin(), 0.5);
    EXPECT_EQ(spikeFlags(series).back(), 1);
}

TEST(Spikes, LeaveNonFiniteValuesOutOfTheWindow) {
    std::vector<double> series;
    for (int i = 0; i < 200; ++i) series.push_back(i % 2);
    series[150] = kNaN;
    series.push_back(50);
    const std::vector<std::uint8_t> flags = spikeFlags(series);
    EXPECT_EQ(flags[150], 0);
    EXPECT_EQ(flags.back(), 1);
    EXPECT_EQ(std::accumulate(flags.begin(), flags.end(), 0), 1);
}

}  // namespace
}  // namespace es::analysis
