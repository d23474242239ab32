// SPDX-License-Identifier: GPL-3.0-or-later
// The converted file: the same bytes whatever the threads, whole or not there at all, and damage is noticed.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "datasets/as_nobody.h"
#include "datasets/cache_format.h"
#include "datasets/cache_paths.h"
#include "datasets/cache_reader.h"
#include "datasets/convert.h"
#include "datasets/dataset.h"
#include "datasets/picture_files.h"
#include "datasets/prepare.h"
#include "engine/base/files.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Cache : public testing::Test {
protected:
    void SetUp() override {
        options_.set = (scratch_ / "in").string();
        options_.cache = (scratch_ / "cache").string();
        options_.image_size = 16;
        options_.vocabulary = 64;
        for (int i = 0; i < 60; ++i) {
            const std::string name = "group" + std::to_string(i % 3) + "/p" + std::to_string(i);
            test::writeText(scratch_ / "in" / (name + ".png"),
                            test::encodedPicture(".png", 20 + i % 7, 16, {200, 30, static_cast<std::uint8_t>(4 * i), 255}, {10, 40, 220, 255}, i));
            test::writeText(scratch_ / "in" / (name + ".txt"), "picture number " + std::to_string(i));
        }
    }
    fs::path file() const {
        const auto source = openSource(options_, {});
        return cachePaths(options_, (*source)->fileStem(), (*source)->fingerprint()).data;
    }
    std::vector<std::string> leftovers() const {
        std::vector<std::string> names;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(scratch_ / "cache", error))
            if (entry.path().extension() != ".lock") names.push_back(entry.path().filename().string());
        return names;
    }

    test::ScratchFolder scratch_;
    config::DataOptions options_;
};

TEST_F(Cache, IsTheSameBytesWithOneThreadAndFour) {
    ASSERT_TRUE(prepareWithThreads(options_, 1, {}));
    const auto one = *readFile(file());
    const auto words = *readFile((*Dataset::open(options_))->vocabularyFile());
    options_.cache = (scratch_ / "four").string();
    ASSERT_TRUE(prepareWithThreads(options_, 4, {}));
    EXPECT_TRUE(one == *readFile(file()));
    EXPECT_TRUE(words == *readFile((*Dataset::open(options_))->vocabularyFile()));
}

TEST_F(Cache, UsesTheThreadsItIsGiven) {
    // Pictures large enough that one thread cannot finish them before the others wake.
    for (int i = 0; i < 16; ++i)
        test::writeText(scratch_ / "in" / ("big" + std::to_string(i) + ".jpg"),
                        test::encodedPicture(".jpg", 900, 700, {200, 30, 20, 255}, {10, 40, 220, 255}, i));
    auto source = openSource(options_, {});
    const auto one = convert(**source, 16, 1, nullptr, {});
    const auto four = convert(**source, 16, 4, nullptr, {});
    ASSERT_TRUE(one && four);
    EXPECT_EQ(one->threads_used, 1);
    EXPECT_GE(four->threads_used, 2);
    EXPECT_LE(four->threads_used, 4);
}

TEST_F(Cache, HoldsWhatWasConverted) {
    ASSERT_TRUE(prepare(options_, {}));
    const auto data = *Dataset::open(options_);
    ASSERT_EQ(data->size(), 60);
    EXPECT_EQ(data->imageSize(), 16);
    std::int64_t listed = 0;
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
        std::int64_t last = -1;
        for (const auto i : data->indices(split)) {
            EXPECT_GT(i, last);
            last = i;
            EXPECT_EQ(data->sample(i).split, split);
            EXPECT_EQ(data->sample(i).index, i);
            ++listed;
        }
    }
    EXPECT_EQ(listed, 60);
    EXPECT_TRUE(data->indices(Split::kNone).empty());
    for (std::int64_t i = 0; i < data->size(); ++i) {
        const auto sample = data->sample(i);
        const auto direct = loadPicture(scratch_ / "in" / std::string(sample.source), 16);
        ASSERT_TRUE(direct);
        EXPECT_TRUE(std::equal(direct->begin(), direct->end(), sample.rgba.begin(), sample.rgba.end())) << sample.source;
    }
    EXPECT_TRUE((*CacheFile::open(file()))->verifyPictures());
}

TEST_F(Cache, NoticesDamageAndIsMadeAnew) {
    ASSERT_TRUE(prepare(options_, {}));
    const auto whole = *readFile(file());
    const auto hash = (*Dataset::open(options_))->contentHash();
    const auto refused = [&](const std::string& content, const char* why) {
        test::writeText(file(), content);
        const auto opened = Dataset::open(options_);
        ASSERT_FALSE(opened) << why;
        EXPECT_EQ(opened.error().kind, ErrorKind::kBadInput);
        EXPECT_THAT(opened.error().message(), HasSubstr(why));
        EXPECT_THAT(opened.error().remedy, HasSubstr("prepare"));
        const auto again = prepare(options_, {});
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_TRUE(again->converted);
        EXPECT_EQ((*Dataset::open(options_))->contentHash(), hash);
    };
    refused("", "cut short");
    refused("something else entirely" + std::string(200, ' '), "not a file of converted data");
    refused(whole.substr(0, whole.size() - 1), "bytes instead of");
    refused(whole.substr(0, 3000), "bytes instead of");
    for (const std::size_t at : {std::size_t{20}, std::size_t{64}}) {
        auto spoilt = whole;
        spoilt[at] ^= 1;
        refused(spoilt, "header is damaged");
    }
    auto records = whole;
    records[whole.size() - 3] ^= 1;
    refused(records, "records are damaged");
    auto version = whole;
    version[offsetof(FileHeader, version)] = 99;
    refused(version, "format version 99");

    auto pixels = whole;
    pixels[kPicturesAt + 100] ^= 1;
    test::writeText(file(), pixels);
    EXPECT_FALSE((*CacheFile::open(file()))->verifyPictures());
}

TEST_F(Cache, ReadsVersion1WhereTheSourceHasGone) {
    const fs::path old = fs::path(ES_SOURCE_DIR) / "tests/datasets/files/version1.esdata";
    const auto cache = CacheFile::open(old);
    ASSERT_TRUE(cache) << cache.error().message();
    EXPECT_TRUE((*cache)->verifyPictures());
    EXPECT_EQ((*cache)->header().samples, 3u);
    EXPECT_TRUE((*cache)->truth(0).empty());
    options_.set = "/gone/pictures";
    options_.image_size = 8;
    fs::create_directories(options_.cache);
    const fs::path here = fs::path(options_.cache) / (cachePrefix(options_, fileStemOf(options_)) + "0123456789abcdef.esdata");
    fs::copy_file(old, here);
    test::writeText(vocabularyBeside(here, options_.vocabulary), "as it was");
    const auto data = Dataset::open(options_);
    ASSERT_TRUE(data) << data.error().message();
    EXPECT_EQ((*data)->contentHash(), 0x0f04e2be12d74855u);
    EXPECT_EQ((*data)->sample(1).caption, "a wrench");
    EXPECT_EQ((*data)->sample(1).split, Split::kValidation);
    EXPECT_EQ((*data)->sample(1).rgba.size(), 8u * 8 * 4);
    EXPECT_EQ((*data)->sample(1).rgba[0], 40);
    EXPECT_TRUE((*data)->sample(2).rgba.empty());
    EXPECT_TRUE((*data)->parts().empty());
    const auto sets = list(options_.cache);
    EXPECT_TRUE(std::any_of(sets.begin(), sets.end(), [](const SetInfo& set) { return set.name == "/gone/pictures" && set.samples == 3; }));
    auto spoilt = *readFile(old);
    for (const std::size_t at : {std::size_t{40}, std::size_t{90}}) {
        spoilt[at] ^= 1;
        test::writeText(here, spoilt);
        EXPECT_THAT(CacheFile::open(here).error().message(), HasSubstr("header is damaged"));
        spoilt[at] ^= 1;
    }
    test::writeText(here, spoilt.substr(0, 100));
    EXPECT_THAT(CacheFile::open(here).error().message(), HasSubstr("cut short"));
}

TEST_F(Cache, MakesALostOrDamagedVocabularyAnew) {
    ASSERT_TRUE(prepare(options_, {}));
    const auto path = (*Dataset::open(options_))->vocabularyFile();
    const auto model = *readFile(path);
    fs::remove(path);
    EXPECT_THAT(Dataset::open(options_).error().message(), HasSubstr("vocabulary"));
    ASSERT_TRUE(prepare(options_, {}));
    EXPECT_TRUE(model == *readFile(path));
    test::writeText(path, "not a model");
    EXPECT_FALSE(Tokenizer::load(path));
    ASSERT_TRUE(prepare(options_, {}));
    EXPECT_TRUE(model == *readFile(path));
    options_.vocabulary = 70;
    ASSERT_TRUE(prepare(options_, {}));
    EXPECT_LE((*Tokenizer::load((*Dataset::open(options_))->vocabularyFile()))->size(), 70);
}

TEST_F(Cache, IsNotThereBeforeItIsPrepared) {
    const auto opened = Dataset::open(options_);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message(), HasSubstr("not been converted to 16 pixels"));
    EXPECT_THAT(opened.error().remedy,
                HasSubstr("expertscope data prepare '" + options_.set + "' --set 'data.cache=" + options_.cache + "' --set data.image_size=16"));
}

TEST_F(Cache, SaysWhenTheDiskIsFull) {
    // A limit on the size of files stands for a full disk: writing fails in the same place.
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto old = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{.rlim_cur = 20'000, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto made = prepare(options_, {});
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, old);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::kJobFailed);
    EXPECT_THAT(made.error().message(), HasSubstr("Cannot write the converted data"));
    EXPECT_TRUE(leftovers().empty());
    EXPECT_TRUE(prepare(options_, {}));
}

TEST_F(Cache, IsReadFromAFolderThatCannotBeWritten) {
    ASSERT_TRUE(prepare(options_, {}));
    const test::AsNobody nobody(scratch_.path());
    if (!nobody.changed) GTEST_SKIP() << "the superuser writes everywhere, and this one cannot become another user";
    fs::permissions(scratch_ / "cache", fs::perms::owner_read | fs::perms::owner_exec);
    const auto again = prepare(options_, {});
    const auto opened = Dataset::open(options_);
    options_.image_size = 24;
    const auto other = prepare(options_, {});
    fs::permissions(scratch_ / "cache", fs::perms::owner_all);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_FALSE(again->converted);
    EXPECT_TRUE(opened);
    ASSERT_FALSE(other);
    EXPECT_THAT(other.error().message(), HasSubstr("writable"));
}

TEST_F(Cache, LeavesNothingHalfWrittenWhenStopped) {
    // Stops at each report of progress in turn, until a run gets through.
    for (int stopAt = 0;; ++stopAt) {
        ASSERT_LT(stopAt, 100);
        std::stop_source stop;
        int reports = 0;
        JobContext context;
        context.stop = stop.get_token();
        context.onProgress = [&](const Progress&) {
            if (reports++ == stopAt) stop.request_stop();
        };
        const auto made = prepare(options_, context);
        if (made) {
            EXPECT_GE(stopAt, 4) << "it reports its steps";
            break;
        }
        EXPECT_EQ(made.error().kind, ErrorKind::kStopped);
        for (const auto& name : leftovers()) EXPECT_TRUE(name.ends_with(".esdata")) << name << " after stopping at report " << stopAt;
        const auto left = CacheFile::open(file());
        EXPECT_TRUE(!left || (*left)->verifyPictures());
    }
    EXPECT_TRUE(Dataset::open(options_));
}

TEST_F(Cache, ReportsProgressThatAddsUp) {
    std::vector<std::string> labels;
    std::int64_t last = 0, total = 0;
    JobContext context;
    context.onProgress = [&](const Progress& progress) {
        if (labels.empty() || labels.back() != progress.label) labels.push_back(progress.label);
        if (progress.label == "Converting pictures") {
            EXPECT_GE(progress.done, last);
            last = progress.done;
            total = progress.total;
        }
    };
    ASSERT_TRUE(prepare(options_, context));
    EXPECT_EQ(last, 60);
    EXPECT_EQ(total, 60);
    EXPECT_THAT(labels,
                testing::ElementsAre("Reading the folder", "Reading captions", "Converting pictures", "Writing the converted data", "Learning the vocabulary"));
}

TEST_F(Cache, RemovesWhatAKilledProcessLeft) {
    const auto data = file();
    test::writeText(data.string() + ".part-1-1", "half");
    test::writeText(data.string() + "-not-ours", "kept");
    ASSERT_TRUE(prepare(options_, {}));
    EXPECT_FALSE(fs::exists(data.string() + ".part-1-1"));
    EXPECT_TRUE(fs::exists(data.string() + "-not-ours"));
}

}  // namespace
}  // namespace es::datasets
