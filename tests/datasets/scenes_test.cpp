// SPDX-License-Identifier: GPL-3.0-or-later
// Drawn scenes: the same bits in every build, captions that are true, hold-outs that hold, minimal pairs that differ in one thing.
#include <gmock/gmock.h>

#include <cstdlib>
#include <map>
#include <set>

#include "datasets/dataset.h"
#include "datasets/prepare.h"
#include "datasets/scenes/scene_raster.h"
#include "datasets/scenes/scene_spec.h"
#include "engine/base/files.h"
#include "engine/base/hash.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

constexpr std::int64_t kMany = 3200;

std::string textOf(const DrawnScene& scene, const SceneWord& word) { return scene.caption.substr(word.begin, word.end - word.begin); }

const std::vector<DrawnScene>& manyScenes() {
    static const std::vector<DrawnScene> scenes = [] {
        std::vector<DrawnScene> made;
        for (std::int64_t i = 0; i < kMany; ++i) made.push_back(makeScene(1, i));
        return made;
    }();
    return scenes;
}

TEST(Scenes, AreTheSameBitsInEveryBuild) {
    std::uint64_t hash = 0;
    for (std::int64_t i = 0; i < 100; ++i) {
        const DrawnScene scene = makeScene(1, i);
        const DrawnPicture picture = drawScene(scene, 96);
        hash = hash64(std::as_bytes(std::span(picture.rgba)), hash);
        hash = hash64(std::as_bytes(std::span(picture.owner)), hash);
        hash = hash64(describe(scene) + scene.caption + sceneTruthToJson(truthOf(scene)), hash);
    }
    // Of a release build and of one with address and undefined-behaviour sanitizers. Another value means other data: raise kSceneGeneratorVersion with it.
    EXPECT_EQ(hashText(hash), "a56f55e02f7dd2d3");
}

TEST(Scenes, DependOnSeedAndIndexAlone) {
    EXPECT_EQ(describe(makeScene(1, 7)), describe(makeScene(1, 7)));
    std::set<std::string> pictures;
    for (std::int64_t i = 0; i < 500; ++i) pictures.insert(describe(makeScene(1, i)));
    EXPECT_GE(pictures.size(), 495u);
    EXPECT_NE(describe(makeScene(1, 0)), describe(makeScene(2, 0)));
}

TEST(Scenes, HaveTheSameCacheWithOneThreadAndFour) {
    test::ScratchFolder scratch;
    config::DataOptions options;
    options.set = "scenes";
    options.scenes = 200;
    options.image_size = 32;
    options.vocabulary = 96;
    std::string content[2];
    for (const int threads : {1, 4}) {
        options.cache = (scratch / std::to_string(threads)).string();
        const auto report = prepareWithThreads(options, threads, {});
        ASSERT_TRUE(report) << report.error().message();
        content[threads / 4] = *readFile(report->cache);
    }
    EXPECT_TRUE(content[0] == content[1]);
}

TEST(Scenes, KeepObjectsWholeAndHardlyOverEachOther) {
    for (const DrawnScene& scene : manyScenes()) {
        const bool nested = scene.plan.kind == CaptionKind::kRelation && scene.plan.relation == Relation::kInside;
        for (std::size_t i = 0; i < scene.objects.size(); ++i) {
            const DrawnObject& a = scene.objects[i];
            EXPECT_TRUE(a.x >= a.radius && a.y >= a.radius && a.x + a.radius <= kSceneUnit && a.y + a.radius <= kSceneUnit) << describe(scene);
            for (std::size_t j = 0; j < i; ++j) {
                const DrawnObject& b = scene.objects[j];
                const bool pair = static_cast<int>(i + j) == scene.plan.first + scene.plan.second &&
                                  (static_cast<int>(i) == scene.plan.first || static_cast<int>(j) == scene.plan.first);
                if (nested && pair) continue;
                const double width = std::min(a.x + a.radius, b.x + b.radius) - std::max(a.x - a.radius, b.x - b.radius);
                const double height = std::min(a.y + a.radius, b.y + b.radius) - std::max(a.y - a.radius, b.y - b.radius);
                const double least = 2.0 * std::min(a.radius, b.radius);
                if (width > 0 && height > 0) {
                    EXPECT_LE(width * height, 0.2 * least * least + 1) << describe(scene);
                }
            }
        }
    }
}

TEST(Scenes, FillAtLeastFortyPercentOfThePatches) {
    double touched = 0, pure = 0, patches = 0;
    for (std::int64_t i = 0; i < 400; ++i) {
        SceneTruth truth = truthOf(manyScenes()[static_cast<std::size_t>(i)]);
        truth.side = 96;
        truth.owner = drawScene(manyScenes()[static_cast<std::size_t>(i)], 96).owner;
        for (const PatchTruth& patch : patchTruth(truth, 12, 12)) {
            touched += patch.background < 1;
            pure += patch.object >= 0;
            ++patches;
        }
    }
    std::printf("patches of 8 x 8 pixels: %.1f %% touch an object, %.1f %% belong to one\n", 100 * touched / patches, 100 * pure / patches);
    EXPECT_GE(touched / patches, 0.40);
    EXPECT_GE(pure / patches, 0.25);
}

TEST(Scenes, ShowInThePictureWhatTheTruthSays) {
    // The colour at an object's pixels is near its paint: red is redder than anything else, and so on.
    int seen = 0;
    for (std::int64_t i = 0; i < 60; ++i) {
        const DrawnScene& scene = manyScenes()[static_cast<std::size_t>(i)];
        const DrawnPicture picture = drawScene(scene, 96);
        for (std::size_t o = 0; o < scene.objects.size(); ++o) {
            const auto colour = kSceneColours[static_cast<std::size_t>(scene.objects[o].colour)];
            double sum[3] = {0, 0, 0}, count = 0;
            for (std::size_t at = 0; at < picture.owner.size(); ++at) {
                if (picture.owner[at] != o + 1) continue;
                for (std::size_t c = 0; c < 3; ++c) sum[c] += picture.rgba[at * 4 + c];
                ++count;
            }
            ASSERT_GT(count, 40) << describe(scene);
            ++seen;
            if (colour == "red") {
                EXPECT_GT(sum[0], 1.3 * sum[1]);
            }
            if (colour == "blue") {
                EXPECT_GT(sum[2], 1.15 * sum[0]);
            }
            if (colour == "green") {
                EXPECT_GT(sum[1], 1.1 * sum[0]);
            }
        }
    }
    EXPECT_GT(seen, 100);
}

TEST(Scenes, SayOnlyWhatIsTrue) {
    std::map<CaptionKind, int> kinds;
    const std::map<std::string, std::size_t> numbers{{"one", 1}, {"two", 2}, {"three", 3}, {"four", 4}, {"five", 5}, {"six", 6}};
    for (const DrawnScene& scene : manyScenes()) {
        SCOPED_TRACE(scene.caption + " | " + describe(scene));
        ++kinds[scene.plan.kind];
        const SceneTruth truth = truthOf(scene);
        std::size_t end = 0;
        std::string colour, shape;
        for (const SceneWord& word : scene.words) {
            EXPECT_EQ(word.begin, end == 0 ? 0 : end + 1);
            end = word.end;
            const std::string text = textOf(scene, word);
            if (word.role == WordRole::kColour) colour = text;
            if (word.role == WordRole::kShape) shape = text;
            if (word.object < 0) continue;
            const SceneObject& object = truth.objects[static_cast<std::size_t>(word.object)];
            if (word.role == WordRole::kColour) {
                EXPECT_EQ(text, object.colour);
            }
            if (word.role == WordRole::kShape) {
                EXPECT_EQ(text, object.shape);
            }
            if (word.role == WordRole::kSize) {
                EXPECT_EQ(text, object.size);
            }
            if (word.role == WordRole::kTexture) {
                EXPECT_EQ(text, object.texture);
            }
        }
        EXPECT_EQ(end, scene.caption.size());
        const auto having = [&](const std::string& what, bool plural) {
            std::size_t count = 0;
            for (const SceneObject& object : truth.objects) {
                const bool named = what == object.shape || (plural && (what == object.shape + "s" || what == object.shape + "es"));
                count += named && (colour.empty() || object.colour == colour);
            }
            return count;
        };
        if (scene.plan.kind == CaptionKind::kCount) {
            const auto number = std::find_if(scene.words.begin(), scene.words.end(), [](const SceneWord& w) { return w.role == WordRole::kNumber; });
            ASSERT_NE(number, scene.words.end());
            EXPECT_EQ(having(shape, true), numbers.at(textOf(scene, *number)));
        }
        if (scene.plan.kind == CaptionKind::kNegation) {
            if (scene.plan.about_object) {
                EXPECT_NE(truth.objects[static_cast<std::size_t>(scene.plan.first)].colour, colour);
            } else {
                EXPECT_EQ(having(shape, false), 0u);
            }
            EXPECT_TRUE(std::any_of(scene.words.begin(), scene.words.end(), [](const SceneWord& w) { return w.role == WordRole::kNegation; }));
        }
        if (scene.plan.kind == CaptionKind::kSame) {
            EXPECT_EQ(truth.objects[static_cast<std::size_t>(scene.plan.first)].colour, truth.objects[static_cast<std::size_t>(scene.plan.second)].colour);
        }
        if (scene.plan.kind == CaptionKind::kRelation) {
            const DrawnObject &a = scene.objects[static_cast<std::size_t>(scene.plan.first)], &b = scene.objects[static_cast<std::size_t>(scene.plan.second)];
            const auto word = std::find_if(scene.words.begin(), scene.words.end(), [](const SceneWord& w) { return w.role == WordRole::kRelation; });
            ASSERT_NE(word, scene.words.end());
            const std::string said = textOf(scene, *word);
            if (said == "left") {
                EXPECT_LT(a.x, b.x);
            } else if (said == "right") {
                EXPECT_GT(a.x, b.x);
            } else if (said == "above" || said == "up") {
                EXPECT_LT(a.y, b.y);
            } else if (said == "below" || said == "down") {
                EXPECT_GT(a.y, b.y);
            } else {
                EXPECT_LT(std::abs(a.x - b.x) + a.radius, b.radius + b.radius / 4);
                EXPECT_GT(scene.plan.first, scene.plan.second) << "what is inside lies before";
            }
        }
    }
    for (int kind = 0; kind < 6; ++kind) EXPECT_GE(kinds[static_cast<CaptionKind>(kind)], kMany / 25) << kind;
}

TEST(Scenes, KeepHoldOutsOutOfEverythingElse) {
    std::map<std::string, int> counts;
    for (const DrawnScene& scene : manyScenes()) {
        SCOPED_TRACE(scene.caption + " | " + describe(scene));
        ++counts[scene.holdout];
        if (scene.holdout == "probe") continue;
        const HoldOuts found = holdOutsOf(scene);
        EXPECT_EQ(found.colour_shape, scene.holdout == "colour_shape");
        EXPECT_EQ(found.count, scene.holdout == "count");
        EXPECT_EQ(found.position, scene.holdout == "position");
        EXPECT_EQ(found.paraphrase, scene.holdout == "paraphrase");
        if (scene.holdout != "colour_shape")
            for (std::size_t i = 0; i + 1 < scene.words.size(); ++i)
                for (std::size_t s = 0; s < kSceneShapes.size(); ++s)
                    for (std::size_t c = 0; c < kSceneColours.size(); ++c)
                        if (isHeldOutPair(static_cast<int>(s), static_cast<int>(c))) {
                            EXPECT_EQ(scene.caption.find(std::string(kSceneColours[c]) + " " + std::string(kSceneShapes[s])), std::string::npos)
                                << "not even in words";
                        }
    }
    for (const char* name : {"colour_shape", "count", "position", "paraphrase"}) {
        EXPECT_GE(counts[name], kMany / 100) << name;
        EXPECT_LE(counts[name], kMany / 25) << name;
    }
    EXPECT_EQ(counts["probe"], kMany / 20);
}

/// What a caption says, taken from its words alone: the names of its objects in order, a number, a relation.
struct Said {
    std::vector<std::map<WordRole, std::string>> names;
    std::string number, relation, kind, colour;
};

Said saidBy(const DrawnScene& scene) {
    Said said;
    said.kind = toString(scene.plan.kind);
    std::map<std::int32_t, std::size_t> places;
    for (const SceneWord& word : scene.words) {
        const std::string text = textOf(scene, word);
        if (word.role == WordRole::kNumber) said.number = text;
        if (word.role == WordRole::kRelation) said.relation = text;
        if (word.role == WordRole::kFunction || word.role == WordRole::kNumber || word.role == WordRole::kRelation) continue;
        const auto [place, isNew] = places.try_emplace(word.object, said.names.size());
        if (isNew) said.names.emplace_back();
        said.names[place->second][word.role] = text;
    }
    return said;
}

bool isCalled(const SceneObject& object, const std::map<WordRole, std::string>& name) {
    const auto says = [&](WordRole role, const std::string& value) { return !name.contains(role) || name.at(role) == value; };
    const auto& shape = name.at(WordRole::kShape);
    const bool shaped = shape == object.shape || shape == object.shape + "s" || shape == object.shape + "es";
    return shaped && says(WordRole::kColour, object.colour) && says(WordRole::kSize, object.size) && says(WordRole::kTexture, object.texture);
}

/// Whether what is said holds of the objects of a scene: attribute, binding, count and relation alone.
bool isTrueOf(const Said& said, const DrawnScene& scene, int wording) {
    const SceneTruth truth = truthOf(scene);
    if (said.kind == "count") {
        const std::map<std::string, int> numbers{{"one", 1}, {"two", 2}, {"three", 3}, {"four", 4}, {"five", 5}, {"six", 6}};
        return numbers.at(said.number) ==
               std::count_if(truth.objects.begin(), truth.objects.end(), [&](const SceneObject& o) { return isCalled(o, said.names[0]); });
    }
    if (said.kind == "attribute")
        return std::any_of(truth.objects.begin(), truth.objects.end(), [&](const SceneObject& o) { return isCalled(o, said.names[0]); });
    // "B has A on its left" and "seen from B A is further left" name the other one first.
    const bool turned = said.kind == "relation" && wording >= 2;
    for (std::size_t i = 0; i < truth.objects.size(); ++i)
        for (std::size_t j = 0; j < truth.objects.size(); ++j) {
            if (i == j || !isCalled(truth.objects[i], said.names[turned ? 1 : 0]) || !isCalled(truth.objects[j], said.names[turned ? 0 : 1])) continue;
            const DrawnObject &a = scene.objects[i], &b = scene.objects[j];
            if (said.relation.empty() || (said.relation == "left" && a.x < b.x) || (said.relation == "right" && a.x > b.x) ||
                ((said.relation == "above" || said.relation == "up") && a.y < b.y) || ((said.relation == "below" || said.relation == "down") && a.y > b.y) ||
                ((said.relation == "inside" || said.relation == "within") && std::abs(a.x - b.x) < b.radius && std::abs(a.y - b.y) < b.radius &&
                 a.radius < b.radius))
                return true;
        }
    return false;
}

TEST(Scenes, AreToldFromTheirMinimalPairsByTheCaption) {
    int pairs = 0;
    for (const std::uint64_t seed : {1, 2}) {
        for (std::int64_t i = 0; i < 4000; ++i) {
            const DrawnScene scene = makeScene(seed, i);
            if (scene.variant_of < 0 || scene.holdout == "probe") continue;
            const DrawnScene base = makeScene(seed, scene.variant_of);
            SCOPED_TRACE(base.caption + " | " + describe(base) + "\n -> " + scene.caption + " | " + describe(scene));
            ++pairs;
            const int wording = scene.plan.wording;
            ASSERT_TRUE(isTrueOf(saidBy(base), base, wording));
            ASSERT_TRUE(isTrueOf(saidBy(scene), scene, wording));
            EXPECT_FALSE(isTrueOf(saidBy(base), scene, wording));
            EXPECT_FALSE(isTrueOf(saidBy(scene), base, wording));
        }
    }
    EXPECT_GT(pairs, 1000);
}

TEST(Scenes, HaveCaptionsThatHoldOrNot) {
    const auto object = [](int shape, int colour, std::int32_t x) {
        return DrawnObject{.shape = shape, .colour = colour, .size = 1, .texture = 0, .x = x, .y = 30000, .radius = 9000};
    };
    DrawnScene said;
    said.objects = {object(2, 0, 10000), object(1, 3, 40000)};  // a red triangle, a yellow square to its right
    EXPECT_TRUE(captionHolds(said, {object(5, 1, 0), object(2, 0, 9)})) << "there is a red triangle";
    EXPECT_FALSE(captionHolds(said, {object(2, 1, 0), object(1, 0, 9)}));
    said.plan.kind = CaptionKind::kBinding;
    said.plan.second = 1;
    EXPECT_FALSE(captionHolds(said, {object(2, 3, 0), object(1, 0, 9)})) << "swapped";
    EXPECT_TRUE(captionHolds(said, {object(1, 3, 0), object(2, 0, 9)}));
    said.plan.kind = CaptionKind::kRelation;
    said.plan.relation = Relation::kLeft;
    EXPECT_FALSE(captionHolds(said, {object(1, 3, 0), object(2, 0, 9)}));
    EXPECT_TRUE(captionHolds(said, {object(1, 3, 8), object(2, 0, 9), object(2, 0, 7)})) << "another one is";
    said.plan.kind = CaptionKind::kSame;
    EXPECT_FALSE(captionHolds(said, said.objects));
    EXPECT_TRUE(captionHolds(said, {object(1, 6, 0), object(2, 6, 9)}));
    said.plan.kind = CaptionKind::kCount;
    EXPECT_TRUE(captionHolds(said, said.objects));
    EXPECT_FALSE(captionHolds(said, {object(2, 0, 0), object(2, 0, 9)}));
    said.plan.kind = CaptionKind::kNegation;
    said.plan.absent_shape = 6;
    said.plan.absent_colour = 6;
    EXPECT_TRUE(captionHolds(said, said.objects));
    EXPECT_FALSE(captionHolds(said, {object(6, 6, 0)}));
    said.plan.about_object = true;
    EXPECT_TRUE(captionHolds(said, said.objects)) << "a triangle that is not cyan";
    EXPECT_FALSE(captionHolds(said, {object(2, 6, 0)}));
}

TEST(Scenes, HaveMinimalPairsThatDifferInOneThing) {
    std::map<std::string, int> changes;
    for (std::int64_t i = 0; i < kMany; ++i) {
        const DrawnScene& scene = manyScenes()[static_cast<std::size_t>(i)];
        if (scene.variant_of < 0 || scene.holdout == "probe") continue;
        ASSERT_EQ(scene.variant_of, i - 1);
        const DrawnScene& base = manyScenes()[static_cast<std::size_t>(i - 1)];
        SCOPED_TRACE(base.caption + " -> " + scene.caption);
        ++changes[scene.changed];
        EXPECT_NE(scene.caption, base.caption);
        EXPECT_EQ(scene.plan.wording, base.plan.wording);
        EXPECT_TRUE(scene.background == base.background);
        int differing = 0;
        if (scene.changed == "count") {
            EXPECT_EQ(scene.objects.size() + 1, base.objects.size());
            continue;
        }
        ASSERT_EQ(scene.objects.size(), base.objects.size());
        for (std::size_t o = 0; o < scene.objects.size(); ++o) {
            const DrawnObject &a = scene.objects[o], &b = base.objects[o];
            if (a == b) continue;
            ++differing;
            const int attributes = (a.shape != b.shape) + (a.colour != b.colour) + (a.size != b.size) + (a.texture != b.texture);
            EXPECT_EQ(attributes, scene.changed == "relation" ? 0 : 1);
            EXPECT_EQ(a.x != b.x || a.y != b.y, scene.changed == "relation");
        }
        EXPECT_EQ(differing, scene.changed == "attribute" ? 1 : 2);
    }
    for (const char* change : {"attribute", "binding", "relation", "count"}) {
        std::printf("pairs that differ in %s: %d of %d scenes\n", change, changes[change], static_cast<int>(kMany));
        EXPECT_GE(changes[change], 60) << change;
    }
}

TEST(Scenes, HaveProbeSeriesThatVaryOneFactor) {
    std::set<std::string> factors;
    for (std::int64_t block = 0; block < kMany / kSceneBlock; ++block) {
        const std::int64_t start = block * kSceneBlock + kSceneBlock - kProbeSeries;
        std::set<std::string> pictures;
        for (std::int64_t i = start; i < start + kProbeSeries; ++i) {
            const DrawnScene& scene = manyScenes()[static_cast<std::size_t>(i)];
            EXPECT_EQ(scene.holdout, "probe");
            ASSERT_EQ(scene.objects.size(), 1u);
            pictures.insert(describe(scene));
            if (scene.variant_of < 0) {
                EXPECT_TRUE(scene.changed.empty());
                continue;
            }
            factors.insert(scene.changed);
            const DrawnScene& first = manyScenes()[static_cast<std::size_t>(scene.variant_of)];
            const DrawnObject &a = scene.objects[0], &b = first.objects[0];
            EXPECT_EQ(a.shape != b.shape, scene.changed == "shape");
            EXPECT_EQ(a.colour != b.colour, scene.changed == "colour");
            EXPECT_EQ(a.texture != b.texture, scene.changed == "texture");
            EXPECT_EQ(a.radius != b.radius, scene.changed == "size");
            EXPECT_EQ(a.x != b.x || a.y != b.y, scene.changed == "position");
        }
        EXPECT_EQ(pictures.size(), static_cast<std::size_t>(kProbeSeries));
    }
    EXPECT_EQ(factors.size(), 5u);
}

}  // namespace
}  // namespace es::datasets
