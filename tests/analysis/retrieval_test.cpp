// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/retrieval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "engine/base/random.h"

namespace es::analysis {
namespace {

using Groups = std::vector<std::int64_t>;

TEST(Retrieval, APerfectModelFindsEverythingFirst) {
    const std::vector<double> similarity = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const Groups group = {4, 5, 6}, ranks = {1, 2};
    const RetrievalRecall recall = retrievalRecall(similarity, group, group, ranks);
    EXPECT_EQ(recall.image_to_text_K, (std::vector<double>{1, 1}));
    EXPECT_EQ(recall.text_to_image_K, (std::vector<double>{1, 1}));
    EXPECT_EQ(recall.images, 3);
    EXPECT_EQ(recall.texts, 3);
}

TEST(Retrieval, AnyCaptionOfThePictureCounts) {
    // The first picture's second caption comes first; the second picture's only caption comes last.
    const std::vector<double> similarity = {0.1, 0.9, 0.5, 0.8, 0.7, 0.6};
    const Groups pictures = {0, 1}, texts = {0, 0, 1}, ranks = {1, 2, 3};
    const RetrievalRecall recall = retrievalRecall(similarity, pictures, texts, ranks);
    EXPECT_EQ(recall.image_to_text_K, (std::vector<double>{0.5, 0.5, 1}));
    // By text: 0 prefers picture 1, 1 prefers picture 0, 2 prefers picture 1.
    EXPECT_NEAR(recall.text_to_image_K[0], 2.0 / 3, 1e-15);
    EXPECT_EQ(recall.text_to_image_K[1], 1);
}

TEST(Retrieval, QueriesWithoutAMatchAreLeftOut) {
    const std::vector<double> similarity = {1, 0, 0, 1};
    const Groups pictures = {0, 8}, texts = {0, 9}, ranks = {1};
    const RetrievalRecall recall = retrievalRecall(similarity, pictures, texts, ranks);
    EXPECT_EQ(recall.images, 1);
    EXPECT_EQ(recall.image_to_text_K[0], 1);
    const Groups none = {5, 6};
    EXPECT_EQ(retrievalRecall(similarity, pictures, none, ranks).image_to_text_K[0], 0);
    EXPECT_EQ(retrievalRecall({}, {}, {}, ranks).images, 0);
}

TEST(Retrieval, RanksBeyondTheItemsCountThemAll) {
    const std::vector<double> similarity = {0, 1};
    const Groups pictures = {0}, texts = {0, 1}, ranks = {2, 3, 1'000'000'000'000};
    EXPECT_EQ(retrievalRecall(similarity, pictures, texts, ranks).image_to_text_K, (std::vector<double>{1, 1, 1}));
}

TEST(Retrieval, ModelThatCannotTellApartGetsChance) {
    const std::int64_t n = 10;
    const std::vector<double> similarity(static_cast<std::size_t>(n * n), 0.5);
    Groups group(static_cast<std::size_t>(n));
    std::iota(group.begin(), group.end(), 0);
    const Groups ranks = {1, 5, 10};
    const RetrievalRecall recall = retrievalRecall(similarity, group, group, ranks);
    EXPECT_NEAR(recall.image_to_text_K[0], 0.1, 1e-15);
    EXPECT_NEAR(recall.image_to_text_K[1], 0.5, 1e-15);
    EXPECT_NEAR(recall.text_to_image_K[2], 1, 1e-15);
}

TEST(Retrieval, TiesCountAsTheMeanOverRandomOrders) {
    const std::vector<double> similarity = {2, 1, 1, 1, 1, 0};
    const Groups pictures = {3}, texts = {1, 3, 3, 2, 2, 3}, ranks = {1, 2, 3, 4, 5};
    const RetrievalRecall recall = retrievalRecall(similarity, pictures, texts, ranks);
    RandomStream random(5, RandomPurpose::kSynthetic);
    std::vector<double> hits(ranks.size(), 0);
    constexpr int kOrders = 20'000;
    for (int draw = 0; draw < kOrders; ++draw) {
        std::vector<std::size_t> order(similarity.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        random.shuffle(std::span(order));
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return similarity[a] > similarity[b]; });
        for (std::size_t r = 0; r < ranks.size(); ++r)
            hits[r] += std::any_of(order.begin(), order.begin() + ranks[r], [&](std::size_t t) { return texts[t] == 3; });
    }
    for (std::size_t r = 0; r < ranks.size(); ++r) EXPECT_NEAR(recall.image_to_text_K[r], hits[r] / kOrders, 0.015) << ranks[r];
    EXPECT_EQ(recall.image_to_text_K[0], 0);
    EXPECT_EQ(recall.image_to_text_K[3], 1);
}

}  // namespace
}  // namespace es::analysis
