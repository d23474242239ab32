// SPDX-License-Identifier: GPL-3.0-or-later
// A picture tokenizer trained on small pictures, kept, found again, and refused where it does not fit.
#include "engine/tokenizer/image_tokenizer.h"

#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include <filesystem>
#include <fstream>

#include "engine/base/files.h"
#include "engine/data/data_source.h"
#include "engine/tokenizer/tokenizer_cache.h"
#include "engine/tokenizer/tokenizer_training.h"
#include "engine/train/training_fixture.h"

namespace es::engine {
namespace {

class Tokenizing : public TrainingFixture {
protected:
    static void SetUpTestSuite() {
        TrainingFixture::SetUpTestSuite();
        at::set_num_threads(1);
        ASSERT_GOOD(datasets::prepare(coded().data, {}));
        auto dataset = datasets::Dataset::open(coded().data);
        ASSERT_TRUE(dataset) << dataset.error().message();
        dataset_ = *dataset;
    }
    static void TearDownTestSuite() {
        dataset_.reset();
        TrainingFixture::TearDownTestSuite();
    }
    static config::RunConfig coded() {
        config::RunConfig made = config();
        made.model.image_target = "codes";
        made.tokenizer.codes = 32;
        made.tokenizer.code_width = 8;
        made.tokenizer.width = 48;
        made.tokenizer.steps = 120;
        made.tokenizer.batch_pictures = 16;
        return made;
    }
    static inline std::shared_ptr<const datasets::Dataset> dataset_;
};

TEST_F(Tokenizing, LearnsThePatches) {
    const auto trained = trainTokenizer(*dataset_, 4, coded().tokenizer, {});
    ASSERT_TRUE(trained) << trained.error().message();
    const TokenizerQuality& quality = trained->quality;
    EXPECT_TRUE(quality.held_out);
    EXPECT_GT(quality.patches, 20);
    EXPECT_LT(quality.reconstruction, 0.5 * quality.variance) << "32 codes for pairs of six colours and their edges: far better than the mean patch";
    EXPECT_GT(quality.perplexity, 6);
    EXPECT_LT(quality.unused, 8) << "of 32";
    ASSERT_EQ(trained->lines.size(), 20u);
    EXPECT_LT(trained->lines.back().reconstruction, 0.7 * trained->lines.front().reconstruction);
    EXPECT_EQ(trained->lines.back().step, 120);
    // The same once more, to the bit.
    const auto again = trainTokenizer(*dataset_, 4, coded().tokenizer, {});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->quality.reconstruction, quality.reconstruction);
    auto other = coded().tokenizer;
    other.seed = 2;
    other.steps = 5;
    const auto different = trainTokenizer(*dataset_, 4, other, {});
    ASSERT_TRUE(different);
    EXPECT_NE(different->lines.front().reconstruction, trained->lines.front().reconstruction);
}

TEST_F(Tokenizing, CodesComeBackFromTheFile) {
    auto quick = coded().tokenizer;
    quick.steps = 10;
    const auto trained = trainTokenizer(*dataset_, 4, quick, {});
    ASSERT_TRUE(trained);
    const auto file = *folder_ / "own.safetensors";
    ASSERT_GOOD(trained->tokenizer->save(file, {{"settings", "quick"}}));
    const auto loaded = ImageTokenizer::load(file);
    ASSERT_TRUE(loaded) << loaded.error().message();
    std::vector<std::span<const std::uint8_t>> pictures;
    for (std::int64_t i = 0; i < 10; ++i) pictures.push_back(dataset_->sample(i).rgba);
    const auto codes = trained->tokenizer->codesOfPictures(pictures, 16);
    EXPECT_EQ(codes.size(), 160u);
    EXPECT_EQ(codes, (*loaded)->codesOfPictures(pictures, 16));
    const at::Tensor code_N = at::arange(32, at::kLong);
    EXPECT_TRUE(at::equal(trained->tokenizer->patchesOf(code_N), (*loaded)->patchesOf(code_N)));
    EXPECT_EQ((*loaded)->scale(), trained->tokenizer->scale());
}

TEST_F(Tokenizing, WhatDoesNotFitIsNamed) {
    auto quick = coded();
    quick.tokenizer.steps = 5;
    const auto found = findTokenizer(quick, *dataset_, {});
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(found->file).replace_extension(".json")));
    const auto wrong = loadTokenizer(found->file, 8);
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().why.find("4 pixels a side, model.patch is 8"), std::string::npos);
    EXPECT_EQ(wrong.error().path, found->file.string());
    const std::string content = *readFile(found->file);
    const auto file = *folder_ / "damaged.safetensors";
    const auto refused = [&](std::string text) {
        std::ofstream(file, std::ios::binary) << text;
        const auto got = loadTokenizer(file, 4);
        EXPECT_FALSE(got);
        return got ? std::string() : got.error().message();
    };
    for (const std::size_t length : {std::size_t{0}, std::size_t{7}, std::size_t{100}, content.size() / 2, content.size() - 1})
        EXPECT_NE(refused(content.substr(0, length)).find("damaged.safetensors"), std::string::npos) << length;
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string text = content;
        text.replace(text.find(from), from.size(), to);
        return refused(text);
    };
    EXPECT_NE(changed("expertscope.image_tokenizer.1", "expertscope.image_tokenizer.9").find("no picture tokenizer of this version"), std::string::npos);
    EXPECT_NE(changed("\"codes\":\"32\"", "\"codes\":\"33\"").find("codebook"), std::string::npos);
    EXPECT_NE(changed("\"width\":\"48\"", "\"width\":\"4x\"").find("'width'"), std::string::npos);
    EXPECT_NE(changed("\"width\":\"48\"", "\"width\":\"49\"").find("sizes"), std::string::npos);
    auto missing = coded();
    missing.data.image_tokenizer = (*folder_ / "none.safetensors").string();
    const auto none = findTokenizer(missing, *dataset_, {});
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message().find("none.safetensors"), std::string::npos);
}

TEST_F(Tokenizing, IsFoundInTheCacheAndADamagedOneIsMadeAgain) {
    auto quick = coded();
    quick.tokenizer.steps = 6;
    std::vector<std::string> log;
    JobContext context;
    context.onLog = [&](std::string_view line) { log.emplace_back(line); };
    const auto first = makeTokenizer(quick, context);
    ASSERT_TRUE(first) << first.error().message();
    EXPECT_TRUE(first->trained);
    EXPECT_EQ(first->codes, 32);
    EXPECT_EQ(first->steps, 6);
    EXPECT_GT(first->variance, first->reconstruction * 0.1);
    const auto second = makeTokenizer(quick, context);
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->trained);
    EXPECT_EQ(second->hash, first->hash);
    EXPECT_EQ(second->perplexity, first->perplexity);
    std::filesystem::resize_file(first->file, 1000);
    const auto third = makeTokenizer(quick, context);
    ASSERT_TRUE(third) << third.error().message();
    EXPECT_TRUE(third->trained);
    EXPECT_EQ(third->hash, first->hash) << "the same to the bit";
    ASSERT_EQ(log.size(), 1u);
    EXPECT_NE(log.front().find("damaged"), std::string::npos);
    quick.tokenizer.seed = 5;
    const auto other = makeTokenizer(quick, context);
    ASSERT_TRUE(other);
    EXPECT_NE(other->file, first->file) << "other settings, another file";
}

TEST_F(Tokenizing, ASourceHasTheCodesOfEveryPicture) {
    auto quick = coded();
    quick.tokenizer.steps = 6;
    const auto source = DataSource::open(quick, {});
    ASSERT_TRUE(source) << source.error().message();
    EXPECT_EQ((*source)->pictureCodes(), 32);
    EXPECT_EQ((*source)->shape().picture_codes, 32);
    const auto& tokenizer = *(*source)->imageTokenizer().tokenizer;
    for (const std::int64_t sample : {0, 17, 79}) {
        const auto rgba = dataset_->sample(sample).rgba;
        const auto codes = (*source)->codes(sample);
        EXPECT_EQ(std::vector<std::int32_t>(codes.begin(), codes.end()), tokenizer.codesOfPictures(std::span(&rgba, 1), 16)) << sample;
    }
    const auto plain = DataSource::open(config(), {});
    ASSERT_TRUE(plain);
    EXPECT_TRUE((*plain)->codes(0).empty());
    EXPECT_EQ((*plain)->pictureCodes(), 0);
}

TEST_F(Tokenizing, CanBeStopped) {
    std::stop_source stop;
    JobContext context;
    context.stop = stop.get_token();
    context.onProgress = [&](const Progress& progress) {
        if (progress.done >= 3) stop.request_stop();
    };
    auto options = coded().tokenizer;
    options.seed = 77;
    const auto got = trainTokenizer(*dataset_, 4, options, context);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::kStopped);
}

}  // namespace
}  // namespace es::engine
