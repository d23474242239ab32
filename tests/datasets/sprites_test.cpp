// SPDX-License-Identifier: GPL-3.0-or-later
// Scenes of real cut-outs: who owns which pixel, what the caption's words mean, held-out things in held-out scenes only.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "datasets/convert.h"
#include "datasets/object_files.h"
#include "datasets/objects/clipart_source.h"
#include "datasets/objects/stamp_source.h"
#include "datasets/scenes/sprite_pool.h"
#include "datasets/scenes/sprite_scene.h"
#include "datasets/scenes/sprite_source.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

using testing::HasSubstr;

class Sprites : public testing::Test {
protected:
    void SetUp() override {
        test::writeStamps(scratch_ / "stamps");
        test::writeClipart(scratch_ / "svg");
    }
    std::vector<std::unique_ptr<Source>> parts() const {
        std::vector<std::unique_ptr<Source>> out;
        out.push_back(std::move(*openStampSource(scratch_ / "stamps")));
        out.push_back(std::move(*openClipartSource(false, scratch_ / "svg")));
        return out;
    }
    test::ScratchFolder scratch_;
};

TEST(NounPhrases, AreShortAndPlain) {
    for (const char* good : {"a wrench", "beaver", "grapes", "a head of lettuce", "jack-o'-lantern"}) EXPECT_TRUE(isNounPhrase(good)) << good;
    for (const char* bad : {"", "ox 12", "woman: red hair", "queen. Can move in any direction", "a b c d e", "Bär"}) EXPECT_FALSE(isNounPhrase(bad)) << bad;
}

TEST_F(Sprites, AreCutOutOfWhatShowsThings) {
    const auto pool = gatherSprites(parts(), 100, {});
    ASSERT_TRUE(pool) << pool.error().message();
    std::set<std::string> names;
    for (const Cutout& cutout : pool->cutouts) {
        names.insert(cutout.name);
        ASSERT_EQ(cutout.rgba.size(), static_cast<std::size_t>(cutout.width * cutout.height * 4));
        EXPECT_TRUE(cutout.category.starts_with("stamps: ") || cutout.category.starts_with("clipart: "));
        // Nothing is left around it.
        bool top = false, left = false;
        for (std::int64_t x = 0; x < cutout.width; ++x) top = top || cutout.rgba[static_cast<std::size_t>(x * 4 + 3)] >= 128;
        for (std::int64_t y = 0; y < cutout.height; ++y) left = left || cutout.rgba[static_cast<std::size_t>(y * cutout.width * 4 + 3)] >= 128;
        EXPECT_TRUE(top && left) << cutout.name;
    }
    EXPECT_TRUE(names.contains("a duck") && names.contains("a simple pig") && names.contains("grapes"));
    EXPECT_FALSE(names.contains("the letter a")) << "signs are no things";
    EXPECT_FALSE(names.contains("a saw")) << "a rectangle is no cut-out";
    EXPECT_EQ(pool->of_split[0].size() + pool->of_split[1].size() + pool->of_split[2].size(), pool->cutouts.size());
    const auto few = gatherSprites(parts(), 3, {});
    ASSERT_TRUE(few);
    EXPECT_LE(few->cutouts.size(), 6u);
}

TEST_F(Sprites, AreOwnedByWhatCoversThem) {
    const auto pool = *gatherSprites(parts(), 100, {});
    double touched = 0, patches = 0;
    for (std::int64_t i = 0; i < 120; ++i) {
        const SpriteScene scene = makeSpriteScene(pool, 1, i);
        const auto picture = pasteScene(scene, pool, 64);
        ASSERT_TRUE(picture) << picture.error().message();
        ASSERT_GE(scene.objects.size(), 1u);
        ASSERT_LE(scene.objects.size(), 6u);
        SceneTruth truth = truthOf(scene, pool);
        truth.side = 64;
        truth.owner = picture->owner;
        std::vector<int> owned(scene.objects.size() + 1, 0);
        for (std::size_t at = 0; at < picture->owner.size(); ++at) {
            ++owned[picture->owner[at]];
            if (picture->owner[at] != 0) continue;
            const Rgb ground = backgroundAt(scene.background, static_cast<std::int64_t>(at % 64), static_cast<std::int64_t>(at / 64), 64);
            // A background pixel is more background than anything else.
            for (std::size_t c = 0; c < 3; ++c) EXPECT_LE(std::abs(picture->rgba[at * 4 + c] - ground[c]), 132) << scene.caption;
        }
        for (std::size_t o = 1; o < owned.size(); ++o) EXPECT_GT(owned[o], 12) << "object " << o - 1 << " of scene " << i;
        for (const PatchTruth& patch : patchTruth(truth, 8, 8)) {
            touched += patch.background < 1;
            ++patches;
        }
        std::set<std::size_t> different;
        for (const PlacedCutout& placed : scene.objects) {
            different.insert(placed.cutout);
            EXPECT_EQ(pool.cutouts[placed.cutout].split, scene.split) << "held-out things are seen in held-out scenes only";
        }
        EXPECT_EQ(different.size(), scene.objects.size());
        for (const SceneWord& word : truth.words) {
            const std::string text = scene.caption.substr(word.begin, word.end - word.begin);
            EXPECT_EQ(word.role == WordRole::kObject, word.object >= 0);
            if (word.object < 0) continue;
            EXPECT_THAT(truth.objects[static_cast<std::size_t>(word.object)].name, HasSubstr(text));
        }
    }
    EXPECT_GE(touched / patches, 0.4);
}

TEST_F(Sprites, SayTrueRelations) {
    const auto pool = *gatherSprites(parts(), 100, {});
    std::map<std::string, int> seen;
    for (std::int64_t i = 0; i < 400; ++i) {
        const SpriteScene scene = makeSpriteScene(pool, 3, i);
        ++seen[scene.kind];
        if (scene.kind != "relation") continue;
        std::int32_t first = -1, second = -1;
        std::string relation;
        for (const SceneWord& word : scene.words) {
            if (word.role == WordRole::kRelation) relation = scene.caption.substr(word.begin, word.end - word.begin);
            if (word.object < 0) continue;
            (relation.empty() ? first : second) = word.object;
        }
        ASSERT_TRUE(first >= 0 && second >= 0) << scene.caption;
        const PlacedCutout &a = scene.objects[static_cast<std::size_t>(first)], &b = scene.objects[static_cast<std::size_t>(second)];
        const bool holds = relation == "left"    ? a.x < b.x
                           : relation == "right" ? a.x > b.x
                           : relation == "above" ? a.y < b.y
                                                 : relation == "below" && a.y > b.y;
        EXPECT_TRUE(holds) << scene.caption;
    }
    for (const char* kind : {"naming", "listing", "relation"}) EXPECT_GE(seen[kind], 30) << kind;
}

TEST_F(Sprites, AreASetWithTruthLicencesAndSources) {
    const auto source = openSpriteSource(parts(), 60, 1);
    const auto one = convert(*source, 48, 1, nullptr, {}), four = convert(*source, 48, 4, nullptr, {});
    ASSERT_TRUE(one && four) << one.error().message();
    ASSERT_EQ(one->report.pairs, 60);
    ASSERT_EQ(four->samples.size(), one->samples.size());
    for (std::size_t i = 0; i < one->samples.size(); ++i) {
        const PlacedSample& sample = one->samples[i];
        EXPECT_EQ(sample.hash, four->samples[i].hash);
        EXPECT_EQ(sample.truth, four->samples[i].truth) << "threads do not change who owns what";
        const auto truth = sceneTruthFromJson(sample.truth);
        ASSERT_TRUE(truth);
        EXPECT_EQ(truth->side, 48);
        for (const SceneObject& object : truth->objects) EXPECT_FALSE(object.name.empty() || object.category.empty());
        const bool stamps = sample.item->source.find("tuxpaint-stamps/") != std::string::npos,
                   clipart = sample.item->source.find("openclipart/") != std::string::npos;
        EXPECT_TRUE(stamps || clipart);
        EXPECT_EQ(sample.item->license, stamps && clipart ? "GPL-2.0-or-later, public domain" : stamps ? "GPL-2.0-or-later" : "public domain");
    }
    EXPECT_GT(one->report.train, 30);
}

}  // namespace
}  // namespace es::datasets
