// SPDX-License-Identifier: GPL-3.0-or-later
// 95 % intervals of means, differences and shares hold the truth in 95 +- 1.5 % of 2,000 simulated studies. Those over few pictures, and of what is no plain
// mean: coverage_few_test.cpp.
#include <gtest/gtest.h>

#include <memory>

#include "analysis/compare/loss_difference.h"
#include "analysis/experts/label_shares.h"
#include "analysis/stats/clustered.h"
#include "analysis/stats/intervals.h"
#include "analysis/stats/resampling.h"
#include "coverage.h"
#include "engine/base/random.h"
#include "support/planted_routing.h"

namespace es::analysis {
namespace {

using test::covers;

std::vector<double> normals(RandomStream& random, int n, double mean, double sd) {
    std::vector<double> values;
    for (int i = 0; i < n; ++i) values.push_back(mean + sd * random.normal());
    return values;
}

TEST(Coverage, MeanOfAFewSeeds) {
    covers("Student's t, mean of 5", [](RandomStream& random) { return std::pair(meanInterval(normals(random, 5, 2, 3)), 2.0); });
}

TEST(Coverage, PairedSeeds) {
    covers("paired t, 8 pairs", [](RandomStream& random) {
        const std::vector<double> seed = normals(random, 8, 0, 5);
        std::vector<double> a, b;
        for (const double common : seed) {
            a.push_back(common + 0.3 + 0.2 * random.normal());
            b.push_back(common + 0.2 * random.normal());
        }
        return std::pair(pairedT(a, b), 0.3);
    });
}

TEST(Coverage, UnpairedSeedsOfDifferentSpread) {
    covers("Welch, 8 against 12, spreads 1 and 4", [](RandomStream& random) {
        const std::vector<double> a = normals(random, 8, 1, 1), b = normals(random, 12, 0, 4);
        return std::pair(welch(a, b), 1.0);
    });
}

TEST(Coverage, Shares) {
    covers("Wilson, 100 trials, any share", [](RandomStream& random) {
        const double truth = 0.05 + 0.9 * random.uniform();
        std::int64_t successes = 0;
        for (int i = 0; i < 100; ++i) successes += random.uniform() < truth;
        return std::pair(wilson(successes, 100), truth);
    });
}

TEST(Coverage, Bootstrap) {
    covers("percentile bootstrap, mean of 100", [](RandomStream& random) {
        const std::vector<double> values = normals(random, 100, 1, 2);
        return std::pair(bootstrapMean(values, 400, random.nextU64()), 1.0);
    });
}

/// Pictures that differ in size and in how much of them an expert takes.
struct Pictures {
    std::vector<double> taken, tokens;
};
Pictures pictures(RandomStream& random, int count, double share) {
    Pictures made;
    for (int s = 0; s < count; ++s) {
        // A picture's own share: the mean of eight coin throws, so that pictures differ and their mean is the truth.
        double own = 0;
        for (int i = 0; i < 8; ++i) own += (random.uniform() < share) / 8.0;
        const int tokens = 10 + static_cast<int>(random.below(30));
        int taken = 0;
        for (int t = 0; t < tokens; ++t) taken += random.uniform() < own;
        made.taken.push_back(taken);
        made.tokens.push_back(tokens);
    }
    return made;
}

TEST(Coverage, SharesOverPictures) {
    covers("share over 60 pictures, clustered", [](RandomStream& random) {
        const double truth = 0.1 + 0.8 * random.uniform();
        const Pictures made = pictures(random, 60, truth);
        return std::pair(clusteredShare(made.taken, made.tokens), truth);
    });
}

TEST(Coverage, RiskDifferenceOverPictures) {
    covers("risk difference over 80 pictures, clustered", [](RandomStream& random) {
        const Pictures label = pictures(random, 80, 0.5), rest = pictures(random, 80, 0.3);
        return std::pair(clusteredDifference(label.taken, label.tokens, rest.taken, rest.tokens), 0.2);
    });
}

TEST(Coverage, LabelsOfAnExpert) {
    // Patches of 60 pictures; a picture's patches agree on the label more often than chance. The expert takes a third of everything.
    covers("label share of an expert", [](RandomStream& random) {
        const double truth = 0.3;
        std::vector<std::int32_t> expert, label;
        std::vector<std::uint64_t> sample;
        for (std::uint64_t s = 1; s <= 60; ++s) {
            double own = 0;
            for (int i = 0; i < 8; ++i) own += (random.uniform() < truth) / 8.0;
            for (int t = 0; t < 24; ++t) {
                sample.push_back(s);
                expert.push_back(random.below(3) == 0 ? 0 : 1);
                label.push_back(random.uniform() < own ? 0 : 1);
            }
        }
        auto table = std::make_shared<store::RoutingTable>(test::tableOf(expert, 2, 1));
        table->sample_T = sample;
        const auto tokens = expertTokens(table, {RouterId(0), ExpertIndex(0)});
        EXPECT_TRUE(tokens.has_value());
        const std::vector<std::string> names = {"a", "b"};
        const LabelShares shares = labelShares(*tokens, label, names, {.correct = false});
        for (const LabelShare& row : shares.rows)
            if (row.label == "a") return std::pair(Interval{row.share, row.share_low, row.share_high, 0, row.tokens}, truth);
        return std::pair(Interval{0, 1, 0, 0, 0}, truth);
    });
}

TEST(Coverage, LossesOverHeldOutSamples) {
    covers("difference of losses over 80 samples", [](RandomStream& random) {
        SampleLosses a, b;
        for (std::uint64_t s = 0; s < 80; ++s) {
            const SampleLosses::Key key{s, 0, Objective::kPairText};
            const double hard = 3 + random.normal();
            const auto targets = static_cast<std::int32_t>(2 + random.below(6));
            a.values[key] = {hard + 0.5 * random.normal(), targets};
            b.values[key] = {hard - 0.1 + 0.5 * random.normal(), targets};
        }
        std::vector<double> weights(kObjectiveCount, 0);
        weights[static_cast<std::size_t>(Objective::kPairText)] = 1;
        const SampleDifference found = sampleDifference(Baseline<SampleLosses>(a), Candidate<SampleLosses>(b), weights, 0.95);
        return std::pair(Interval{found.mean, found.low, found.high, found.p, found.samples}, -0.1);
    });
}

}  // namespace
}  // namespace es::analysis
