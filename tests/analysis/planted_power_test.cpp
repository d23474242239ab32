// SPDX-License-Identifier: GPL-3.0-or-later
// Expert 3 takes red and expert 5 takes nouns: how often the specialisation table finds them, at a strong and at a weak effect, and what else it lists.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "analysis/metrics/specialisation.h"
#include "analysis/planted_scenes.h"

namespace es::analysis {
namespace {

const Specialisation* rowOf(const std::vector<Specialisation>& rows, std::int32_t router, LabelKind kind) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const Specialisation& row) { return row.router.id.value == router && row.label == kind; });
    return found == rows.end() ? nullptr : &*found;
}

bool takes(const Specialisation* row, std::int32_t expert, const std::string& label) {
    if (!row || !row->found()) return false;
    return std::any_of(row->preferences.begin(), row->preferences.end(),
                       [&](const LabelPreference& one) { return one.expert == expert && one.label == label && one.low > 0; });
}

/// p(expert | label) - p(expert | another label) in the tables themselves, found or not.
double differenceOf(const test::MemoryRun& run, std::int32_t router, std::int32_t expert, const std::function<int(const SceneTruth&, std::size_t)>& has) {
    const store::RoutingTable& table = run.probe_tables.at({600, "trained"}).at(router);
    double taken[2] = {0, 0}, tokens[2] = {0, 0};
    for (std::size_t t = 0; t < table.expert_ids.size(); ++t) {
        const int own = has(*run.samples[static_cast<std::size_t>(table.sample_T[t] - 1)].truth, table.position_T[t]);
        if (own < 0) continue;
        tokens[own] += 1;
        taken[own] += table.expert_ids[t] == expert;
    }
    return taken[1] / tokens[1] - taken[0] / tokens[0];
}
int isRed(const SceneTruth& truth, std::size_t patch) {
    const std::int32_t object = patchTruth(truth, 8, 8)[patch].object;
    return object < 0 ? -1 : truth.objects[static_cast<std::size_t>(object)].colour == "red" ? 1 : 0;
}
int isNoun(const SceneTruth& truth, std::size_t word) { return truth.words[word].role == WordRole::kShape ? 1 : 0; }

/// What follows from the planted: the words of a role are a matter of the words, and where words stand.
bool followsFrom(const Specialisation& row) { return row.label == LabelKind::kColour || (row.modality == Modality::kText && row.label != LabelKind::kDomain); }

struct Power {
    int red = 0, nouns = 0, others_of_row = 0, other_rows = 0, seeds = 0;
    double red_effect = 0, noun_effect = 0;  ///< means over all seeds
};
Power powerOf(double strength, int first_seed, int seeds) {
    Power power;
    power.seeds = seeds;
    for (int seed = first_seed; seed < first_seed + seeds; ++seed) {
        const test::MemoryRun run = test::plantedScenes({.patches = strength, .words = strength, .seed = static_cast<std::uint64_t>(seed)});
        const auto rows = specialisation(run);
        EXPECT_TRUE(rows.has_value());
        const Specialisation *colour = rowOf(*rows, 0, LabelKind::kColour), *part = rowOf(*rows, 1, LabelKind::kPartOfSpeech);
        power.red += takes(colour, test::kPlantedRed, "red");
        power.nouns += takes(part, test::kPlantedNouns, "noun");
        power.red_effect += differenceOf(run, 0, test::kPlantedRed, &isRed) / seeds;
        power.noun_effect += differenceOf(run, 1, test::kPlantedNouns, &isNoun) / seeds;
        const auto other = [](const Specialisation& row, std::int32_t expert, const std::string& label) {
            return std::any_of(row.preferences.begin(), row.preferences.end(),
                               [&](const LabelPreference& one) { return one.expert != expert || one.label != label; });
        };
        power.others_of_row += other(*colour, test::kPlantedRed, "red") || other(*part, test::kPlantedNouns, "noun");
        power.other_rows +=
            std::any_of(rows->begin(), rows->end(), [&](const Specialisation& row) { return !followsFrom(row) && (row.found() || !row.preferences.empty()); });
    }
    std::printf("strength %.1f: expert 3 takes red in %d, expert 5 takes nouns in %d of %d seeds (differences %.2f and %.2f, mean of all seeds)\n", strength,
                power.red, power.nouns, seeds, power.red_effect, power.noun_effect);
    std::printf("  another pair of their rows in %d, another row in %d of %d seeds\n", power.others_of_row, power.other_rows, seeds);
    return power;
}

TEST(PlantedExperts, AreFoundAtAStrongEffect) {
    const Power power = powerOf(4.5, 2001, 60);
    EXPECT_GE(power.red, 57);
    EXPECT_GE(power.nouns, 57);
    EXPECT_LE(power.others_of_row, 6) << "5 % of 60 are 3";
    EXPECT_LE(power.other_rows, 6);
}

TEST(PlantedExperts, AreFoundAtAWeakEffectInSomeSeeds) {
    const Power power = powerOf(1.0, 3001, 60);
    EXPECT_GE(power.red, 20);
    EXPECT_GE(power.nouns, 20);
    EXPECT_LE(power.others_of_row, 6);
    EXPECT_LE(power.other_rows, 6);
    EXPECT_LT(power.red_effect, 0.35) << "a weak effect is a weak effect";
}

TEST(PlantedExperts, AStrongRunSaysWhichAndHowMuch) {
    const auto rows = specialisation(test::plantedScenes({}));
    ASSERT_TRUE(rows.has_value());
    const Specialisation* colour = rowOf(*rows, 0, LabelKind::kColour);
    ASSERT_NE(colour, nullptr);
    EXPECT_GT(colour->background_left_out, 0) << "background is not a colour";
    EXPECT_EQ(colour->families, 48) << "no scene is a variant of another";
    ASSERT_FALSE(colour->preferences.empty());
    EXPECT_EQ(colour->preferences.front().expert, test::kPlantedRed) << "the clearest first";
    EXPECT_EQ(colour->preferences.front().label, "red");
    EXPECT_GT(colour->preferences.front().p_expert_given_label, 0.8);
    EXPECT_GT(colour->preferences.front().low, 0.5);
    EXPECT_GT(colour->ami, 0.05);
    const Specialisation* part = rowOf(*rows, 1, LabelKind::kPartOfSpeech);
    ASSERT_NE(part, nullptr);
    ASSERT_FALSE(part->preferences.empty());
    EXPECT_EQ(part->preferences.front().expert, test::kPlantedNouns);
    EXPECT_EQ(part->preferences.front().label, "noun");
}

}  // namespace
}  // namespace es::analysis
