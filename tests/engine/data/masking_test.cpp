// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/masking.h"

#include <gtest/gtest.h>

#include <numeric>

namespace es::engine {
namespace {

std::int64_t hidden(const std::vector<std::uint8_t>& mask) { return std::accumulate(mask.begin(), mask.end(), std::int64_t{0}); }

TEST(BlockMask, HidesExactlyTheShare) {
    for (const auto& [height, width] : {std::pair{6, 6}, std::pair{14, 14}, std::pair{1, 1}, std::pair{3, 7}})
        for (const double ratio : {0.0, 0.1, 0.4, 0.5, 0.9, 1.0})
            for (std::uint64_t seed = 0; seed < 20; ++seed) {
                RandomStream random(seed, RandomPurpose::kImageMask);
                EXPECT_EQ(hidden(blockMask(height, width, ratio, random)), std::llround(ratio * height * width));
            }
}

TEST(BlockMask, HidesBlocksAndNotScatteredPatches) {
    // Of the neighbours (right, below) of a hidden patch, blocks hide far more than the share that scattered patches would.
    std::int64_t pairs = 0, both = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        RandomStream random(seed, RandomPurpose::kImageMask);
        const auto mask = blockMask(14, 14, 0.4, random);
        for (int y = 0; y < 14; ++y)
            for (int x = 0; x + 1 < 14; ++x)
                if (mask[static_cast<std::size_t>(y * 14 + x)]) ++pairs, both += mask[static_cast<std::size_t>(y * 14 + x + 1)];
    }
    EXPECT_GT(static_cast<double>(both) / static_cast<double>(pairs), 0.65);
}

TEST(BlockMask, HidesEveryPlaceAtTimes) {
    std::vector<int> count(36, 0);
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        RandomStream random(seed, RandomPurpose::kImageMask);
        const auto mask = blockMask(6, 6, 0.5, random);
        for (std::size_t i = 0; i < 36; ++i) count[i] += mask[i];
    }
    for (const int c : count) EXPECT_GT(c, 50);
}

TEST(BlockMask, IsTheSameForTheSameKeyAndOtherForAnother) {
    RandomStream a(7, RandomPurpose::kImageMask, 3), b(7, RandomPurpose::kImageMask, 3), c(7, RandomPurpose::kImageMask, 4);
    const auto mask = blockMask(14, 14, 0.4, a);
    EXPECT_EQ(mask, blockMask(14, 14, 0.4, b));
    EXPECT_NE(mask, blockMask(14, 14, 0.4, c));
}

TEST(WordMask, NeverHidesUnknownOrPadding) {
    const std::vector<std::int32_t> ids{5, 0, 7, 0, 9, 1, 1};
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        RandomStream random(seed, RandomPurpose::kTextMask);
        const auto mask = wordMask(ids, 0, 1, 1.0, random);
        EXPECT_EQ(mask, (std::vector<std::uint8_t>{1, 0, 1, 0, 1, 0, 0}));
    }
}

TEST(WordMask, HidesAtLeastOneAndTheRoundedShare) {
    for (const auto& [words, ratio, wanted] :
         {std::tuple{1, 0.25, 1}, std::tuple{2, 0.25, 1}, std::tuple{8, 0.25, 2}, std::tuple{5, 0.5, 3}, std::tuple{4, 0.0, 0}}) {
        std::vector<std::int32_t> ids(static_cast<std::size_t>(words), 9);
        RandomStream random(1, RandomPurpose::kTextMask);
        EXPECT_EQ(hidden(wordMask(ids, 0, 1, ratio, random)), wanted);
        EXPECT_EQ(maskedWordCount(words, ratio), wanted);
    }
    RandomStream random(1, RandomPurpose::kTextMask);
    EXPECT_EQ(hidden(wordMask(std::vector<std::int32_t>{0, 0}, 0, 1, 0.5, random)), 0) << "only unknown words";
    EXPECT_TRUE(wordMask({}, 0, 1, 0.5, random).empty());
}

// Six words of 3, 1, 2, 1 (unknown), 2 with an unknown piece, and 1 pieces.
const std::vector<std::int32_t> kPieces{5, 6, 7, 8, 9, 10, 0, 11, 0, 12};
const std::vector<std::uint8_t> kStarts{1, 0, 0, 1, 1, 0, 1, 1, 0, 1};

TEST(WholeWordMask, HidesWordsWholeOrNotAtAll) {
    std::vector<int> first(10, 0);
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        RandomStream random(seed, RandomPurpose::kTextMask);
        const auto mask = wholeWordMask(kPieces, kStarts, 0, 1, 0.3, random);
        EXPECT_TRUE(mask[0] == mask[1] && mask[1] == mask[2]);
        EXPECT_EQ(mask[4], mask[5]);
        for (const std::size_t never : {6, 7, 8}) EXPECT_EQ(mask[never], 0) << "unknown, or a piece of a word with an unknown one";
        // 7 pieces can be hidden: 2 are wanted, and words are taken until that many are.
        EXPECT_GE(hidden(mask), 2);
        EXPECT_LE(hidden(mask), 4);
        for (std::size_t i = 0; i < mask.size(); ++i) first[i] += mask[i];
    }
    for (const std::size_t some : {0, 3, 4, 9}) EXPECT_GT(first[some], 60) << some;
}

TEST(WholeWordMask, OfWordsOfOnePieceIsTheMaskOfPieces) {
    const std::vector<std::int32_t> ids{4, 5, 6, 7, 8, 9, 10, 11};
    const std::vector<std::uint8_t> starts(8, 1);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        RandomStream a(seed, RandomPurpose::kTextMask), b(seed, RandomPurpose::kTextMask);
        EXPECT_EQ(wholeWordMask(ids, starts, 0, 1, 0.5, a), wordMask(ids, 0, 1, 0.5, b));
    }
}

TEST(WholeWordMask, TheFirstPieceStartsAWordAndPaddingEndsTheText) {
    RandomStream random(3, RandomPurpose::kTextMask);
    const std::vector<std::int32_t> ids{5, 6, 1, 1};
    const std::vector<std::uint8_t> starts{0, 0, 0, 0};
    EXPECT_EQ(wholeWordMask(ids, starts, 0, 1, 0.5, random), (std::vector<std::uint8_t>{1, 1, 0, 0}));
    EXPECT_EQ(hidden(wholeWordMask(ids, starts, 0, 1, 0.0, random)), 0);
    EXPECT_TRUE(wholeWordMask({}, {}, 0, 1, 0.5, random).empty());
}

}  // namespace
}  // namespace es::engine
