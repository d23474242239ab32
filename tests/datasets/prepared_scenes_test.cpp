// SPDX-License-Identifier: GPL-3.0-or-later
// Scenes as a prepared set: their truth, words and tokens, and what another count or seed changes.
#include <gmock/gmock.h>

#include <array>
#include <map>

#include "datasets/dataset.h"
#include "datasets/prepare.h"
#include "datasets/scenes/scene_raster.h"
#include "datasets/scenes/scene_spec.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

/// Prepared once for the tests below.
class PreparedScenes : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = new test::ScratchFolder;
        options_.set = "scenes";
        options_.scenes = 640;
        options_.image_size = 48;
        options_.vocabulary = 128;
        options_.cache = folder_->path().string();
        const auto report = prepare(options_, {});
        ASSERT_TRUE(report) << report.error().message();
        report_ = *report;
        data_ = *Dataset::open(options_);
    }
    static void TearDownTestSuite() {
        data_.reset();
        delete folder_;
    }
    static inline test::ScratchFolder* folder_ = nullptr;
    static inline config::DataOptions options_;
    static inline Report report_;
    static inline std::shared_ptr<const Dataset> data_;
};

TEST_F(PreparedScenes, CarryTheirTruth) {
    EXPECT_EQ(report_.pairs, 640);
    EXPECT_TRUE(report_.problems.empty());
    std::map<std::uint64_t, std::int64_t> byHash;
    for (std::int64_t i = 0; i < data_->size(); ++i) byHash[data_->sample(i).hash] = i;
    int pairs = 0;
    std::array<int, 3> heldOut{};
    for (std::int64_t i = 0; i < data_->size(); ++i) {
        const auto sample = data_->sample(i);
        const auto truth = sceneTruthFromJson(sample.truth);
        ASSERT_TRUE(truth) << i;
        EXPECT_EQ(truth->side, 48);
        EXPECT_EQ(truth->owner, drawScene(makeScene(1, i), 48).owner);
        if (!truth->holdout.empty()) {
            EXPECT_NE(sample.split, Split::kTrain);
            ++heldOut[static_cast<std::size_t>(sample.split)];
        }
        for (const SceneWord& word : truth->words) EXPECT_LE(word.end, sample.caption.size());
        if (truth->pair_of == 0) continue;
        ++pairs;
        ASSERT_TRUE(byHash.contains(truth->pair_of));
        EXPECT_EQ(data_->sample(byHash[truth->pair_of]).split, sample.split) << "a pair is never torn";
    }
    EXPECT_GT(pairs, 60);
    EXPECT_GT(heldOut[1], 15);
    EXPECT_GT(heldOut[2], 15);
    EXPECT_GT(report_.train, 400);
    EXPECT_GT(report_.validation, 20);
}

TEST_F(PreparedScenes, TokensFindTheirWords) {
    // 128 pieces cut many words: every token of a word still names it, and nothing is left over.
    const auto tokenizer = *Tokenizer::load(data_->vocabularyFile());
    std::int64_t tokens = 0, cut = 0;
    for (std::int64_t i = 0; i < data_->size(); ++i) {
        const auto sample = data_->sample(i);
        const auto truth = *sceneTruthFromJson(sample.truth);
        std::vector<std::string> texts;
        std::vector<std::int32_t> expected;
        std::int32_t word = -1;
        for (const auto id : tokenizer->encode(sample.caption, 512)) {
            texts.push_back(tokenizer->piece(id));
            if (tokenizer->startsWord(id)) ++word;
            else ++cut;
            // A marker alone starts the word of the pieces behind it but has no place of its own.
            expected.push_back(texts.back() == "_" ? -1 : word);
            ++tokens;
        }
        EXPECT_EQ(tokenWords(sample.caption, texts, truth.words), expected) << sample.caption;
        EXPECT_EQ(word + 1, static_cast<std::int32_t>(truth.words.size()));
    }
    EXPECT_GT(cut, 50) << "the vocabulary is small enough to cut words";
    EXPECT_GT(tokens, 3000);
}

TEST_F(PreparedScenes, GrowWithoutChanging) {
    config::DataOptions more = options_;
    more.scenes = 800;
    ASSERT_TRUE(prepare(more, {}));
    const auto grown = *Dataset::open(more);
    ASSERT_EQ(grown->size(), 800);
    EXPECT_THAT(grown->file().filename().string(), testing::StartsWith("scenes-800-seed1-48px-"));
    EXPECT_THAT(data_->file().filename().string(), testing::StartsWith("scenes-640-seed1-48px-"));
    for (std::int64_t i = 0; i < data_->size(); ++i) {
        EXPECT_EQ(grown->sample(i).hash, data_->sample(i).hash);
        EXPECT_EQ(grown->sample(i).split, data_->sample(i).split);
    }
    more.scenes = 900;
    EXPECT_THAT(Dataset::open(more).error().message(), testing::HasSubstr("not been converted")) << "another count is another set, not one that has changed";
    more.scenes = 800;
    more.scene_seed = 2;
    ASSERT_TRUE(prepare(more, {}));
    EXPECT_NE((*Dataset::open(more))->sample(0).hash, data_->sample(0).hash);
}

}  // namespace
}  // namespace es::datasets
