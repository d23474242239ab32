// SPDX-License-Identifier: GPL-3.0-or-later
// What stands in an expert's gallery, and whom its pictures are owed to.
#include "analysis/experts/expert_gallery.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support/planted_routing.h"
#include "tests/analysis/expert_tokens_of.h"

namespace es::analysis {
namespace {

using test_support::tokensOf;

TEST(Gallery, TakesMostWeightOncePerSampleAndPlace) {
    // Three samples of two patches, each seen alone and in a pair: the row of most weight stands for the patch.
    store::RoutingTable table = test::tableOf(std::vector<std::int32_t>(12, 0), 2, 1);
    for (std::size_t t = 0; t < 12; ++t) {
        table.sample_T[t] = t / 2 % 3 + 1;
        table.position_T[t] = static_cast<std::uint16_t>(t % 2);
        table.objective_T[t] = t < 6 ? Objective::kImage : Objective::kPairImage;
        table.gates[t] = 0.1f * static_cast<float>((t * 7) % 12);
    }
    const ExpertTokens tokens = tokensOf(table, 0);
    const auto weightOf = [&](std::uint64_t sample, int position) {
        float best = 0;
        for (std::size_t t = 0; t < 12; ++t)
            if (table.sample_T[t] == sample && table.position_T[t] == position) best = std::max(best, table.gates[t]);
        return best;
    };
    const ExpertGallery all = expertGallery(tokens, {.count = 10, .one_per_sample = false});
    ASSERT_EQ(all.top.size(), 6u) << "six patches, each once";
    ASSERT_EQ(all.random.size(), 6u);
    EXPECT_EQ(all.takers, 12);
    EXPECT_EQ(all.samples, 3);
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_FLOAT_EQ(all.top[i].weight, weightOf(all.top[i].sample, all.top[i].token.value));
        if (i > 0) {
            EXPECT_GE(all.top[i - 1].weight, all.top[i].weight);
        }
    }
    const ExpertGallery one = expertGallery(tokens, {.count = 2});
    ASSERT_EQ(one.top.size(), 2u);
    std::set<std::uint64_t> samples;
    for (const GalleryItem& item : one.top) samples.insert(item.sample);
    EXPECT_EQ(samples.size(), 2u);
    EXPECT_EQ(one.top.front(), all.top.front());
    EXPECT_EQ(expertGallery(tokens, {.count = 10}).random.size(), 3u) << "one of each sample";
}

TEST(Gallery, EqualWeightsAreOrderedByProbability) {
    store::RoutingTable table = test::tableOf({0, 0, 0, 1}, 2, 1);
    table.sample_T = {1, 2, 3, 4};
    table.probs_TE = {0.6f, 0.4f, 0.9f, 0.1f, 0.7f, 0.3f, 0.2f, 0.8f};
    const ExpertGallery gallery = expertGallery(tokensOf(table, 0), {.count = 2});
    ASSERT_EQ(gallery.top.size(), 2u);
    EXPECT_EQ(gallery.top[0].sample, 2u);
    EXPECT_EQ(gallery.top[1].sample, 3u);
    ASSERT_FALSE(gallery.notes.empty());
    EXPECT_NE(gallery.notes.front().find("router probability"), std::string::npos);
}

TEST(Gallery, RandomIsRepeatableAndFair) {
    store::RoutingTable table = test::tableOf(std::vector<std::int32_t>(10, 0), 2, 1);
    for (std::size_t t = 0; t < 10; ++t) table.sample_T[t] = t + 1;
    const ExpertTokens tokens = tokensOf(table, 0);
    EXPECT_EQ(expertGallery(tokens, {.count = 5, .seed = 3}).random, expertGallery(tokens, {.count = 5, .seed = 3}).random);
    EXPECT_NE(expertGallery(tokens, {.count = 5, .seed = 3}).random, expertGallery(tokens, {.count = 5, .seed = 4}).random);
    std::map<std::uint64_t, int> drawn;
    constexpr int kDraws = 4000;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed)
        for (const GalleryItem& item : expertGallery(tokens, {.count = 3, .seed = seed}).random) ++drawn[item.sample];
    for (const auto& [sample, times] : drawn) EXPECT_NEAR(times / static_cast<double>(kDraws), 0.3, 0.03) << sample;
    EXPECT_EQ(drawn.size(), 10u);
}

TEST(Gallery, SoftRoutingIsDrawnInProportionToWeight) {
    store::RoutingTable table = test::denseOf({0, 0, 0, 0}, 2, 1);
    table.sample_T = {1, 2, 3, 4};
    table.gates = {0.4f, 0.6f, 0.3f, 0.7f, 0.2f, 0.8f, 0.1f, 0.9f};
    const ExpertTokens tokens = tokensOf(table, 0);
    std::map<std::uint64_t, int> first;
    constexpr int kDraws = 4000;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) ++first[expertGallery(tokens, {.count = 1, .seed = seed}).random.front().sample];
    for (std::uint64_t sample = 1; sample <= 4; ++sample)
        EXPECT_NEAR(first[sample] / static_cast<double>(kDraws), 0.4 - 0.1 * static_cast<double>(sample - 1), 0.03) << sample;
    EXPECT_EQ(expertGallery(tokens).top.front().sample, 1u);
    EXPECT_EQ(expertGallery(tokens).top.size(), 4u) << "every token gives it something";
}

TEST(Gallery, WordsAndPatchesCanBeAskedForAlone) {
    store::RoutingTable table = test::tableOf({0, 0, 0, 0}, 2, 1);
    table.modality_T = {Modality::kVision, Modality::kText, Modality::kVision, Modality::kText};
    table.sample_T = {1, 1, 2, 2};
    for (const GalleryItem& item : expertGallery(tokensOf(table, 0), {.modality = Modality::kText}).top) EXPECT_EQ(item.modality, Modality::kText);
    EXPECT_EQ(expertGallery(tokensOf(table, 0), {.modality = Modality::kText}).takers, 2);
}

TEST(Credits, NameEachSourceOnceWithItsSamples) {
    std::vector<store::SampleRecord> records(3);
    for (std::size_t i = 0; i < 3; ++i) {
        records[i].hash = i + 1;
        records[i].dataset = "emoji";
        records[i].license = i == 2 ? "" : "Apache-2.0";
        records[i].source = "noto";
    }
    std::vector<GalleryItem> items(5);
    for (std::size_t i = 0; i < 5; ++i) items[i].sample = i % 4 + 1;
    const std::vector<Credit> credits = creditsOf(items, records);
    ASSERT_EQ(credits.size(), 2u);
    EXPECT_EQ(credits[0].samples, (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(credits[0].text(), "emoji · Apache-2.0 · noto: 2 samples");
    EXPECT_EQ(credits[1].text(), "emoji · licence not stated · noto: 1 sample");
    const Credit many{"emoji", "OFL-1.1", {"a", "b", "c"}, {1, 2, 3}};
    EXPECT_EQ(many.text(), "emoji · OFL-1.1 · a, b, c: 3 samples");
    EXPECT_EQ(many.text(2), "emoji · OFL-1.1 · a, b and 1 more: 3 samples");
}

}  // namespace
}  // namespace es::analysis
