// SPDX-License-Identifier: GPL-3.0-or-later
// What is true of a scene: shares of patches by hand, there and back through JSON, and where tokens stand in a caption.
#include "engine/base/scene_truth.h"

#include <gtest/gtest.h>

namespace es {
namespace {

SceneTruth smallTruth() {
    SceneTruth truth;
    truth.objects = {{.shape = "circle", .colour = "red", .size = "large", .texture = "plain", .name = {}, .category = {}},
                     {.shape = {}, .colour = {}, .size = {}, .texture = {}, .name = "a \"wrench\" Ä", .category = "stamps: tools"}};
    truth.side = 4;
    truth.owner = {0, 0, 1, 1,  //
                   0, 0, 1, 1,  //
                   2, 0, 1, 2,  //
                   0, 0, 0, 2};
    truth.words = {{0, 1, WordRole::kFunction, -1}, {2, 5, WordRole::kColour, 0}, {6, 12, WordRole::kShape, 0}};
    truth.holdout = "count";
    truth.pair_of = 0xFFFF'FFFF'FFFF'FFF1;
    truth.changed = "binding";
    return truth;
}

TEST(WordRoles, HaveNamesThereAndBack) {
    for (int i = 0; i < kWordRoleCount; ++i) {
        const auto role = static_cast<WordRole>(i);
        EXPECT_EQ(wordRoleFromString(toString(role)), role);
    }
    EXPECT_EQ(toString(WordRole::kNegation), "negation");
    EXPECT_FALSE(wordRoleFromString("verb"));
}

TEST(PatchTruth, CountsPixelsOfEachCell) {
    const auto patches = patchTruth(smallTruth(), 2, 2);
    ASSERT_EQ(patches.size(), 4u);
    EXPECT_EQ(patches[0].background, 1);
    EXPECT_EQ(patches[0].object, -1);
    EXPECT_FALSE(patches[0].mixed);
    EXPECT_EQ(patches[1].object, 0);
    EXPECT_EQ(patches[1].object_shares, (std::vector<float>{1, 0}));
    EXPECT_EQ(patches[2].background, 0.75F);
    EXPECT_EQ(patches[2].object_shares, (std::vector<float>{0, 0.25F}));
    EXPECT_EQ(patches[3].object, 1) << "half is enough";
    EXPECT_FALSE(patches[3].mixed);
}

TEST(PatchTruth, SaysWhenNobodyHasHalf) {
    SceneTruth truth = smallTruth();
    truth.side = 2;
    truth.owner = {0, 1, 2, 0};
    truth.objects.push_back({});
    truth.owner[3] = 3;
    const auto patches = patchTruth(truth, 1, 1);
    ASSERT_EQ(patches.size(), 1u);
    EXPECT_TRUE(patches[0].mixed);
    EXPECT_EQ(patches[0].object, -1);
    EXPECT_EQ(patches[0].background, 0.25F);
}

TEST(PatchTruth, WorksOnGridsThatDoNotDivideTheSide) {
    SceneTruth truth = smallTruth();
    double sum = 0;
    for (const auto& patch : patchTruth(truth, 3, 1)) {
        float share = patch.background;
        for (const float s : patch.object_shares) share += s;
        EXPECT_NEAR(share, 1, 1e-6);
        sum += share;
    }
    EXPECT_NEAR(sum, 3, 1e-6);
    EXPECT_EQ(patchTruth(truth, 8, 8).size(), 64u) << "cells without a pixel's centre are background";
    EXPECT_TRUE(patchTruth(truth, 0, 2).empty());
    truth.owner.pop_back();
    EXPECT_TRUE(patchTruth(truth, 2, 2).empty());
}

TEST(SceneTruthJson, GoesThereAndBack) {
    const SceneTruth truth = smallTruth();
    const auto back = sceneTruthFromJson(sceneTruthToJson(truth));
    ASSERT_TRUE(back);
    EXPECT_TRUE(*back == truth);
    const SceneTruth nothing;
    EXPECT_TRUE(sceneTruthFromJson(sceneTruthToJson(nothing)).value() == nothing);
}

TEST(SceneTruthJson, RefusesWhatContradictsItself) {
    const std::string good = R"({"objects":[{"shape":"ring"}],"side":2,"owner_runs":[0,3,1,1],"words":[[0,4,"shape",0]]})";
    ASSERT_TRUE(sceneTruthFromJson(good));
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        return sceneTruthFromJson(text);
    };
    EXPECT_TRUE(with("\"shape\",0", "\"verb\",0")) << "a role of a later version";
    EXPECT_FALSE(with("[0,3,1,1]", "[0,3,1,2]"));
    EXPECT_FALSE(with("[0,3,1,1]", "[0,3,2,1]")) << "an object that is not there";
    EXPECT_FALSE(with("[0,3,1,1]", "[0,3,1]"));
    EXPECT_FALSE(with("[0,3,1,1]", "[0,99999999999999]"));
    EXPECT_FALSE(with("\"side\":2", "\"side\":-2"));
    EXPECT_FALSE(with("\"side\":2", "\"side\":99999999"));
    EXPECT_FALSE(sceneTruthFromJson(R"({"objects":[],"side":1025,"owner_runs":[0,1050625],"words":[]})")) << "a megabyte of map in sixty bytes";
    EXPECT_TRUE(sceneTruthFromJson(R"({"objects":[],"side":1024,"owner_runs":[0,1048576],"words":[]})"));
    EXPECT_FALSE(with("[0,4,\"shape\",0]", "[5,4,\"shape\",0]"));
    EXPECT_FALSE(with("[0,4,\"shape\",0]", "[0,4,\"shape\",1]"));
    EXPECT_FALSE(with("[0,4,\"shape\",0]", "[0]"));
    EXPECT_FALSE(with("[{\"shape\":\"ring\"}]", "7"));
    EXPECT_FALSE(sceneTruthFromJson(""));
    EXPECT_FALSE(sceneTruthFromJson("[1]"));
    for (std::size_t i = 0; i < good.size(); ++i) EXPECT_FALSE(sceneTruthFromJson(good.substr(0, i)));
}

using Texts = std::vector<std::string>;

TEST(TokenRanges, FollowPiecesThroughTheCaption) {
    EXPECT_EQ(tokenRanges("a red circle", Texts{"a", "re", "d", "circ", "le"}), (std::vector<TextRange>{{0, 1}, {2, 4}, {4, 5}, {6, 10}, {10, 12}}));
    EXPECT_EQ(tokenRanges("a dog", Texts{"_", "a", "_", "dog"}), (std::vector<TextRange>{{0, 0}, {0, 1}, {2, 2}, {2, 5}})) << "markers that stand alone";
    EXPECT_EQ(tokenRanges("a 🍏 dog", Texts{"a", "<unk>", "dog"}), (std::vector<TextRange>{{0, 1}, {2, 6}, {7, 10}}));
    EXPECT_EQ(tokenRanges("a 🍏", Texts{"a", "<unk>"}), (std::vector<TextRange>{{0, 1}, {2, 6}}));
    EXPECT_EQ(tokenRanges("ﬁne dog", Texts{"fi", "ne", "dog"})[2], (TextRange{6, 9})) << "a ligature that the tokenizer took apart is passed over";
    EXPECT_TRUE(tokenRanges("dog", {}).empty());
    EXPECT_EQ(tokenRanges("", Texts{"a"}), (std::vector<TextRange>{{0, 0}}));
}

TEST(TokenWords, NameTheWordThatATokenBeginsIn) {
    const std::vector<SceneWord> words{{0, 1, WordRole::kFunction, -1}, {2, 5, WordRole::kColour, 0}, {6, 12, WordRole::kShape, 0}};
    EXPECT_EQ(tokenWords("a red circle", Texts{"a", "re", "d", "circ", "le"}, words), (std::vector<std::int32_t>{0, 1, 1, 2, 2}));
    EXPECT_EQ(tokenWords("a red circle, ok", Texts{"a", "red", "circle", ",", "ok"}, words), (std::vector<std::int32_t>{0, 1, 2, -1, -1}));
    EXPECT_EQ(tokenWords("a red", Texts{"a", "red"}, {}), (std::vector<std::int32_t>{-1, -1}));
}

}  // namespace
}  // namespace es
