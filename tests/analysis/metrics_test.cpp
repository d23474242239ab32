// SPDX-License-Identifier: GPL-3.0-or-later
// Metrics on planted routing against closed forms, in all three layouts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/metrics/confidence.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pair_counts.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/stability.h"
#include "engine/base/random.h"
#include "engine/store/routing_tables.h"
#include "support/planted_routing.h"

namespace es::analysis {
namespace {

using store::RoutingView;

TEST(Load, RoundRobinIsPerfectlyBalanced) {
    const store::RoutingTable table = test::roundRobin(64, 8, 2);
    const LoadStats load = loadOf(expertLoads(RoutingView(table)));
    EXPECT_EQ(load.cv, 0);
    EXPECT_EQ(load.max_vio, 0);
    EXPECT_NEAR(load.effective_experts, 8, 1e-12);
    EXPECT_NEAR(load.normalized_entropy, 1, 1e-12);
    EXPECT_EQ(load.dead, 0);
    EXPECT_EQ(load.total, 128);
}

TEST(Load, CollapseReachesItsLimits) {
    const store::RoutingTable table = test::tableOf(std::vector<std::int32_t>(50, 3), 8, 1);
    const LoadStats load = loadOf(expertLoads(RoutingView(table)));
    EXPECT_EQ(load.max_vio, 7);
    EXPECT_EQ(load.dead, 7);
    EXPECT_NEAR(load.effective_experts, 1, 1e-12);
    EXPECT_NEAR(load.cv, std::sqrt(7.0), 1e-12);
}

TEST(Load, NothingAssignedIsNotAnError) {
    const store::RoutingTable table = test::tableOf({-1, -1, -1}, 4, 1);
    const LoadStats load = loadOf(expertLoads(RoutingView(table)));
    EXPECT_EQ(load.total, 0);
    EXPECT_EQ(load.dead, 4);
    EXPECT_EQ(load.max_vio, 0);
    EXPECT_FALSE(std::isnan(load.normalized_entropy));
}

TEST(Layouts, GiveTheSameNumbersForTheSameAssignments) {
    const std::vector<std::int32_t> indices = {0, 1, 2, 0, 3, 1, -1, 2, 0, 3};
    const store::RoutingTable fixed = test::tableOf(indices, 4, 2), ragged = test::raggedOf(indices, 4, 2), dense = test::denseOf(indices, 4, 2);
    const std::vector<std::int32_t> label = {0, 0, 1, 1, 1};
    for (const store::RoutingTable* table : {&fixed, &ragged, &dense}) {
        ASSERT_EQ(tableProblem(*table), "");
        const std::vector<double> share = loadOf(expertLoads(RoutingView(*table))).share_E;
        EXPECT_NEAR(share[0], 3.0 / 9, 1e-9);
        EXPECT_NEAR(share[2], 2.0 / 9, 1e-9);
        const std::vector<double> joint = labelByExpert(RoutingView(*table), label, 2);
        EXPECT_NEAR(joint[0 * 4 + 0] / joint[0 * 4 + 1], 2, 1e-9);
        EXPECT_EQ(drops(RoutingView(*table)).assignments, 9);
    }
    EXPECT_EQ(firstChoices(RoutingView(fixed)), (std::vector<std::int32_t>{0, 2, 3, -1, 0}));
    EXPECT_EQ(firstChoices(RoutingView(dense)), (std::vector<std::int32_t>{0, 0, 1, 2, 0})) << "ties go to the lower expert";
    EXPECT_EQ(firstChoices(RoutingView(ragged)), (std::vector<std::int32_t>{0, 0, 1, 2, 0}));
}

TEST(Drops, CountsAssignmentsAndTokensLeftBehind) {
    store::RoutingTable table = test::tableOf({0, 1, 2, 3, 0, 1}, 4, 2);
    table.kept = {1, 0, 0, 0, 1, 1};
    const DropStats stats = drops(RoutingView(table));
    EXPECT_DOUBLE_EQ(stats.dropRate(), 0.5);
    EXPECT_EQ(stats.left_behind, 1);
}

TEST(Confidence, OfUniformAndCertainRouters) {
    const std::vector<float> uniform(8, 0.125f), certain = {1, 0, 0, 0};
    const ConfidenceStats even = confidenceOf(uniform, 2);
    EXPECT_NEAR(even.entropy_nats, std::log(8.0), 1e-7);
    EXPECT_NEAR(even.boundary_margin, 0, 1e-9);
    EXPECT_NEAR(even.chosen_mass, 0.25, 1e-7);
    const ConfidenceStats sure = confidenceOf(certain, 1);
    EXPECT_EQ(sure.entropy_nats, 0);
    EXPECT_EQ(sure.boundary_margin, 1);
    EXPECT_EQ(confidenceOf(certain, 4).boundary_margin, 0) << "the last probability minus nothing";
}

TEST(Confidence, FallsBackToRecordedColumns) {
    store::RoutingTable table = test::roundRobin(4, 4, 1);
    table.entropy_nats_T = {1, 2, 3, 4};
    const ConfidenceStats stats = confidence(RoutingView(table));
    EXPECT_DOUBLE_EQ(stats.entropy_nats, 2.5);
    EXPECT_TRUE(std::isnan(stats.top1));
    EXPECT_TRUE(std::isnan(stats.boundary_margin));
}

TEST(Confidence, MarginsAreOfTheExpertsThatWereChosen) {
    // Experts choose their tokens: the best expert of token 0 did not, nobody took token 1, token 2 has two of three.
    store::RoutingTable table;
    table.router.experts = 3;
    table.router.layout = store::RoutingLayout::kRagged;
    table.tokens = 3;
    table.offsets = {0, 1, 1, 3};
    table.expert_ids = {1, 0, 2};
    table.gates = {0.25f, 0.5f, 0.375f};
    table.probs_TE = {0.5f, 0.25f, 0.25f, 0.25f, 0.5f, 0.25f, 0.5f, 0.125f, 0.375f};
    EXPECT_DOUBLE_EQ(boundaryMargin(RoutingView(table), 0), -0.25);
    EXPECT_DOUBLE_EQ(boundaryMargin(RoutingView(table), 1), -0.5);
    EXPECT_DOUBLE_EQ(boundaryMargin(RoutingView(table), 2), 0.25);
    EXPECT_DOUBLE_EQ(confidence(RoutingView(table)).boundary_margin, -0.5 / 3);
    table.boundary_margin_T = {-0.125f, 0.0f, 0.75f};
    EXPECT_DOUBLE_EQ(boundaryMargin(RoutingView(table), 2), 0.75) << "what the router itself recorded comes first";
    // Soft routing leaves nobody out.
    store::RoutingTable soft;
    soft.router.experts = 2;
    soft.router.layout = store::RoutingLayout::kDenseMass;
    soft.tokens = 1;
    soft.gates = soft.probs_TE = {0.75f, 0.25f};
    EXPECT_TRUE(std::isnan(boundaryMargin(RoutingView(soft), 0)));
    EXPECT_TRUE(std::isnan(confidence(RoutingView(soft)).boundary_margin));
    EXPECT_DOUBLE_EQ(confidence(RoutingView(soft)).margin12, 0.5);
}

TEST(Change, FindsThePlantedDrift) {
    const store::RoutingTable table = test::roundRobin(200, 8, 1);
    for (const double share : {0.0, 0.1, 0.35, 1.0}) {
        const RoutingChange change = compareRouting(table, test::drifted(table, share));
        EXPECT_NEAR(change.changed_first, share, 1e-12);
        EXPECT_NEAR(change.overlap, 1 - share, 1e-12);
    }
}

TEST(Change, RaggedRoutingOfTheSameChoicesGivesTheSame) {
    const std::vector<std::int32_t> a = {0, 1, 2, 3, 1, 0, 3, 2}, b = {1, 0, 2, 1, 1, 0, 0, 2};
    const RoutingChange fixed = compareRouting(test::tableOf(a, 4, 2), test::tableOf(b, 4, 2)),
                        ragged = compareRouting(test::raggedOf(a, 4, 2), test::raggedOf(b, 4, 2));
    EXPECT_DOUBLE_EQ(fixed.overlap, 0.75);
    EXPECT_DOUBLE_EQ(fixed.overlap, ragged.overlap);
    EXPECT_DOUBLE_EQ(fixed.changed_slots, ragged.changed_slots);
    const RoutingChange dense = compareRouting(test::denseOf(a, 4, 2), test::denseOf(b, 4, 2));
    EXPECT_NEAR(dense.overlap, 0.75, 1e-7) << "masses of 1/2 each";
}

TEST(Pairs, LayoutsAgreeOnCoactivation) {
    const std::vector<std::int32_t> indices = {0, 1, 2, 0, 3, -1, 1, 0};
    const store::RoutingTable plain = test::tableOf(indices, 4, 2);
    const Coactivation fixed = coactivation(RoutingView(plain));
    const store::RoutingTable table = test::raggedOf(indices, 4, 2);
    EXPECT_EQ(fixed.count_EE, coactivation(RoutingView(table)).count_EE);
    EXPECT_EQ(fixed.count_EE[0 * 4 + 1], 2);
}

TEST(Change, MatchesTokensByWhatTheyAreNotByTheirRow) {
    const store::RoutingTable table = test::roundRobin(10, 5, 1);
    store::RoutingTable reversed = table;
    std::reverse(reversed.expert_ids.begin(), reversed.expert_ids.end());
    std::reverse(reversed.position_T.begin(), reversed.position_T.end());
    EXPECT_EQ(compareRouting(table, reversed).changed_first, 0);
    store::RoutingTable fewer = selectTokens(table, std::vector<std::uint8_t>{1, 1, 1, 0, 0, 0, 0, 0, 0, 0});
    const RoutingChange change = compareRouting(table, fewer);
    EXPECT_EQ(change.tokens, 3);
    EXPECT_EQ(change.unmatched, 7);
}

TEST(Dependence, EqualsThePlantedInformation) {
    for (const double follow : {0.0, 0.25, 0.5, 1.0}) {
        const test::Planted plan{.labels = 4, .experts = 4, .per_label = 400, .follow = follow};
        const test::PlantedTable made = test::planted(plan);
        const MutualInformation found = mutualInformation(made.label_T, firstChoices(RoutingView(made.table)));
        EXPECT_NEAR(found.mi_nats, test::plantedMutualInformation(plan), 1e-12) << follow;
        if (follow == 1) {
            EXPECT_NEAR(found.nmi, 1, 1e-12);
        }
        if (follow == 0) {
            EXPECT_NEAR(found.nmi, 0, 1e-12);
        }
    }
}

TEST(Dependence, ATablesFirstChoicesGiveTheSameWithoutACopy) {
    const std::vector<std::int32_t> label = {0, 1, 1, 2, 2, 0, 1, -1}, indices = {0, 1, 2, 0, 3, 1, -1, 2, 0, 3, 1, 0, 2, 1, 3, 0};
    for (const store::RoutingTable& table : {test::tableOf(indices, 4, 2), test::raggedOf(indices, 4, 2), test::denseOf(indices, 4, 2)}) {
        const RoutingView view(table);
        const MutualInformation a = mutualInformation(label, view), b = mutualInformation(label, firstChoices(view));
        EXPECT_EQ(a.mi_nats, b.mi_nats);
        EXPECT_EQ(a.nmi, b.nmi);
        EXPECT_EQ(a.tokens, b.tokens);
    }
}

TEST(Dependence, LabelsBeyondTheDirectTableGiveTheSame) {
    const test::PlantedTable made = test::planted({.labels = 6, .experts = 3, .per_label = 60, .follow = 0.5});
    std::vector<std::int32_t> far = made.label_T;
    for (std::int32_t& label : far) label = label * 300'000'000 + 7;
    const auto experts = firstChoices(RoutingView(made.table));
    EXPECT_NEAR(mutualInformation(far, experts).mi_nats, mutualInformation(made.label_T, experts).mi_nats, 1e-12);
}

TEST(Modality, PooledBalanceCapsTheTextExpert) {
    // methods 3.8: 576 image and 64 text tokens, 8 experts in exact balance, one of which takes all text: p(text | e) = 0.8, I = 0.263 nats.
    std::vector<std::int32_t> expert, modality;
    for (int t = 0; t < 576; ++t) {
        expert.push_back(t < 560 ? t % 7 : 7);
        modality.push_back(0);
    }
    for (int t = 0; t < 64; ++t) {
        expert.push_back(7);
        modality.push_back(1);
    }
    const store::RoutingTable table = test::tableOf(expert, 8, 1);
    EXPECT_EQ(loadOf(expertLoads(RoutingView(table))).max_vio, 0);
    const ModalitySplit split = modalitySplit(RoutingView(table), modality, 2);
    EXPECT_NEAR(split.p_modality_given_expert_EM[7 * 2 + 1], 0.8, 1e-12);
    EXPECT_NEAR(split.base_M[1], 0.1, 1e-12);
    const MutualInformation information = mutualInformation(modality, expert);
    EXPECT_NEAR(information.mi_nats, 0.263, 5e-4);
    EXPECT_NEAR(information.nmi, 0.81, 5e-3);
}

TEST(Pairs, EveryWayCountsWhatAPairAtATimeCounts) {
    EXPECT_EQ(PairCounts::fasterWay(64, 8), PairCounts::Way::kBits);
    EXPECT_EQ(PairCounts::fasterWay(16, 2), PairCounts::Way::kOneByOne);
    RandomStream random(5, RandomPurpose::kSynthetic);
    for (const std::size_t tokens : {0u, 1u, 63u, 64u, 65u, 3839u, 3840u, 3841u, 9000u}) {
        constexpr std::size_t kExperts = 20, kChoices = 5;
        std::vector<std::uint16_t> ids;
        std::vector<double> expected(kExperts * kExperts, 0);
        for (std::size_t t = 0; t < tokens; ++t) {
            std::set<std::uint16_t> chosen;
            // Some are out of range, as the bits of a damaged file may be.
            while (chosen.size() < kChoices) chosen.insert(static_cast<std::uint16_t>(random.nextU32() % (kExperts + 3)));
            ids.insert(ids.end(), chosen.begin(), chosen.end());
            for (const std::uint16_t i : chosen)
                for (const std::uint16_t j : chosen)
                    if (i < kExperts && j < kExperts) ++expected[i * kExperts + j];
        }
        for (const PairCounts::Way way : {PairCounts::Way::kBits, PairCounts::Way::kOneByOne}) {
            // At once, in parts that end anywhere, and looked at between them.
            PairCounts whole(kExperts, kChoices, way), parts(kExperts, kChoices, way);
            whole.add(ids);
            for (std::size_t begin = 0; begin < ids.size();) {
                const std::size_t size = std::min(ids.size() - begin, kChoices * (random.nextU32() % 2500 + 1));
                parts.add(std::span(ids).subspan(begin, size));
                begin += size;
                (void)parts.counts();
            }
            EXPECT_EQ(whole.counts(), expected) << tokens;
            EXPECT_EQ(parts.counts(), expected) << tokens;
        }
    }
    // Every token of a block, so that nothing may overflow.
    PairCounts alike(1, 1, PairCounts::Way::kBits);
    alike.add(std::vector<std::uint16_t>(100'000, 0));
    EXPECT_EQ(alike.counts(), std::vector<double>{100'000});
    PairCounts none(0, 0);
    none.add(std::vector<std::uint16_t>{1, 2});
    EXPECT_TRUE(none.counts().empty());
}

TEST(Pairs, CoactivationCountsAllPairsNotNeighboursInRank) {
    const store::RoutingTable table = test::tableOf({0, 1, 2}, 4, 3);
    const Coactivation pairs = coactivation(RoutingView(table));
    EXPECT_EQ(pairs.count_EE[0 * 4 + 2], 1);
    EXPECT_EQ(pairs.count_EE[2 * 4 + 0], 1);
    EXPECT_EQ(pairs.conditional_EE[3 * 4 + 3], 0);
}

TEST(Pairs, MatchingFindsThePermutation) {
    const test::PlantedTable made = test::planted({.labels = 5, .experts = 5, .per_label = 50, .follow = 0.8});
    const std::vector<std::int32_t> a = firstChoices(RoutingView(made.table)), order = {3, 0, 4, 1, 2};
    std::vector<std::int32_t> b;
    for (const std::int32_t e : a) b.push_back(order[static_cast<std::size_t>(e)]);
    const ExpertMatch match = matchExperts(a, b, 5);
    EXPECT_EQ(match.permutation_E, order);
    EXPECT_EQ(match.agreement, 1);
    EXPECT_LT(match.unmatched_agreement, 0.5);
}

TEST(Table, ProblemsAreNamed) {
    store::RoutingTable table = test::roundRobin(4, 4, 1);
    table.expert_ids.pop_back();
    EXPECT_NE(tableProblem(table), "");
    store::RoutingTable ragged = test::raggedOf({0, 1}, 2, 1);
    ragged.offsets[1] = 9;
    EXPECT_NE(tableProblem(ragged), "");
}

TEST(Table, SelectingKeepsColumnsTogether) {
    const test::PlantedTable made = test::planted({.labels = 2, .experts = 3, .per_label = 6, .samples_per_label = 2});
    std::vector<std::uint8_t> include(12, 0);
    include[5] = include[11] = 1;
    const store::RoutingTable two = selectTokens(made.table, include);
    ASSERT_EQ(two.tokens, 2);
    EXPECT_EQ(tableProblem(two), "");
    EXPECT_EQ(two.expert_ids[1], made.table.expert_ids[11]);
    EXPECT_EQ(two.probs_TE[3], made.table.probs_TE[33]);
    EXPECT_EQ(two.sample_T[1], made.table.sample_T[11]);
    const store::RoutingTable ragged = selectTokens(test::raggedOf({0, 1, -1, 2, 1, 0}, 3, 2), std::vector<std::uint8_t>{0, 1, 1});
    EXPECT_EQ(ragged.offsets, (std::vector<std::int64_t>{0, 1, 3}));
    EXPECT_EQ(ragged.expert_ids, (std::vector<std::uint16_t>{2, 1, 0}));
}

}  // namespace
}  // namespace es::analysis
