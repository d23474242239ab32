// SPDX-License-Identifier: GPL-3.0-or-later
// Folders as people bring them: captions in metadata.csv, metadata.jsonl or text files; categories from subfolders or columns.
#include <gmock/gmock.h>

#include <map>

#include "datasets/dataset.h"
#include "datasets/picture_files.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

namespace fs = std::filesystem;
using test::writeText;
using testing::HasSubstr;
using testing::IsEmpty;

class Folder : public testing::Test {
protected:
    config::DataOptions options(std::int64_t size = 16) const {
        config::DataOptions options;
        options.set = (scratch_ / "pictures").string();
        options.cache = (scratch_ / "cache").string();
        options.image_size = size;
        options.vocabulary = 64;
        return options;
    }
    void picture(const std::string& path, int seed = 0) const {
        writeText(scratch_ / "pictures" / path,
                  test::encodedPicture(fs::path(path).extension().string(), 20, 16, {200, 30, 20, 255}, {10, 40, 220, 255}, seed));
    }
    void text(const std::string& path, std::string_view content) const { writeText(scratch_ / "pictures" / path, content); }

    Report prepared() const {
        const auto report = prepare(options(), {});
        EXPECT_TRUE(report) << report.error().message();
        return report.value_or(Report{});
    }
    std::map<std::string, SampleView> samples() {
        const auto opened = Dataset::open(options());
        EXPECT_TRUE(opened) << opened.error().message();
        std::map<std::string, SampleView> bySource;
        if (!opened) return bySource;
        data_ = *opened;
        for (std::int64_t i = 0; i < data_->size(); ++i) {
            const auto sample = data_->sample(i);
            auto key = std::string(sample.source);
            while (bySource.contains(key)) key += "+";
            bySource.emplace(key, sample);
        }
        return bySource;
    }

    test::ScratchFolder scratch_;
    std::shared_ptr<const Dataset> data_;
};

TEST_F(Folder, WithCsvTakesItsColumns) {
    picture("cat.png", 1);
    picture("zoo/lion.jpg", 2);
    picture("zoo/big/elephant.webp", 3);
    text("metadata.csv",
         "\xEF\xBB\xBF"
         "file_name,caption,category,domain,license,keywords\r\ncat.png,\"a cat, sleeping\",pets,photo,CC0-1.0,\"fur, "
         "paw\"\r\nzoo/lion.jpg,a lion,,,,\r\n"
         "zoo\\big\\elephant.webp,an elephant,,,,\r\n");
    const auto report = prepared();
    EXPECT_THAT(report.problems, IsEmpty());
    EXPECT_EQ(report.pairs, 3);
    auto all = samples();
    const auto cat = all["cat.png"];
    EXPECT_EQ(cat.caption, "a cat, sleeping, fur, paw");
    EXPECT_EQ(cat.category, "pets");
    EXPECT_EQ(cat.domain, "photo");
    EXPECT_EQ(cat.license, "CC0-1.0");
    EXPECT_EQ(all["zoo/lion.jpg"].category, "zoo");
    EXPECT_EQ(all["zoo/lion.jpg"].domain, "pictures");
    EXPECT_EQ(all["zoo/big/elephant.webp"].subcategory, "big");
    EXPECT_EQ(all["zoo/big/elephant.webp"].caption, "an elephant");
}

TEST_F(Folder, WithJsonLinesTakesSeveralCaptionsOfAPicture) {
    picture("a/one.png", 1);
    picture("a/two.png", 2);
    text("a/metadata.jsonl",
         "{\"file_name\": \"one.png\", \"caption\": [\"first words\", \"other words\"]}\n{\"file_name\": \"two.png\", \"text\": \"zweite "
         "füße 漢字\"}\n");
    const auto report = prepared();
    EXPECT_EQ(report.samples, 3);
    EXPECT_EQ(report.pairs, 3);
    auto all = samples();
    EXPECT_EQ(all["a/one.png"].caption, "first words");
    EXPECT_EQ(all["a/one.png+"].caption, "other words");
    EXPECT_EQ(all["a/one.png"].rgba.data(), all["a/one.png+"].rgba.data()) << "one picture is stored once";
    EXPECT_EQ(all["a/one.png"].split, all["a/one.png+"].split) << "and stays in one split";
    EXPECT_EQ(all["a/two.png"].caption, "zweite füße 漢字");
}

TEST_F(Folder, WithTextFilesPairsThemByName) {
    picture("train/dogs/rex.jpg", 1);
    text("train/dogs/rex.txt", "a dog\r\nnamed Rex\n");
    picture("train/dogs/unknown.png", 2);
    text("train/notes/sky.txt", "the sky is blue");
    text("README.txt", "where this comes from");
    const auto report = prepared();
    EXPECT_THAT(report.problems, IsEmpty());
    EXPECT_EQ(report.samples, 3);
    EXPECT_EQ(report.pictures, 2);
    EXPECT_EQ(report.captions, 2);
    EXPECT_EQ(report.pairs, 1);
    auto all = samples();
    EXPECT_EQ(all["train/dogs/rex.jpg"].caption, "a dog named Rex");
    EXPECT_EQ(all["train/dogs/rex.jpg"].category, "dogs") << "a folder named after a split is no category";
    EXPECT_EQ(all["train/dogs/unknown.png"].caption, "");
    EXPECT_FALSE(all["train/dogs/unknown.png"].rgba.empty());
    EXPECT_TRUE(all["train/notes/sky.txt"].rgba.empty());
    EXPECT_EQ(all["train/notes/sky.txt"].caption, "the sky is blue");
}

TEST_F(Folder, OfPicturesAloneStillOpens) {
    for (int i = 0; i < 5; ++i) picture("p" + std::to_string(i) + ".png", i);
    EXPECT_EQ(prepared().captions, 0);
    samples();
    const auto tokenizer = Tokenizer::load(data_->vocabularyFile());
    ASSERT_TRUE(tokenizer) << tokenizer.error().message();
    EXPECT_GT((*tokenizer)->size(), 2);
}

TEST_F(Folder, OfTextsAloneStillOpens) {
    for (int i = 0; i < 5; ++i) text("t" + std::to_string(i) + ".txt", "text number " + std::to_string(i));
    EXPECT_EQ(prepared().captions, 5);
    EXPECT_EQ(samples().size(), 5u);
}

TEST_F(Folder, OfAnySizeHasEverySplitItCan) {
    for (int count = 1; count <= 6; ++count) {
        SCOPED_TRACE(count);
        picture("p" + std::to_string(count) + ".png", count);
        text("p" + std::to_string(count) + ".txt", "caption " + std::to_string(count));
        const auto report = prepared();
        EXPECT_EQ(report.train + report.validation + report.test, count);
        EXPECT_GE(report.train, 1);
        EXPECT_GE(report.validation, count >= 2 ? 1 : 0);
        EXPECT_GE(report.test, count >= 3 ? 1 : 0);
    }
}

TEST_F(Folder, WithNonAsciiNamesWorksThroughout) {
    config::DataOptions o = options();
    o.set = (scratch_ / "Bilder füße 漢字").string();
    o.cache = (scratch_ / "Zwischen–speicher").string();
    writeText(fs::path(o.set) / "größe/鳥.png", test::encodedPicture(".png", 20, 16, {200, 30, 20, 255}, {10, 40, 220, 255}));
    writeText(fs::path(o.set) / "größe/鳥.txt", "ein Vogel");
    ASSERT_TRUE(prepare(o, {}));
    const auto data = Dataset::open(o);
    ASSERT_TRUE(data) << data.error().message();
    EXPECT_EQ((*data)->sample(0).source, "größe/鳥.png");
    EXPECT_EQ((*data)->sample(0).category, "größe");
    EXPECT_EQ((*data)->name(), "Bilder füße 漢字");
}

TEST_F(Folder, ThatChangesIsNoticed) {
    picture("a.png", 1);
    text("a.txt", "first");
    EXPECT_TRUE(prepared().converted);
    EXPECT_FALSE(prepared().converted);
    text("a.txt", "other words");
    const auto stale = Dataset::open(options());
    ASSERT_FALSE(stale);
    EXPECT_THAT(stale.error().message(), HasSubstr("changed since"));
    EXPECT_TRUE(prepared().converted);
    EXPECT_EQ(samples()["a.png"].caption, "other words");
    picture("b.png", 2);
    EXPECT_EQ(prepared().samples, 2);
}

TEST_F(Folder, ThatHasGoneLeavesItsConversionUsable) {
    picture("a.png", 1);
    text("a.txt", "first");
    prepared();
    const auto sets = list(scratch_ / "cache");
    ASSERT_FALSE(sets.empty());
    EXPECT_EQ(sets.back().name, fs::canonical(scratch_ / "pictures").string());
    EXPECT_EQ(sets.back().samples, 1);
    EXPECT_TRUE(sets.back().available);
    fs::remove_all(scratch_ / "pictures");
    EXPECT_EQ(samples().size(), 1u);
    EXPECT_FALSE(list(scratch_ / "cache").back().available);
}

TEST_F(Folder, IsTheSameByEveryNameItHas) {
    picture("a.png", 1);
    prepared();
    auto o = options();
    o.set += "/";
    EXPECT_FALSE(prepare(o, {})->converted);
    fs::create_directory_symlink(scratch_ / "pictures", scratch_ / "link");
    o.set = (scratch_ / "link").string();
    EXPECT_FALSE(prepare(o, {})->converted);
}

TEST_F(Folder, HashesSamplesTheSameWhereverTheyLie) {
    picture("a.png", 1);
    text("a.txt", "first");
    prepared();
    const auto here = samples()["a.png"].hash;
    auto o = options(24);
    o.set = (scratch_ / "elsewhere").string();
    writeText(scratch_ / "elsewhere/b/c.png", test::encodedPicture(".png", 20, 16, {200, 30, 20, 255}, {10, 40, 220, 255}, 1));
    writeText(scratch_ / "elsewhere/b/c.txt", "first");
    ASSERT_TRUE(prepare(o, {}));
    EXPECT_EQ((*Dataset::open(o))->sample(0).hash, here) << "path and size of the conversion do not matter";
}

}  // namespace
}  // namespace es::datasets
