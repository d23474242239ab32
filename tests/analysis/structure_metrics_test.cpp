// SPDX-License-Identifier: GPL-3.0-or-later
// Metrics of structure against closed forms on planted routing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/metrics/chance.h"
#include "analysis/metrics/confidence.h"
#include "analysis/metrics/group_routing.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/neighbours.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/paths.h"
#include "analysis/metrics/spread.h"
#include "analysis/metrics/stability.h"
#include "analysis/metrics/token_labels.h"
#include "analysis/planted_scenes.h"
#include "analysis/stats/clustered.h"
#include "analysis/stats/clustering.h"
#include "analysis/stats/multiple.h"
#include "engine/base/random.h"
#include "support/planted_routing.h"

namespace es::analysis {
namespace {

using store::RoutingView;

std::vector<double> jointOf(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b, std::int32_t rows, std::int32_t columns) {
    std::vector<double> joint(static_cast<std::size_t>(rows * columns), 0);
    for (std::size_t t = 0; t < a.size(); ++t) joint[static_cast<std::size_t>(a[t] * columns + b[t])] += 1;
    return joint;
}

TEST(Adjusted, ExpectedInformationIsTheMeanOverAllPermutations) {
    const std::vector<std::int32_t> a = {0, 0, 0, 1, 1, 2, 2};
    std::vector<std::int32_t> b = {0, 1, 1, 0, 0, 1, 2}, order(b.size());
    std::iota(order.begin(), order.end(), 0);
    double sum = 0;
    int permutations = 0;
    do {
        std::vector<std::int32_t> dealt;
        for (const std::int32_t i : order) dealt.push_back(b[static_cast<std::size_t>(i)]);
        sum += mutualInformation(a, dealt).mi_nats;
        ++permutations;
    } while (std::next_permutation(order.begin(), order.end()));
    ASSERT_EQ(permutations, 5040);
    EXPECT_NEAR(expectedMutualInformation(std::vector<double>{3, 2, 2}, std::vector<double>{3, 3, 1}), sum / permutations, 1e-12);
}

TEST(Adjusted, AgreesWithAPublishedExample) {
    // The example of scikit-learn's own tests: MI 0.41022, expected 0.15042, adjusted 0.27821.
    const std::vector<std::int32_t> a = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2}, b = {0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 2, 0, 2, 2, 2, 1, 1};
    const AdjustedInformation found = adjustedInformation(jointOf(a, b, 3, 3), 3, 3);
    EXPECT_NEAR(mutualInformation(a, b).mi_nats, 0.41022, 1e-5);
    EXPECT_NEAR(found.expected_mi_nats, 0.15042, 1e-5);
    EXPECT_NEAR(found.ami, 0.27821, 1e-5);
}

TEST(Adjusted, IsOneForEqualPartitionsAndHoldsForManyTokens) {
    const std::vector<std::int32_t> a = {0, 0, 1, 1, 2, 2};
    EXPECT_NEAR(adjustedInformation(jointOf(a, a, 3, 3), 3, 3).ami, 1, 1e-12);
    EXPECT_EQ(adjustedInformation(std::vector<double>{5, 5}, 1, 2).ami, 0) << "one label shares nothing";
    EXPECT_TRUE(std::isnan(adjustedInformation(std::vector<double>{0.5, 1, 1, 0.5}, 2, 2).ami)) << "masses are no counts";
    // 10^8 tokens: about (L - 1)(E - 1) / 2N.
    const std::vector<double> rows(12, 1e8 / 12 - std::fmod(1e8 / 12, 1)), columns(8, 12 * rows[0] / 8);
    EXPECT_NEAR(expectedMutualInformation(rows, columns) / (11.0 * 7 / (2 * 12 * rows[0])), 1, 1e-3);
}

TEST(Chance, TwoRandomChoices) {
    EXPECT_NEAR(chanceAnyShared(8, 2), 0.464, 5e-4);
    EXPECT_NEAR(chanceAnyShared(64, 8), 0.679, 5e-4);
    EXPECT_EQ(chanceAnyShared(4, 4), 1);
    EXPECT_EQ(chanceAnyShared(4, 3), 1);
}

TEST(Load, FifthsAndRatios) {
    const LoadStats load = loadOf(std::vector<double>{50, 10, 10, 10, 10, 2, 2, 2, 2, 2});
    EXPECT_NEAR(load.top_share, 0.6, 1e-12);
    EXPECT_NEAR(load.bottom_share, 0.04, 1e-12);
    EXPECT_NEAR(load.max_min_ratio, 25, 1e-12);
    EXPECT_NEAR(load.relative_perplexity, load.effective_experts / 10, 1e-12);
    EXPECT_TRUE(std::isinf(loadOf(std::vector<double>{1, 0}).max_min_ratio));
}

TEST(Change, IntersectionOverUnion) {
    const std::vector<std::int32_t> a = {0, 1, 2, 3}, b = {0, 2, 2, 3};
    EXPECT_NEAR(compareRouting(test::tableOf(a, 4, 2), test::tableOf(b, 4, 2)).iou, (1.0 / 3 + 1) / 2, 1e-12);
    EXPECT_NEAR(compareRouting(test::raggedOf(a, 4, 2), test::raggedOf(b, 4, 2)).iou, (1.0 / 3 + 1) / 2, 1e-12);
    EXPECT_NEAR(compareRouting(test::denseOf(a, 4, 2), test::denseOf(b, 4, 2)).iou, (1.0 / 3 + 1) / 2, 1e-6) << "masses of 1/2";
}

TEST(Neighbours, OfRoundRobinAndOfBlocks) {
    const store::RoutingTable table = test::roundRobin(64, 8, 2);
    const NeighbourStats even = neighbourStats(RoutingView(table));
    EXPECT_EQ(even.pairs, 63);
    EXPECT_EQ(even.same_first, 0);
    EXPECT_NEAR(even.same_first_chance, 1.0 / 8, 1e-12);
    EXPECT_EQ(even.any_of_two, 1) << "token t takes t and t + 1";
    EXPECT_NEAR(even.any_of_two_chance, 3.0 / 8, 1e-12) << "eight pairs of experts that follow each other: three of them share one with any";
    EXPECT_NEAR(even.overlap, 0.5, 1e-12);
    EXPECT_NEAR(even.overlap_chance, 2.0 / 8, 1e-12);
    store::RoutingTable two = test::tableOf({0, 0, 1, 1}, 2, 1);
    two.sample_T = {1, 1, 2, 2};
    two.position_T = {0, 1, 0, 1};
    const NeighbourStats blocks = neighbourStats(RoutingView(two));
    EXPECT_EQ(blocks.pairs, 2) << "the end of one sample and the start of the next are no neighbours";
    EXPECT_EQ(blocks.same_first, 1);
    EXPECT_TRUE(std::isnan(blocks.any_of_two));
}

TEST(Neighbours, AreTheNextInTheirRow) {
    // A 2 x 2 grid, and a sample of which only two words were kept.
    store::RoutingTable table = test::tableOf({0, 0, 0, 0, 1, 1}, 2, 1);
    table.sample_T = {1, 1, 1, 1, 2, 2};
    table.position_T = {0, 1, 2, 3, 3, 57};
    table.modality_T = {Modality::kVision, Modality::kVision, Modality::kVision, Modality::kVision, Modality::kText, Modality::kText};
    EXPECT_EQ(neighbourStats(RoutingView(table)).pairs, 3) << "words 3 and 57 are no neighbours";
    EXPECT_EQ(neighbourStats(RoutingView(table), {{1, 2}}).pairs, 2) << "nor are the end of a row and the start of the next";
    EXPECT_EQ(neighbourStats(RoutingView(table), {{1, 4}}).pairs, 3);
    // A collapsed router: everybody has the same pair, which is no neighbourhood.
    const NeighbourStats collapsed = neighbourStats(RoutingView(test::tableOf({0, 1, 0, 1, 0, 1}, 8, 2)));
    EXPECT_EQ(collapsed.any_of_two, 1);
    EXPECT_EQ(collapsed.any_of_two_chance, 1);
}

TEST(Paths, EntropiesOfDependentAndIndependentLayers) {
    // Layer 2 copies layer 1; layer 3 goes its own way, every combination equally often.
    std::vector<std::int32_t> first, third;
    for (int t = 0; t < 64; ++t) {
        first.push_back(t % 4);
        third.push_back(t / 4 % 2);
    }
    std::vector<store::RoutingTable> tables = {test::tableOf(first, 4, 1), test::tableOf(first, 4, 1), test::tableOf(third, 2, 1)};
    const RoutingPaths paths = routingPaths(tables);
    EXPECT_EQ(paths.tokens, 64);
    EXPECT_EQ(paths.paths.size(), 8u);
    EXPECT_NEAR(paths.entropy_nats, std::log(8.0), 1e-12);
    EXPECT_NEAR(paths.effective_paths, 8, 1e-9);
    EXPECT_NEAR(paths.independent_entropy_nats, std::log(4.0) * 2 + std::log(2.0), 1e-12);
    EXPECT_EQ(paths.paths.front().tokens, 8);
    EXPECT_NEAR(paths.paths.front().expected, 64.0 / 32, 1e-12);
    EXPECT_EQ(paths.paths.front().experts, (std::vector<std::int32_t>{0, 0, 0})) << "ties by experts";
    tables[1].expert_ids[5] = 0xFFFF;
    EXPECT_EQ(routingPaths(tables).left_out, 1);
}

TEST(Similarity, OfRoutersAndOfExperts) {
    const test::PlantedTable made = test::planted({.labels = 4, .experts = 4, .per_label = 50, .follow = 0.5});
    EXPECT_NEAR(routerCka(made.table, made.table), 1, 1e-9);
    store::RoutingTable renamed = made.table;
    for (std::size_t t = 0; t < static_cast<std::size_t>(renamed.tokens); ++t)
        std::reverse(renamed.probs_TE.begin() + static_cast<std::ptrdiff_t>(t * 4), renamed.probs_TE.begin() + static_cast<std::ptrdiff_t>(t * 4 + 4));
    EXPECT_NEAR(routerCka(made.table, renamed), 1, 1e-9) << "names of experts do not matter";
    renamed.probs_TE.clear();
    EXPECT_TRUE(std::isnan(routerCka(made.table, renamed)));
    store::RoutingTable two = test::tableOf({0, 1, 0}, 2, 1);
    two.probs_TE = {0.9f, 0.1f, 0.2f, 0.8f, 0.6f, 0.4f};
    const std::vector<double> correlation = probabilityCorrelation(two);
    EXPECT_NEAR(correlation[1], -1, 1e-6) << "two probabilities sum to one";
    EXPECT_EQ(correlation[0], 1);
    EXPECT_NEAR(usageOverlap(std::vector<double>{0.5, 0.5, 0}, std::vector<double>{0.25, 0.25, 0.5}), 0.5, 1e-12);
}

TEST(Clustering, PutsBlocksTogether) {
    // Items 0, 2, 4 are alike, so are 1, 3, 5.
    std::vector<double> distance(36);
    for (std::size_t i = 0; i < 6; ++i)
        for (std::size_t j = 0; j < 6; ++j) distance[i * 6 + j] = i % 2 == j % 2 ? 0.1 : 1.0;
    const Clustering found = averageLinkage(distance, 6);
    ASSERT_EQ(found.order.size(), 6u);
    for (std::size_t i = 1; i < 3; ++i) {
        EXPECT_EQ(found.order[i] % 2, found.order[0] % 2);
        EXPECT_EQ(found.order[i + 3] % 2, found.order[3] % 2);
    }
    ASSERT_EQ(found.merges.size(), 5u);
    EXPECT_NEAR(found.merges.back().distance, 1, 1e-12);
    EXPECT_TRUE(averageLinkage({}, 0).order.empty());
    // Points on a line come out in their order, or turned round.
    const std::vector<double> at = {5, 1, 9, 2, 7};
    std::vector<double> line(25);
    for (std::size_t i = 0; i < 5; ++i)
        for (std::size_t j = 0; j < 5; ++j) line[i * 5 + j] = std::abs(at[i] - at[j]);
    std::vector<std::int32_t> order = averageLinkage(line, 5).order;
    if (order.front() != 1) std::reverse(order.begin(), order.end());
    EXPECT_EQ(order, (std::vector<std::int32_t>{1, 3, 0, 4, 2}));
}

TEST(Clustering, CoactiveExpertsStandTogether) {
    const store::RoutingTable table = test::tableOf({0, 3, 0, 3, 1, 2, 1, 2, 3, 0, 2, 1}, 4, 2);
    const std::vector<std::int32_t> order = coactivationOrder(coactivation(RoutingView(table)));
    const auto place = [&](std::int32_t e) { return std::find(order.begin(), order.end(), e) - order.begin(); };
    EXPECT_EQ(std::abs(place(0) - place(3)), 1);
    EXPECT_EQ(std::abs(place(1) - place(2)), 1);
}

TEST(Spread, ExpertsATokenAndDropsByPosition) {
    store::RoutingTable ragged = test::raggedOf({0, 1, 2, -1, -1, -1, 3, -1}, 4, 2);
    const TokenSpread spread = tokenSpread(RoutingView(ragged));
    EXPECT_EQ(spread.least, 0);
    EXPECT_EQ(spread.most, 2);
    EXPECT_NEAR(spread.mean, 1, 1e-12);
    EXPECT_EQ(spread.thresholds, (std::vector<std::int32_t>{1, 2, 4}));
    EXPECT_EQ(spread.at_least, (std::vector<double>{0.75, 0.25, 0}));
    EXPECT_NEAR(spread.mean_weight, 0.5, 1e-7);
    store::RoutingTable fixed = test::roundRobin(16, 4, 1);
    fixed.kept.assign(16, 1);
    for (std::size_t t = 12; t < 16; ++t) fixed.kept[t] = 0;
    const DropsByPosition drops = dropsByPosition(RoutingView(fixed), 4);
    EXPECT_EQ(drops.first_position, (std::vector<std::int32_t>{0, 4, 8, 12}));
    EXPECT_EQ(drops.dropped, (std::vector<std::int64_t>{0, 0, 0, 4}));
    EXPECT_EQ(drops.assignments, (std::vector<std::int64_t>{4, 4, 4, 4}));
}

TEST(Confidence, EntropyOfTheChosen) {
    store::RoutingTable table = test::roundRobin(4, 4, 2);
    EXPECT_NEAR(chosenEntropy(RoutingView(table)), 1, 1e-7) << "equal weights";
    for (std::size_t t = 0; t < 4; ++t) table.gates[t * 2] = 0.9f, table.gates[t * 2 + 1] = 0.1f;
    EXPECT_NEAR(chosenEntropy(RoutingView(table)), -(0.9 * std::log(0.9) + 0.1 * std::log(0.1)) / std::log(2.0), 1e-6);
    const store::RoutingTable single = test::roundRobin(4, 4, 1);
    EXPECT_TRUE(std::isnan(chosenEntropy(RoutingView(single)))) << "one choice has no entropy";
    table.probs_TE.assign(16, 0.25f);
    EXPECT_EQ(tokenEntropies(RoutingView(table)).size(), 4u);
    EXPECT_NEAR(tokenEntropies(RoutingView(table)).front(), std::log(4.0), 1e-7);
}

TEST(Context, DeviationOfWordsThatAlwaysTakeOneExpert) {
    // Four words, each always to its own expert of four: every share is 1 or 0.
    std::vector<std::int32_t> expert, word;
    for (int t = 0; t < 400; ++t) {
        expert.push_back(t % 4);
        word.push_back(t % 4 + 100);
    }
    const store::RoutingTable table = test::tableOf(expert, 4, 1);
    const LabelDeviation found = labelDeviation(RoutingView(table), word, 16);
    EXPECT_EQ(found.labels, 4);
    EXPECT_NEAR(found.deviation, std::sqrt(3.0) / 4, 1e-12);
    EXPECT_NEAR(found.deviation, found.most, 1e-12);
    // 100 of 400 tokens without replacement: deviation of a share sqrt(p q / 100 x 300 / 399), and the mean of a root is a little smaller.
    EXPECT_NEAR(found.chance, 0.95 * std::sqrt(0.25 * 0.75 / 100 * 300 / 399), 0.005);
    EXPECT_EQ(labelDeviation(RoutingView(table), word, 101).labels, 0);
    EXPECT_NEAR(vocabularyChance(RoutingView(table), word, 40, 1), 0.3, 0.05) << "of 100 dealt to four experts the most frequent has about 0.3";
}

TEST(Context, WordsThatMeanNothingDeviateAsMuchAsChance) {
    // k = 2 and soft routing: two experts of a token are never the same, and masses are no throws of a coin.
    RandomStream random(4, RandomPurpose::kSynthetic);
    std::vector<std::int32_t> two, word;
    for (int t = 0; t < 3000; ++t) {
        const auto first = static_cast<std::int32_t>(random.below(3));
        two.insert(two.end(), {first, (first + 1 + static_cast<std::int32_t>(random.below(3))) % 4});
        word.push_back(t % 50);
    }
    for (const bool soft : {false, true}) {
        const store::RoutingTable table = soft ? test::denseOf(two, 4, 2) : test::tableOf(two, 4, 2);
        const LabelDeviation found = labelDeviation(RoutingView(table), word, 16);
        EXPECT_EQ(found.labels, 50);
        EXPECT_NEAR(found.deviation / found.chance, 1, 0.08) << soft;
    }
}

TEST(Divergence, OfApartAndOfEqualGroups) {
    const store::RoutingTable table = test::tableOf({0, 1, 2, 3, 0, 1, 2, 3}, 4, 1);
    const GroupDivergence apart = groupDivergence(RoutingView(table), std::vector<std::int32_t>{0, 0, 1, 1, 0, 0, 1, 1});
    EXPECT_NEAR(apart.pooled_nats, std::log(2.0), 1e-12);
    EXPECT_NEAR(apart.by_sample.mean, std::log(2.0), 1e-12);
    const GroupDivergence equal = groupDivergence(RoutingView(table), std::vector<std::int32_t>{0, 0, 0, 0, 1, 1, 1, 1});
    EXPECT_NEAR(equal.pooled_nats, 0, 1e-12);
    EXPECT_GE(equal.chance_nats, 0);
    EXPECT_EQ(groupDivergence(RoutingView(table), std::vector<std::int32_t>(8, 0)).tokens_b, 0);
}

TEST(Divergence, OfDomainsThatMeanNothingIsThatOfChance) {
    // 24 samples of one domain each, whose tokens take an expert of the sample: few samples make two domains differ, and their variants no less.
    std::vector<std::int32_t> expert, domain;
    std::vector<std::uint64_t> sample;
    std::vector<store::SampleRecord> records;
    RandomStream random(8, RandomPurpose::kSynthetic);
    for (std::uint64_t s = 0; s < 24; ++s) {
        const auto own = static_cast<std::int32_t>(random.below(6));
        store::SampleRecord record;
        record.hash = s + 1;
        record.truth.emplace();
        record.truth->pair_of = s % 2 == 0 ? 0 : s;
        records.push_back(record);
        for (int t = 0; t < 10; ++t) {
            expert.push_back(s % 2 == 0 ? own : expert[expert.size() - 10]);
            domain.push_back(s < 12 ? 0 : 1);
            sample.push_back(s + 1);
        }
    }
    store::RoutingTable table = test::tableOf(expert, 6, 1);
    table.sample_T = sample;
    const GroupDivergence alone = groupDivergence(RoutingView(table), domain),
                          families = groupDivergence(RoutingView(table), domain, 0, SampleFamilies(records));
    EXPECT_GT(alone.pooled_chance_nats, 0.02);
    EXPECT_GT(families.pooled_chance_nats, 1.3 * alone.pooled_chance_nats) << "half as many samples, more by chance";
    EXPECT_GT(families.pooled_nats, 0.3 * families.pooled_chance_nats);
    EXPECT_LT(families.pooled_nats, 3 * families.pooled_chance_nats);
}

TEST(Multiple, HolmAndPermutationP) {
    EXPECT_EQ(holm(std::vector<double>{0.01, 0.04, 0.03, 0.005}), (std::vector<double>{0.03, 0.06, 0.06, 0.02}));
    const std::vector<double> with_gap = holm(std::vector<double>{0.6, std::nan(""), 0.9});
    EXPECT_EQ(with_gap[0], 1);
    EXPECT_TRUE(std::isnan(with_gap[1]));
    std::vector<double> draws;
    for (int i = 1; i <= 99; ++i) draws.push_back(i / 100.0);
    EXPECT_NEAR(permutationP(0.5, draws), 51.0 / 100, 1e-12);
    EXPECT_EQ(permutationP(30, draws), kLeastP) << "far beyond all draws: the gamma's tail, never nothing";
    EXPECT_EQ(permutationP(1, {}), 1);
}

TEST(Multiple, TailsBeyondAllDrawsAreReadWithTheirSkewness) {
    // Sums of three exponentials: the tail beyond 16.5 holds 1.05e-5.
    double logs = 0;
    int read = 0;
    for (std::uint64_t study = 0; study < 50; ++study) {
        RandomStream random(study, RandomPurpose::kSynthetic, 5);
        std::vector<double> draws;
        for (int i = 0; i < 1000; ++i) draws.push_back(-std::log((1 - random.uniform()) * (1 - random.uniform()) * (1 - random.uniform())));
        if (const double p = permutationP(16.5, draws); p < 1.0 / 1001) logs += std::log(p / 1.05e-5), ++read;
    }
    ASSERT_GE(read, 45);
    EXPECT_LT(std::abs(logs / read), std::log(3.0)) << "within a factor of 3 on average";
}

TEST(Clustered, SharesEqualClosedForms) {
    // Groups of one token: the linearised variance is the sample variance of the mean.
    std::vector<double> y, n;
    for (int i = 0; i < 40; ++i) {
        y.push_back(i % 4 == 0);
        n.push_back(1);
    }
    const Interval share = clusteredShare(y, n);
    EXPECT_NEAR(share.mean, 0.25, 1e-12);
    // Wilson's limits of 39 trials (40 less the one that the mean costs), t(0.975, 39).
    const double t = 2.0226909, trials = 39, middle = (0.25 + t * t / (2 * trials)) / (1 + t * t / trials);
    const double half = t / (1 + t * t / trials) * std::sqrt(0.1875 / trials + t * t / (4 * trials * trials));
    EXPECT_NEAR(share.low, middle - half, 1e-6);
    EXPECT_NEAR(share.high, middle + half, 1e-6);
    const Interval all = clusteredShare(std::vector<double>{3, 5, 1, 2, 2}, std::vector<double>{3, 5, 1, 2, 2});
    EXPECT_EQ(all.mean, 1);
    EXPECT_EQ(all.high, 1);
    EXPECT_LT(all.low, 0.6) << "five groups prove little";
    EXPECT_TRUE(std::isnan(clusteredShare(std::vector<double>{1, 1, 2, 1}, std::vector<double>{2, 3, 2, 4}).low)) << "four are too few to say";
    EXPECT_TRUE(std::isnan(clusteredShare(std::vector<double>{1, 1, 2, 1, 1}, std::vector<double>{2, 2, 4, 2, 2}).low)) << "equal groups have no spread";
}

TEST(Clustered, DifferencesOfSeparateGroupsAreWelchs) {
    // Groups of one token of either kind: the variance is that of two means, the degrees of freedom Welch's.
    std::vector<double> y1, n1, y0, n0, a, b;
    const double left[] = {0, 1, 1, 0, 1, 1}, right[] = {0, 0, 1, 0, 0, 0, 1, 0, 0, 1};
    for (const double value : left) y1.push_back(value), n1.push_back(1), y0.push_back(0), n0.push_back(0), a.push_back(value);
    for (const double value : right) y1.push_back(0), n1.push_back(0), y0.push_back(value), n0.push_back(1), b.push_back(value);
    const Interval difference = clusteredDifference(y1, n1, y0, n0), expected = welch(a, b);
    EXPECT_NEAR(difference.mean, expected.mean, 1e-12);
    EXPECT_NEAR(difference.low, expected.low, 1e-9);
    EXPECT_NEAR(difference.high, expected.high, 1e-9);
    EXPECT_NEAR(difference.p, expected.p, 1e-9);
    EXPECT_EQ(difference.n, 6) << "the smaller side's";
}

TEST(Clustered, ALabelInFewGroupsHasNoCertainDifference) {
    // 60 groups without the label vary; the label lies in one, in four, in five.
    for (const int with : {1, 4, 5}) {
        std::vector<double> y1, n1, y0, n0;
        for (int s = 0; s < 60; ++s) y1.push_back(0), n1.push_back(0), y0.push_back(s % 5), n0.push_back(10);
        for (int s = 0; s < with; ++s) y1.push_back(14 + 2 * (s % 3)), n1.push_back(20), y0.push_back(0), n0.push_back(0);
        const Interval difference = clusteredDifference(y1, n1, y0, n0);
        EXPECT_GT(difference.mean, 0.4);
        EXPECT_EQ(difference.n, with);
        EXPECT_EQ(std::isnan(difference.low), with < 5) << with;
        EXPECT_EQ(std::isnan(difference.p), with < 5) << "no spread, no p-value";
    }
    // All groups agree on one side: the limits of both shares, no p.
    std::vector<double> y1, n1, y0, n0;
    for (int s = 0; s < 12; ++s) y1.push_back(4), n1.push_back(4), y0.push_back(s % 3), n0.push_back(10);
    const Interval sure = clusteredDifference(y1, n1, y0, n0);
    const Interval one = clusteredShare(y1, n1), other = clusteredShare(y0, n0);
    EXPECT_NEAR(sure.mean, 0.9, 1e-12);
    EXPECT_NEAR(sure.low, 0.9 - std::hypot(1 - one.low, other.high - 0.1), 1e-12);
    EXPECT_NEAR(sure.high, 0.9 + (0.1 - other.low), 1e-12);
    EXPECT_TRUE(std::isnan(sure.p));
}

TEST(TokenLabels, ComeFromTheTruthOfScenes) {
    const test::MemoryRun run = test::plantedScenes({.samples = 12});
    auto source = LabelSource::open(run);
    ASSERT_TRUE(source.has_value());
    std::vector<std::uint64_t> hashes;
    for (const store::SampleRecord& sample : run.samples) hashes.push_back(sample.hash);
    ASSERT_TRUE(source->add(run, hashes).has_value());
    const store::RoutingTable& patches = run.probe_tables.at({600, "trained"}).at(0);
    const TokenLabels colour = source->labels(patches, LabelKind::kColour, Modality::kVision);
    std::int64_t background = 0;
    for (std::size_t t = 0; t < colour.label_T.size(); ++t) {
        const store::SampleRecord& sample = run.samples[static_cast<std::size_t>(patches.sample_T[t] - 1)];
        const PatchTruth truth = patchTruth(*sample.truth, 8, 8)[patches.position_T[t]];
        if (truth.object < 0) {
            EXPECT_EQ(colour.label_T[t], -1);
            ++background;
        } else {
            EXPECT_EQ(colour.names[static_cast<std::size_t>(colour.label_T[t])], sample.truth->objects[static_cast<std::size_t>(truth.object)].colour);
        }
    }
    EXPECT_EQ(colour.background_left_out, background);
    const store::RoutingTable& words = run.probe_tables.at({600, "trained"}).at(1);
    const TokenLabels part = source->labels(words, LabelKind::kPartOfSpeech, Modality::kText);
    for (std::size_t t = 0; t < part.label_T.size(); ++t) {
        const auto& truth = *run.samples[static_cast<std::size_t>(words.sample_T[t] - 1)].truth;
        EXPECT_EQ(part.names[static_cast<std::size_t>(part.label_T[t])], partOfSpeech(truth.words[words.position_T[t]].role));
    }
    EXPECT_EQ(source->labels(words, LabelKind::kCategory, Modality::kVision).masked_left_out, 0);
    for (int i = 0; i < kLabelKindCount; ++i) EXPECT_EQ(labelKindFromString(toString(static_cast<LabelKind>(i))), static_cast<LabelKind>(i));
}

}  // namespace
}  // namespace es::analysis
