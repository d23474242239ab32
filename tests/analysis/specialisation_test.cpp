// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/specialisation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/memory_run.h"
#include "analysis/metrics/labels.h"
#include "analysis/query/restricted_run.h"
#include "analysis/stats/resampling.h"
#include "engine/base/random.h"
#include "support/planted_routing.h"

namespace es::analysis {
namespace {

/// A picture of 2 x 2 patches of 4 x 4 pixels: transparent, flat red, checkered, checkered but nearly transparent.
store::SampleRecord fourPatches() {
    store::SampleRecord sample;
    sample.grid_width = sample.grid_height = 2;
    sample.picture.width = sample.picture.height = 8;
    for (int y = 0; y < 8; ++y)
        for (int x = 0; x < 8; ++x) {
            const bool right = x >= 4, below = y >= 4, dark = (x + y) % 2 == 0;
            if (!right && !below) sample.picture.rgba.insert(sample.picture.rgba.end(), {10, 20, 30, 0});
            else if (right && !below) sample.picture.rgba.insert(sample.picture.rgba.end(), {200, 0, 0, 255});
            else
                sample.picture.rgba.insert(sample.picture.rgba.end(),
                                           {static_cast<std::uint8_t>(dark ? 0 : 255), 90, 90, static_cast<std::uint8_t>(right ? 2 : 255)});
        }
    return sample;
}

TEST(Labels, BlankPatchesAreTransparentOrFlat) {
    EXPECT_EQ(blankPatches(fourPatches()), (std::vector<std::uint8_t>{1, 1, 0, 1}));
    store::SampleRecord without = fourPatches();
    without.picture = {};
    EXPECT_TRUE(blankPatches(without).empty());
}

/// A run with one router and planted probes: trained, 5 random routers, untrained.
test::MemoryRun plantedRun(double trained, double random, double untrained, Modality modality, int draws = 5) {
    test::MemoryRun run;
    const auto table = [&](double follow) {
        test::PlantedTable made = test::planted({.labels = 4, .experts = 4, .per_label = 400, .samples_per_label = 10, .follow = follow, .modality = modality});
        return made.table;
    };
    run.router_table = {table(0).router};
    run.probe_tables[{600, "trained"}][0] = table(trained);
    run.probe_tables[{0, "trained"}][0] = table(untrained);
    for (int i = 0; i < draws; ++i) run.probe_tables[{600, "random-router-" + std::to_string(i)}][0] = table(random * (i + 1) / draws);
    for (std::uint64_t s = 1; s <= 40; ++s) {
        store::SampleRecord sample;
        sample.hash = s;
        sample.category = "category " + std::to_string((s - 1) / 10);
        run.samples.push_back(std::move(sample));
    }
    return run;
}

TEST(Specialisation, FindsWhatIsPlantedAboveAllBaselines) {
    const test::MemoryRun run = plantedRun(0.5, 0.2, 0.1, Modality::kVision);
    const auto rows = specialisation(run);
    ASSERT_TRUE(rows.has_value());
    ASSERT_EQ(rows->size(), 2u) << "categories, and positions, of which the tokens tell as well";
    EXPECT_EQ(rows->back().label, LabelKind::kPosition);
    const Specialisation& row = rows->front();
    EXPECT_EQ(row.label, LabelKind::kCategory);
    EXPECT_EQ(row.tokens, 1600);
    EXPECT_EQ(row.samples, 40);
    EXPECT_NEAR(row.mi_nats, test::plantedMutualInformation({.follow = 0.5}), 1e-12);
    EXPECT_NEAR(row.nmi, row.mi_nats / std::log(4.0), 1e-12);
    EXPECT_EQ(row.random_router.draws, 5);
    EXPECT_NEAR(row.random_router.mi_max, test::plantedMutualInformation({.follow = 0.2}), 1e-12);
    EXPECT_LT(row.random_router.mi_mean, row.random_router.mi_max);
    EXPECT_NEAR(row.untrained.mi_max, test::plantedMutualInformation({.follow = 0.1}), 1e-12);
    EXPECT_EQ(row.permutation.draws, 200);
    EXPECT_TRUE(row.aboveAll());
    EXPECT_NE(specialisationVerdict(*rows).find("1 of 2 found (above all three baselines, and after correction): 1.v category"), std::string::npos);
}

TEST(Specialisation, PermutationAloneProvesNothing) {
    const auto rows = specialisation(plantedRun(0.3, 0.4, 0.1, Modality::kVision));
    EXPECT_TRUE(rows->front().above_permutation);
    EXPECT_FALSE(rows->front().above_random_router);
    EXPECT_FALSE(rows->front().aboveAll());
}

TEST(Specialisation, SaysWhichBaselineIsMissing) {
    test::MemoryRun run = plantedRun(0.5, 0.2, 0.1, Modality::kText, 0);
    run.probe_tables.erase({0, "trained"});
    const auto rows = specialisation(run);
    ASSERT_TRUE(rows.has_value());
    EXPECT_EQ(rows->front().label, LabelKind::kTokenId);
    EXPECT_FALSE(rows->front().random_router.available());
    EXPECT_EQ(rows->front().untrained.missing, "no probe of step 0");
    EXPECT_FALSE(rows->front().aboveAll()) << "a missing baseline is not a passed one";
    EXPECT_NE(specialisationVerdict(*rows).find("Not every baseline is there"), std::string::npos);
    EXPECT_FALSE(specialisation(run, 123).has_value()) << "no such probe";
}

TEST(Specialisation, IsTheSameEveryTime) {
    const test::MemoryRun run = plantedRun(0.2, 0.1, 0.1, Modality::kText);
    const auto first = specialisation(run), again = specialisation(run);
    EXPECT_EQ(first->front().permutation.nmi_max, again->front().permutation.nmi_max);
    EXPECT_NE(specialisation(run, -1, {.seed = 9})->front().permutation.nmi_max, first->front().permutation.nmi_max);
}

TEST(Specialisation, PermutingWholePicturesKeepsTheirPatchesTogether) {
    // Every picture sends all its patches to one expert of its own accord: patches in a picture agree, but categories say nothing. Permuting
    // single patches would call this significant nearly always; permuting pictures must not.
    int significant = 0;
    constexpr int kSeeds = 60;
    for (int seed = 0; seed < kSeeds; ++seed) {
        test::MemoryRun run = plantedRun(0, 0, 0, Modality::kVision);
        store::RoutingTable& table = run.probe_tables[{600, "trained"}][0];
        RandomStream random(static_cast<std::uint64_t>(seed), RandomPurpose::kSynthetic);
        std::vector<std::uint16_t> expert_of(41);
        for (auto& expert : expert_of) expert = static_cast<std::uint16_t>(random.below(4));
        for (std::size_t t = 0; t < table.expert_ids.size(); ++t) table.expert_ids[t] = expert_of[table.sample_T[t]];
        significant += specialisation(run, -1, {.permutations = 100, .seed = static_cast<std::uint64_t>(seed)})->front().above_permutation;
    }
    EXPECT_LE(significant, 7) << "2.5 % of 60 are 1.5";
}

TEST(Specialisation, MaskedTokensAndUnknownCategoriesAreLeftOut) {
    test::MemoryRun run = plantedRun(0.5, 0.2, 0.1, Modality::kVision);
    for (auto& [key, tables] : run.probe_tables)
        for (std::size_t t = 0; t < 100; ++t) tables[0].masked_T[t] = 1;
    run.samples.back().category.clear();
    const auto rows = specialisation(run);
    EXPECT_EQ(rows->front().masked_left_out, 100);
    EXPECT_EQ(rows->front().tokens, 1600 - 100 - 40);
    EXPECT_EQ(rows->front().samples, 39);
}

TEST(Specialisation, ARowWithOneLabelAsksNothing) {
    test::MemoryRun run = plantedRun(0.5, 0.2, 0.1, Modality::kVision);
    const auto two = specialisation(run);
    for (store::SampleRecord& sample : run.samples) sample.category = "everything";
    const auto one = specialisation(run);
    ASSERT_EQ(one->size(), 2u) << "categories are always shown";
    EXPECT_EQ(one->front().labels, 1);
    EXPECT_EQ(one->front().p_holm, 1);
    EXPECT_EQ(one->back().p_holm, one->back().p) << "one question is left";
    EXPECT_EQ(two->back().p, one->back().p);
}

TEST(Specialisation, TokensChosenByRoutingFindNothing) {
    const test::MemoryRun run = plantedRun(0.5, 0.2, 0.1, Modality::kVision);
    const auto rows = specialisation(run, -1, {.chosen_by_routing = true});
    ASSERT_TRUE(rows.has_value());
    for (const Specialisation& row : *rows) {
        EXPECT_FALSE(row.found());
        EXPECT_TRUE(row.preferences.empty());
        EXPECT_FALSE(row.notes.empty());
        EXPECT_EQ(foundWords(row), "chosen by routing");
    }
    EXPECT_TRUE(rows->front().aboveAll()) << "which says nothing here";
    EXPECT_NE(specialisationVerdict(*rows).find("no baseline is valid"), std::string::npos);
    EXPECT_TRUE((ChosenSet{false, {}, "(expert 5 and category animals) or (expert 3 and category plants)", {}}.chosenByRouting()));
    EXPECT_TRUE((ChosenSet{false, "mine", "category animals, not margin < 0.2", {}}.chosenByRouting()));
    EXPECT_FALSE((ChosenSet{false, {}, "layer 1.v, category animals, not masked", {}}.chosenByRouting()));
    EXPECT_FALSE(ChosenSet{}.chosenByRouting());
}

TEST(Specialisation, TokensInAnotherOrderAreTheSameTokens) {
    test::MemoryRun run = plantedRun(0.5, 0.2, 0.1, Modality::kVision);
    const auto before = specialisation(run);
    store::RoutingTable& table = run.probe_tables[{0, "trained"}][0];
    std::reverse(table.expert_ids.begin(), table.expert_ids.end());
    std::reverse(table.sample_T.begin(), table.sample_T.end());
    std::reverse(table.position_T.begin(), table.position_T.end());
    const auto after = specialisation(run);
    EXPECT_EQ(before->front().untrained.nmi_max, after->front().untrained.nmi_max);
}

}  // namespace
}  // namespace es::analysis
