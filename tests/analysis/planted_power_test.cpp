// SPDX-License-Identifier: GPL-3.0-or-later
// Expert 3 takes red and expert 5 takes nouns: the specialisation table finds both, nothing else of their kind, and nothing in a shuffled run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

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

struct Power {
    int red = 0, nouns = 0, seeds = 0;
    double red_effect = 0, noun_effect = 0;  ///< mean risk difference of the pairs that were found
};
Power powerOf(double patches, double words, int seeds) {
    Power power;
    power.seeds = seeds;
    for (int seed = 1; seed <= seeds; ++seed) {
        const auto rows = specialisation(test::plantedScenes({.patches = patches, .words = words, .seed = static_cast<std::uint64_t>(seed)}));
        EXPECT_TRUE(rows.has_value());
        const Specialisation *colour = rowOf(*rows, 0, LabelKind::kColour), *part = rowOf(*rows, 1, LabelKind::kPartOfSpeech);
        if (takes(colour, test::kPlantedRed, "red")) ++power.red, power.red_effect += colour->preferences.front().risk_difference;
        if (takes(part, test::kPlantedNouns, "noun")) ++power.nouns, power.noun_effect += part->preferences.front().risk_difference;
    }
    power.red_effect /= std::max(power.red, 1);
    power.noun_effect /= std::max(power.nouns, 1);
    std::printf("strength %.2f for patches, %.2f for words: expert 3 takes red in %d, expert 5 takes nouns in %d of %d seeds (differences %.2f and %.2f)\n",
                patches, words, power.red, power.nouns, seeds, power.red_effect, power.noun_effect);
    return power;
}

TEST(PlantedExperts, AreFoundAtAStrongEffectInEverySeed) {
    const Power power = powerOf(4.5, 4.5, 40);
    EXPECT_EQ(power.red, power.seeds);
    EXPECT_EQ(power.nouns, power.seeds);
}

TEST(PlantedExperts, AreFoundAtAWeakEffectInAboutHalfOfTheSeedsOrMore) {
    // Measured: 28 and 21 of 40. Nouns are fewer (some 110 words), and their roles are exchanged between whole words of the vocabulary.
    const Power power = powerOf(1.0, 1.0, 40);
    EXPECT_GE(power.red, 24);
    EXPECT_GE(power.nouns, 18);
    EXPECT_LT(power.red_effect, 0.35) << "a weak effect is a weak effect";
}

TEST(PlantedExperts, AStrongRunSaysWhichAndHowMuch) {
    const auto rows = specialisation(test::plantedScenes({}));
    ASSERT_TRUE(rows.has_value());
    const Specialisation* colour = rowOf(*rows, 0, LabelKind::kColour);
    ASSERT_NE(colour, nullptr);
    EXPECT_GT(colour->background_left_out, 0) << "background is not a colour";
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
    const Specialisation* category = rowOf(*rows, 0, LabelKind::kCategory);
    ASSERT_NE(category, nullptr);
    EXPECT_FALSE(category->found()) << "day and night were not planted";
    const Specialisation* position = rowOf(*rows, 0, LabelKind::kPosition);
    ASSERT_NE(position, nullptr);
    EXPECT_FALSE(position->found()) << "objects lie anywhere";
}

TEST(PlantedExperts, NothingIsFoundInAShuffledRun) {
    int quiet = 0;
    constexpr int kSeeds = 100;
    for (int seed = 1; seed <= kSeeds; ++seed) {
        const auto rows = specialisation(test::plantedScenes({.shuffled = true, .seed = static_cast<std::uint64_t>(seed)}));
        ASSERT_TRUE(rows.has_value());
        EXPECT_GE(rows->size(), 9u);
        const bool none = std::none_of(rows->begin(), rows->end(), [](const Specialisation& row) { return row.found() || !row.preferences.empty(); });
        quiet += none;
        if (!none)
            for (const Specialisation& row : *rows)
                if (row.found() || !row.preferences.empty())
                    std::printf("seed %d: router %d %s, p %.4f after Holm\n", seed, row.router.id.value, std::string(toString(row.label)).c_str(), row.p_holm);
    }
    std::printf("a shuffled run: nothing found in %d of %d seeds\n", quiet, kSeeds);
    EXPECT_GE(quiet, 90);
}

}  // namespace
}  // namespace es::analysis
