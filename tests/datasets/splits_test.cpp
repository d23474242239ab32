// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/splits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace es::datasets {
namespace {

std::vector<std::string> numberedKeys(int count) {
    std::vector<std::string> keys;
    for (int i = 0; i < count; ++i) keys.push_back("caption " + std::to_string(i));
    return keys;
}

TEST(Splits, AreEightyTenTen) {
    const auto keys = numberedKeys(20'000);
    const std::vector<SplitInput> samples = [&] {
        std::vector<SplitInput> inputs;
        for (const auto& key : keys) inputs.push_back({key, 0});
        return inputs;
    }();
    const auto splits = assignSplits(samples);
    // Five standard deviations of a binomial count.
    EXPECT_NEAR(std::count(splits.begin(), splits.end(), Split::kTrain), 16'000, 5 * 57);
    EXPECT_NEAR(std::count(splits.begin(), splits.end(), Split::kValidation), 2'000, 5 * 43);
}

TEST(Splits, DoNotDependOnTheOthersOrTheOrder) {
    const auto keys = numberedKeys(2'000);
    std::vector<SplitInput> all, some;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        all.push_back({keys[i], 0});
        if (i % 3) some.insert(some.begin(), {keys[i], 0});
    }
    const auto whole = assignSplits(all), part = assignSplits(some);
    for (std::size_t i = 0, j = some.size(); i < keys.size(); ++i)
        if (i % 3 != 0) {
            EXPECT_EQ(whole[i], part[--j]);
        }
}

TEST(Splits, KeepTogetherWhatKeysAndPicturesTie) {
    // a - b share a picture, b - c a caption, c - d a picture: all one group.
    std::vector<SplitInput> samples;
    const auto keys = numberedKeys(400);
    for (int chain = 0; chain < 100; ++chain) {
        const auto at = static_cast<std::size_t>(chain) * 4;
        const auto picture = static_cast<std::uint64_t>(chain) * 2 + 1;
        samples.insert(samples.end(), {{keys[at], picture}, {keys[at + 1], picture}, {keys[at + 1], picture + 1}, {"", picture + 1}});
    }
    const auto splits = assignSplits(samples);
    for (std::size_t i = 0; i < splits.size(); i += 4)
        for (std::size_t j = 1; j < 4; ++j) EXPECT_EQ(splits[i], splits[i + j]);
    EXPECT_LT(std::count(splits.begin(), splits.end(), Split::kTrain), 400);
}

TEST(Splits, OfWhatNothingElseTiesAreThoseOfTheirKey) {
    const auto keys = numberedKeys(600);
    std::vector<SplitInput> samples;
    for (std::size_t i = 0; i < 600; ++i) samples.push_back({keys[i], i + 1, i % 3 == 0 && i + 1 < 600 ? 7'000 + i : 0});
    for (std::size_t i = 1; i < 600; i += 3) samples[i].alike = 7'000 + i - 1;  // looks like the one before
    samples.push_back({keys[2], 9'000});                                        // another picture of one name
    samples.push_back({keys[5], 601}), samples.push_back({keys[8], 601});       // one picture of two names
    samples.push_back({keys[11], 1, 0, Split::kTest});                          // decided elsewhere: ties nothing
    const auto alone = tiedByKeyAlone(samples);
    const auto splits = assignSplits(samples);
    for (std::size_t i = 0; i < 600; ++i) {
        EXPECT_EQ(alone[i], i % 3 == 2 && i != 5 && i != 8) << i;
        if (alone[i]) {
            EXPECT_EQ(splits[i], splitOfKey(keys[i]));
        }
    }
    EXPECT_TRUE(alone[600]);
    EXPECT_FALSE(alone[601] || alone[602] || alone[603]);
    // Also where only some of the others are.
    std::vector<SplitInput> some;
    for (std::size_t i = 0; i < 600; ++i)
        if (i % 3 != 1) some.push_back(samples[i]);
    const auto fewer = assignSplits(some);
    for (std::size_t i = 0; i < some.size(); ++i)
        if (i % 2 == 1 && some[i].key != keys[5] && some[i].key != keys[8]) {
            EXPECT_EQ(fewer[i], splitOfKey(some[i].key));
        }
}

TEST(Splits, OfFewGroupsAreNotEmpty) {
    EXPECT_TRUE(assignSplits({}).empty());
    for (int count = 1; count <= 12; ++count) {
        const auto keys = numberedKeys(count);
        std::vector<SplitInput> samples;
        for (const auto& key : keys) samples.push_back({key, 0});
        const auto splits = assignSplits(samples);
        const auto has = [&](Split split) { return std::count(splits.begin(), splits.end(), split) > 0; };
        EXPECT_TRUE(has(Split::kTrain));
        EXPECT_EQ(has(Split::kValidation), count >= 2);
        EXPECT_EQ(has(Split::kTest), count >= 3);
    }
}

}  // namespace
}  // namespace es::datasets
