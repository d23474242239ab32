// SPDX-License-Identifier: GPL-3.0-or-later
// Routers that follow something else than a label do not look specialised in it, however alike they treat the patches of one object or the words of
// one caption: in at least 90 of 100 seeds a whole table finds nothing that its cause does not explain.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "analysis/metrics/specialisation.h"
#include "analysis/planted_scenes.h"

namespace es::analysis {
namespace {

using test::PlantedCause;

/// Whether the cause itself ties experts to the label.
bool explained(PlantedCause cause, const Specialisation& row) {
    if (cause != PlantedCause::kShape) return false;
    return row.label == LabelKind::kShape || row.label == LabelKind::kTokenId || (row.modality == Modality::kText && row.label == LabelKind::kPosition);
}

void findsNothing(const char* what, PlantedCause cause, bool families) {
    constexpr int kSeeds = 100;
    int quiet = 0;
    std::map<std::string, int> rejected;  // by kind, each row for itself
    for (int seed = 0; seed < kSeeds; ++seed) {
        const auto rows = specialisation(test::plantedScenes({.cause = cause, .families = families, .seed = static_cast<std::uint64_t>(4001 + seed)}));
        ASSERT_TRUE(rows.has_value());
        EXPECT_GE(rows->size(), 9u);
        bool none = true;
        for (const Specialisation& row : *rows) {
            if (explained(cause, row)) continue;
            none = none && !row.found() && row.preferences.empty();
            rejected[std::string(row.modality == Modality::kText ? "words " : "patches ") + std::string(toString(row.label))] += row.p <= 0.05;
        }
        quiet += none;
    }
    std::printf("%s%s: nothing found in %d of %d seeds; p <= 0.05 for a row by itself:", what, families ? ", with families" : "", quiet, kSeeds);
    for (const auto& [kind, times] : rejected) std::printf(" %s %d,", kind.c_str(), times);
    std::printf("\n");
    EXPECT_GE(quiet, 90) << what;
    for (const auto& [kind, times] : rejected) EXPECT_LE(times, 13) << what << ": " << kind << " (5 of 100 are expected, more than 12 in one of a thousand)";
}

TEST(PlantedChance, AShuffledRun) { findsNothing("choices of another picture, words dealt anew", PlantedCause::kShuffled, false); }
TEST(PlantedChance, PatchesByShapeWordsById) {
    findsNothing("patches by shape, words by id", PlantedCause::kShape, false);
    findsNothing("patches by shape, words by id", PlantedCause::kShape, true);
}
TEST(PlantedChance, PatchesByObjectWordsByCaption) {
    findsNothing("patches by object, words by caption", PlantedCause::kObject, false);
    findsNothing("patches by object, words by caption", PlantedCause::kObject, true);
}
TEST(PlantedChance, PatchesAndWordsByPicture) {
    findsNothing("patches and words by picture", PlantedCause::kPicture, false);
    findsNothing("patches and words by picture", PlantedCause::kPicture, true);
}

}  // namespace
}  // namespace es::analysis
