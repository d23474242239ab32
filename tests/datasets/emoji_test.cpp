// SPDX-License-Identifier: GPL-3.0-or-later
// The emoji set from the installed packages. Counts are lower bounds: other releases hold more.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "datasets/caption_text.h"
#include "datasets/dataset.h"
#include "datasets/emoji_source.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

/// Prepared once for all tests of this file.
class Emoji : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (!findEmojiFiles().missing.empty()) return;
        folder_ = new test::ScratchFolder;
        options_.cache = folder_->path().string();
        auto report = prepare(options_, {});
        ASSERT_TRUE(report) << report.error().message();
        report_ = *report;
        std::printf("emoji: %lld pairs converted to 48 x 48 in %.2f s, vocabulary %lld\n", static_cast<long long>(report_.pairs), report_.seconds,
                    static_cast<long long>(report_.vocabulary));
        auto opened = Dataset::open(options_);
        ASSERT_TRUE(opened) << opened.error().message();
        data_ = *opened;
        config::DataOptions names = options_;
        names.keywords = false;
        ASSERT_TRUE(prepare(names, {}));
        auto namesOpened = Dataset::open(names);
        ASSERT_TRUE(namesOpened) << namesOpened.error().message();
        names_ = *namesOpened;
    }
    static void TearDownTestSuite() {
        data_.reset();
        names_.reset();
        delete folder_;
        folder_ = nullptr;
    }
    void SetUp() override {
        if (!findEmojiFiles().missing.empty()) GTEST_SKIP() << "packages not installed: fonts-noto-color-emoji unicode-cldr-core unicode-data";
        ASSERT_TRUE(data_ && names_);
    }
    static std::int64_t indexOf(std::string_view name) {
        for (std::int64_t i = 0; i < data_->size(); ++i) {
            const auto caption = data_->sample(i).caption;
            if (caption == name || caption.starts_with(std::string(name) + ", ")) return i;
        }
        return -1;
    }

    static inline test::ScratchFolder* folder_ = nullptr;
    static inline config::DataOptions options_;
    static inline Report report_;
    static inline std::shared_ptr<const Dataset> data_, names_;
};

TEST_F(Emoji, HoldsAtLeastWhatDebianTwelveHas) {
    EXPECT_GE(report_.pairs, 3627);
    EXPECT_EQ(report_.pairs, data_->size());
    EXPECT_TRUE(report_.problems.empty()) << report_.problems[0].path << ": " << report_.problems[0].why;
    std::set<std::string_view> groups, subgroups;
    for (std::int64_t i = 0; i < data_->size(); ++i) {
        const auto sample = data_->sample(i);
        groups.insert(sample.category);
        subgroups.insert(sample.subcategory);
        EXPECT_EQ(sample.domain, "emoji");
        EXPECT_EQ(sample.license, "OFL-1.1");
        EXPECT_EQ(sample.rgba.size(), 48u * 48 * 4);
        EXPECT_FALSE(sample.caption.empty());
    }
    EXPECT_GE(groups.size(), 9u);
    EXPECT_GE(subgroups.size(), 95u);
}

TEST_F(Emoji, SplitsNearEightyTenTen) {
    const auto n = static_cast<double>(data_->size());
    EXPECT_NEAR(static_cast<double>(data_->indices(Split::kTrain).size()) / n, 0.8, 0.04);
    EXPECT_NEAR(static_cast<double>(data_->indices(Split::kValidation).size()) / n, 0.1, 0.03);
    EXPECT_NEAR(static_cast<double>(data_->indices(Split::kTest).size()) / n, 0.1, 0.03);
    EXPECT_EQ(static_cast<std::int64_t>(data_->indices(Split::kTrain).size()), report_.train);
}

TEST_F(Emoji, KnowsTheBeaver) {
    const auto at = indexOf("beaver");
    ASSERT_GE(at, 0);
    const auto sample = data_->sample(at);
    EXPECT_EQ(sample.category, "Animals & Nature");
    EXPECT_EQ(sample.subcategory, "animal-mammal");
    EXPECT_EQ(sample.source, "U+1F9AB");
    // Brown on nothing: most of the opaque pixels are redder than they are blue.
    int opaque = 0, brown = 0;
    for (std::size_t i = 0; i < sample.rgba.size(); i += 4) {
        if (sample.rgba[i + 3] < 200) continue;
        ++opaque;
        brown += sample.rgba[i] > sample.rgba[i + 2];
    }
    EXPECT_GT(opaque, 300);
    EXPECT_GT(brown, opaque * 7 / 10);
    EXPECT_EQ(sample.rgba[3], 0) << "the corner is transparent";
}

TEST_F(Emoji, KeepsVariantsOfSkinToneAndHairInOneSplit) {
    std::map<std::string, std::set<Split>> splits;
    std::map<std::string, int> members;
    for (std::int64_t i = 0; i < names_->size(); ++i) {
        const auto sample = names_->sample(i);
        const std::string name(sample.caption);
        if (sample.category != "People & Body" || name.find("skin tone") == std::string::npos) continue;
        splits[emojiSplitKey(name)].insert(sample.split);
        ++members[name.substr(0, name.find(": "))];
    }
    ASSERT_GT(splits.size(), 200u);
    for (const auto& [key, found] : splits) EXPECT_EQ(found.size(), 1u) << key;
    EXPECT_EQ(members["waving hand"], 5);
    EXPECT_EQ(data_->sample(indexOf("waving hand")).split, data_->sample(indexOf("waving hand: dark skin tone")).split);
}

TEST_F(Emoji, DoesNotTieFlagsTogether) {
    std::set<Split> flags;
    for (std::int64_t i = 0; i < data_->size(); ++i)
        if (data_->sample(i).subcategory == "country-flag") flags.insert(data_->sample(i).split);
    EXPECT_EQ(flags.size(), 3u);
}

TEST_F(Emoji, PreparesAgainInAnInstant) {
    const auto again = prepare(options_, {});
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->converted);
    EXPECT_EQ(again->pairs, report_.pairs);
    EXPECT_EQ(again->vocabulary, report_.vocabulary);
    EXPECT_LT(again->seconds, 1.0);
}

TEST_F(Emoji, TokenizesItsCaptions) {
    const auto tokenizer = Tokenizer::load(data_->vocabularyFile());
    ASSERT_TRUE(tokenizer) << tokenizer.error().message();
    const Tokenizer& words = **tokenizer;
    EXPECT_EQ(words.size(), options_.vocabulary);
    EXPECT_EQ(words.maskId(), words.size());
    EXPECT_EQ(words.padId(), 0);
    EXPECT_EQ(words.unknownId(), 1);
    std::int64_t unknown = 0, tokens = 0;
    for (const auto i : data_->indices(Split::kValidation))
        for (const auto id : words.encode(data_->sample(i).caption, 64)) {
            unknown += id == words.unknownId();
            ++tokens;
            ASSERT_GE(id, 0);
            ASSERT_LT(id, words.size());
            ASSERT_NE(id, words.padId());
        }
    EXPECT_GT(tokens, 1000);
    EXPECT_LT(static_cast<double>(unknown), 0.01 * static_cast<double>(tokens));
    std::string text;
    for (const auto id : words.encode("waving hand", 16)) text += (words.startsWord(id) ? "|" : "") + words.piece(id);
    EXPECT_EQ(text, "|waving|hand");
    EXPECT_EQ(words.encode("waving hand: dark skin tone, wave", 3).size(), 3u);
    EXPECT_TRUE(words.encode("", 16).empty());
    EXPECT_FALSE(words.encode("caf\xE9 \xFF hand", 16).empty());
    EXPECT_EQ(words.piece(words.maskId()), "<mask>");
}

TEST_F(Emoji, LeavesKeywordsOutWhenAsked) {
    ASSERT_EQ(names_->size(), data_->size());
    EXPECT_NE(names_->contentHash(), data_->contentHash());
    std::set<std::string_view> distinct;
    for (std::int64_t i = 0; i < names_->size(); ++i) {
        EXPECT_TRUE(data_->sample(i).caption.starts_with(names_->sample(i).caption));
        EXPECT_EQ(data_->sample(i).split, names_->sample(i).split) << "keywords do not decide the split";
        distinct.insert(names_->sample(i).caption);
    }
    EXPECT_GE(distinct.size(), 3627u);
    EXPECT_EQ(data_->sample(indexOf("beaver")).caption, "beaver, dam");
}

}  // namespace
}  // namespace es::datasets
