// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "datasets/dataset.h"
#include "datasets/picture_files.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

std::vector<std::string> sentences() {
    const std::vector<std::string> colours{"red", "blue", "yellow", "green"}, things{"cat", "house", "wrench", "bicycle", "elephant"};
    std::vector<std::string> out;
    for (const auto& colour : colours)
        for (const auto& thing : things) out.push_back("a " + colour + " " + thing);
    return out;
}

class Vocabulary : public testing::Test {
protected:
    std::shared_ptr<const Tokenizer> trained(const std::vector<std::string>& captions, std::int64_t size) {
        const auto model = trainVocabulary(captions, size);
        EXPECT_TRUE(model) << model.error().message();
        if (!model) return nullptr;
        test::writeText(scratch_ / "model", *model);
        const auto tokenizer = Tokenizer::load(scratch_ / "model");
        EXPECT_TRUE(tokenizer) << tokenizer.error().message();
        return tokenizer.value_or(nullptr);
    }
    test::ScratchFolder scratch_;
};

TEST_F(Vocabulary, IsTheSameBytesEachTime) { EXPECT_EQ(*trainVocabulary(sentences(), 64), *trainVocabulary(sentences(), 64)); }

TEST_F(Vocabulary, ShrinksToWhatTheCaptionsSupport) {
    const auto words = trained(sentences(), 8000);
    ASSERT_TRUE(words);
    EXPECT_LT(words->size(), 300);
    EXPECT_GT(words->size(), 20);
}

TEST_F(Vocabulary, LeavesRareCharactersUnknownWhenItIsSmall) {
    std::vector<std::string> captions;
    for (char32_t c = 0x4E00; c < 0x4E00 + 300; ++c) {
        std::string character{static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
        captions.push_back("sign " + character + " of many");
    }
    const auto words = trained(captions, 64);
    ASSERT_TRUE(words);
    EXPECT_LE(words->size(), 64);
    const auto ids = words->encode("sign \xE4\xBB\x80", 16);
    EXPECT_TRUE(std::find(ids.begin(), ids.end(), words->unknownId()) != ids.end());
}

TEST_F(Vocabulary, CoversStrangeCaptions) {
    const auto words = trained({"<unk>", "<pad>", "\xE2\x96\x81", "a\tb", "x"}, 64);
    ASSERT_TRUE(words);
    for (const auto id : words->encode("<pad> <unk> \xE2\x96\x81 x", 64)) {
        EXPECT_NE(id, words->padId());
        EXPECT_FALSE(words->piece(id).empty());
    }
    EXPECT_TRUE(trained({}, 64)) << "a set of pictures alone";
    EXPECT_TRUE(trained({"x"}, 64));
}

TEST_F(Vocabulary, EncodesFromManyThreads) {
    const auto words = trained(sentences(), 64);
    ASSERT_TRUE(words);
    const auto expected = words->encode("a blue bicycle", 16);
    EXPECT_GE(expected.size(), 3u);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) wrong += words->encode("a blue bicycle", 16) != expected;
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST_F(Vocabulary, EncodesEndlessTextQuickly) {
    const auto words = trained(sentences(), 64);
    ASSERT_TRUE(words);
    std::string endless;
    for (int i = 0; i < 200'000; ++i) endless += "a red cat ";
    const auto ids = words->encode(endless, 16);
    EXPECT_EQ(ids, words->encode(endless.substr(0, 1000), 16));
    EXPECT_EQ(ids.size(), 16u);
    EXPECT_TRUE(words->encode("a red cat", 0).empty());
}

TEST_F(Vocabulary, OutsideItsIdsSaysSo) {
    const auto words = trained(sentences(), 64);
    ASSERT_TRUE(words);
    EXPECT_EQ(words->piece(-1), "<?>");
    EXPECT_EQ(words->piece(words->size() + 1), "<?>");
    EXPECT_EQ(words->piece(words->maskId()), "<mask>");
    EXPECT_FALSE(words->startsWord(-1));
    EXPECT_FALSE(Tokenizer::load(scratch_ / "missing"));
}

}  // namespace
}  // namespace es::datasets
