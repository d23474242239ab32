// SPDX-License-Identifier: GPL-3.0-or-later
// Scenes of real cut-outs: who owns which pixel, what the caption's words mean, held-out things in held-out scenes only.
#include <gmock/gmock.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "datasets/convert.h"
#include "datasets/joined_source.h"
#include "datasets/object_files.h"
#include "datasets/objects/clipart_source.h"
#include "datasets/objects/stamp_source.h"
#include "datasets/picture_files.h"
#include "datasets/scenes/box_filter.h"
#include "datasets/scenes/scene_random.h"
#include "datasets/scenes/sprite_pool.h"
#include "datasets/scenes/sprite_scene.h"
#include "datasets/scenes/sprite_source.h"
#include "engine/base/hash.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

using testing::HasSubstr;

constexpr const char* kNotStated = "see the package (the file states no licence)";

/// Twelve cut-outs of pixels that no library has touched.
SpritePool fixedPool() {
    SpritePool pool;
    const char* names[] = {"a wrench", "grapes", "an owl",   "blue kite", "head of lettuce", "some nuts", "ice",
                           "pear",     "a sled", "old boot", "kiwi",      "an umbrella"};
    for (std::size_t n = 0; n < std::size(names); ++n) {
        Cutout cutout;
        cutout.name = names[n];
        cutout.category = "fixed: things";
        cutout.split = n < 8 ? Split::kTrain : n < 10 ? Split::kValidation : Split::kTest;
        cutout.width = 30 + 9 * static_cast<std::int64_t>(n);
        cutout.height = 128 - 7 * static_cast<std::int64_t>(n);
        SceneRandom random(7, n);
        for (std::int64_t y = 0; y < cutout.height; ++y)
            for (std::int64_t x = 0; x < cutout.width; ++x) {
                // An ellipse with a soft edge and a hole, noise inside.
                const std::int64_t dx = (2 * x - cutout.width) * 1000 / cutout.width, dy = (2 * y - cutout.height) * 1000 / cutout.height,
                                   far = dx * dx + dy * dy;
                const std::int64_t alpha = far < 40'000 && n % 3 == 0 ? 0 : std::clamp<std::int64_t>((1'000'000 - far) / 500, 0, 255);
                for (int c = 0; c < 3; ++c) cutout.rgba.push_back(static_cast<std::uint8_t>(random.below(256)));
                cutout.rgba.push_back(static_cast<std::uint8_t>(alpha));
            }
        pool.add(std::move(cutout), "fixed");
    }
    return pool;
}

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

TEST(BoxFilter, TakesMeansWeightedByAlpha) {
    const std::vector<std::uint8_t> checks{255, 0, 0, 255, 0, 0, 255, 0, 9, 9, 9, 0, 0, 255, 0, 255};  // red, hidden blue; hidden, green
    EXPECT_EQ(boxFitted(checks, 2, 2, 2), (std::vector<std::uint8_t>{255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 255})) << "what can be seen stays";
    EXPECT_EQ(boxFitted(checks, 2, 2, 1), (std::vector<std::uint8_t>{128, 128, 0, 128}));
    const std::vector<std::uint8_t> wide{10, 20, 30, 255, 10, 20, 30, 255, 10, 20, 30, 255, 10, 20, 30, 255};
    const auto fitted = boxFitted(wide, 4, 1, 3);
    for (std::size_t x = 0; x < 3; ++x) {
        EXPECT_EQ(fitted[x * 4 + 3], 0) << "above is nothing";
        EXPECT_EQ(fitted[12 + x * 4], 10);
        EXPECT_EQ(fitted[12 + x * 4 + 3], 255);
    }
    // Enlarged, a step becomes a slope without leaving its bounds.
    const std::vector<std::uint8_t> step{0, 0, 0, 255, 200, 200, 200, 255};
    const auto slope = boxFitted(step, 2, 1, 8);
    for (std::size_t x = 0; x + 1 < 8; ++x) EXPECT_LE(slope[(4 * 8 + x) * 4], slope[(4 * 8 + x + 1) * 4]);
    EXPECT_EQ(slope[4 * 8 * 4], 0);
    EXPECT_EQ(slope[(4 * 8 + 7) * 4], 200);
    EXPECT_GT(slope[(4 * 8 + 4) * 4], 100);
    EXPECT_LT(slope[(4 * 8 + 4) * 4], 200);
}

TEST(SpriteScenes, AreTheSameBitsInEveryBuild) {
    const SpritePool pool = fixedPool();
    std::uint64_t hash = 0;
    for (std::int64_t i = 0; i < 100; ++i) {
        const SpriteScene scene = makeSpriteScene(pool, 1, i);
        for (const std::int64_t size : {48, 96, 256}) {
            if (size == 256 && i % 10 != 0) continue;
            const DrawnPicture picture = pasteScene(scene, pool, size);
            hash = hash64(std::as_bytes(std::span(picture.rgba)), hash);
            hash = hash64(std::as_bytes(std::span(picture.owner)), hash);
        }
        hash = hash64(describe(scene, pool) + scene.caption + sceneTruthToJson(truthOf(scene, pool)), hash);
    }
    std::printf("sprite scenes over the fixed cut-outs: %s\n", hashText(hash).c_str());
    // Of a release build and of one with address and undefined-behaviour sanitizers. Another value means other data: raise kSpriteGeneratorVersion with it.
    EXPECT_EQ(hashText(hash), "6f810822e23c3e1b");
}

TEST(SpriteScenes, ChangeOnlyWhereANewCutoutComesIn) {
    const SpritePool pool = fixedPool();
    SpritePool more;
    Cutout extra = pool.cutouts[3];
    extra.name = "a new thing";
    extra.split = Split::kTrain;
    more.add(extra, "fixed");  // first: places in the pool are no matter
    for (const Cutout& cutout : pool.cutouts) more.add(cutout, "fixed");
    int same = 0, changed = 0;
    for (std::int64_t i = 0; i < 300; ++i) {
        const SpriteScene before = makeSpriteScene(pool, 1, i), after = makeSpriteScene(more, 1, i);
        const bool comesIn = std::any_of(after.objects.begin(), after.objects.end(),
                                         [&](const PlacedCutout& placed) { return more.cutouts[placed.cutout].name == "a new thing"; });
        if (comesIn) {
            ++changed;
            continue;
        }
        ++same;
        EXPECT_EQ(describe(before, pool), describe(after, more));
        EXPECT_EQ(before.caption, after.caption);
    }
    EXPECT_GT(changed, 40);
    EXPECT_GT(same, 100);
}

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
        const DrawnPicture picture = pasteScene(scene, pool, 64);
        ASSERT_GE(scene.objects.size(), 1u);
        ASSERT_LE(scene.objects.size(), 6u);
        SceneTruth truth = truthOf(scene, pool);
        truth.side = 64;
        truth.owner = picture.owner;
        std::vector<int> owned(scene.objects.size() + 1, 0);
        for (std::size_t at = 0; at < picture.owner.size(); ++at) {
            ++owned[picture.owner[at]];
            if (picture.owner[at] != 0) continue;
            const Rgb ground = backgroundAt(scene.background, static_cast<std::int64_t>(at % 64), static_cast<std::int64_t>(at / 64), 64);
            // A background pixel is more background than anything else.
            for (std::size_t c = 0; c < 3; ++c) EXPECT_LE(std::abs(picture.rgba[at * 4 + c] - ground[c]), 132) << scene.caption;
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

TEST_F(Sprites, HoldOutWhatTheirSetsHoldOut) {
    // Forty drawings, each filed once more under another name: half in the same set, half in the other.
    const auto nameOf = [](int i) { return std::string("gadget ") + static_cast<char>('a' + i / 10) + static_cast<char>('k' + i % 10); };
    const std::string free = "http://web.resource.org/cc/PublicDomain";
    for (int i = 0; i < 40; ++i) {
        const auto drawing = [&](const std::string& title) { return test::discSvg("#20a060", 100 + i, test::clipartMetadata(title, "J", "tool", free)); };
        test::writeText(scratch_ / "svg/tools" / ("first_" + std::to_string(i) + ".svg"), drawing(nameOf(i)));
        if (i % 2 == 0) test::writeText(scratch_ / "svg/tools" / ("again_" + std::to_string(i) + ".svg"), drawing("copied " + nameOf(i)));
        if (i % 2 == 1) test::writeText(scratch_ / "stamps/household/tools" / ("stamp" + std::to_string(i) + ".svg"), drawing(""));
        if (i % 2 == 1) test::writeText(scratch_ / "stamps/household/tools" / ("stamp" + std::to_string(i) + ".txt"), "A stamped " + nameOf(i) + ".\n");
    }
    const auto pool = gatherSprites(parts(), 1000, {});
    ASSERT_TRUE(pool);
    EXPECT_GE(pool->tied, 80);
    for (const Cutout& cutout : pool->cutouts) EXPECT_THAT(cutout.name, testing::Not(HasSubstr("gadget"))) << "it is also called otherwise";
    for (const std::int64_t size : {32, 80}) {
        auto all = parts();
        all.push_back(openSpriteSource(parts(), 600, 1));
        const auto joined = joinSources("stamps+clipart+sprites", "all", std::move(all));
        const auto done = convert(*joined, size, 2, nullptr, {});
        ASSERT_TRUE(done) << done.error().message();
        std::map<std::pair<std::string, std::string>, Split> owned;  // category and caption
        for (const PlacedSample& sample : done->samples)
            if (sample.truth.empty()) owned[{sample.item->category, sample.item->caption}] = sample.split;
        std::map<Split, int> seen;
        for (const PlacedSample& sample : done->samples) {
            if (sample.truth.empty()) continue;
            const auto truth = sceneTruthFromJson(sample.truth);
            for (const SceneObject& object : truth->objects) {
                const auto own = owned.find({object.category, object.name});
                ASSERT_NE(own, owned.end()) << object.category << ", " << object.name;
                EXPECT_EQ(own->second, sample.split) << object.name << " at " << size;
                ++seen[sample.split];
            }
        }
        EXPECT_GT(seen[Split::kTrain], 100);
        EXPECT_GT(seen[Split::kValidation] + seen[Split::kTest], 20);
    }
}

TEST_F(Sprites, AreNamedByTheirPixelsNotByFileTimes) {
    const auto hashes = [&] {
        const auto done = convert(*openSpriteSource(parts(), 120, 1), 32, 2, nullptr, {});
        std::vector<std::pair<std::uint64_t, bool>> out;  // and whether the duck is in it
        for (const PlacedSample& sample : done->samples) out.emplace_back(sample.hash, sample.truth.find("\"a duck\"") != std::string::npos);
        return out;
    };
    const auto fingerprint = [&] { return openSpriteSource(parts(), 120, 1)->fingerprint(); };
    const auto before = hashes();
    const auto print = fingerprint();
    const auto duck = scratch_ / "stamps/animals/birds/duck.svg";
    std::filesystem::last_write_time(duck, std::filesystem::last_write_time(duck) - std::chrono::hours(50));
    EXPECT_NE(fingerprint(), print) << "it may have changed, so it is read again";
    EXPECT_EQ(hashes(), before);
    test::writeText(duck, test::discSvg("#c04021", 1));  // a hardly redder duck
    const auto after = hashes();
    ASSERT_EQ(after.size(), before.size());
    int ducks = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i].second, before[i].second);
        EXPECT_EQ(after[i].first != before[i].first, after[i].second) << "scenes with the duck are others, and no more";
        ducks += after[i].second;
    }
    EXPECT_GT(ducks, 5);
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
        std::set<std::string> expected;
        for (const SceneObject& object : truth->objects)
            expected.insert(object.category.starts_with("stamps") ? "GPL-2.0-or-later" : object.name == "plain" ? kNotStated : "public domain");
        EXPECT_EQ(sample.item->license, fmt::format("{}", fmt::join(expected, ", ")));
    }
    EXPECT_GT(one->report.train, 30);
}

}  // namespace
}  // namespace es::datasets
