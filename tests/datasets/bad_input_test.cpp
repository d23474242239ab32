// SPDX-License-Identifier: GPL-3.0-or-later
// Damaged folders: what is whole is used, what is not is named with the reason, and only a folder without anything usable is an error.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "datasets/as_nobody.h"
#include "datasets/dataset.h"
#include "datasets/picture_files.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

namespace fs = std::filesystem;
using test::writeText;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr test::Rgba kRed{200, 30, 20, 255}, kBlue{10, 40, 220, 255};

class BadInput : public testing::Test {
protected:
    void SetUp() override {
        options_.set = (scratch_ / "in").string();
        options_.cache = (scratch_ / "cache").string();
        options_.image_size = 16;
        options_.vocabulary = 64;
        good("good.png", 1);
        write("good.txt", "a good picture");
    }
    void write(const std::string& path, std::string_view content) const { writeText(scratch_ / "in" / path, content); }
    void good(const std::string& path, int seed) const { write(path, test::encodedPicture(fs::path(path).extension().string(), 20, 16, kRed, kBlue, seed)); }

    /// Both doors must say the same; the good picture must survive.
    Report report(std::int64_t samples = 1) {
        const auto checked = check(options_, {});
        EXPECT_TRUE(checked) << checked.error().message();
        EXPECT_FALSE(fs::exists(scratch_ / "cache")) << "check writes nothing";
        const auto made = prepare(options_, {});
        EXPECT_TRUE(made) << made.error().message();
        if (!checked || !made) return {};
        EXPECT_EQ(checked->samples, samples);
        EXPECT_EQ(made->samples, samples);
        EXPECT_EQ(checked->problems.size(), made->problems.size());
        const auto again = prepare(options_, {});
        EXPECT_EQ(again->problems.size(), made->problems.size()) << "the report is kept with the data";
        return *checked;
    }
    void expectProblem(const Report& found, const std::string& path, const std::string& why) {
        for (const auto& problem : found.problems)
            if (problem.path == path) {
                EXPECT_THAT(problem.why, HasSubstr(why));
                return;
            }
        ADD_FAILURE() << path << " is not reported";
    }

    test::ScratchFolder scratch_;
    config::DataOptions options_;
};

TEST_F(BadInput, DamagedPicturesAreSkippedAndNamed) {
    const auto png = test::encodedPicture(".png", 40, 30, kRed, kBlue), jpeg = test::encodedPicture(".jpg", 40, 30, kRed, kBlue);
    write("cut.png", png.substr(0, png.size() / 2));
    write("cut.jpg", jpeg.substr(0, jpeg.size() / 2));
    write("no-end.jpg", jpeg.substr(0, jpeg.size() - 2));
    write("zero.png", "");
    write("page.jpg", "<html><body>not found</body></html>");
    write("film.gif", "GIF89a....");
    auto spoilt = png;
    spoilt[spoilt.size() / 2] ^= 1;
    write("crc.png", spoilt);
    write("bomb.png", test::rawPng(16000, 16000, 1, 0, std::vector<std::string>(16000, std::string(2000, '\0'))));
    write("cut.txt", "its caption goes with the picture");
    const auto found = report();
    EXPECT_EQ(found.problems.size(), 8u);
    expectProblem(found, "cut.png", "ends before");
    expectProblem(found, "cut.jpg", "ends before");
    expectProblem(found, "no-end.jpg", "ends before");
    expectProblem(found, "zero.png", "empty");
    expectProblem(found, "page.jpg", "web page");
    expectProblem(found, "film.gif", "convert it to PNG");
    expectProblem(found, "crc.png", "check sum");
    expectProblem(found, "bomb.png", "16000 x 16000");
}

TEST_F(BadInput, LinksInCirclesAreNotFollowed) {
    fs::create_directory(scratch_ / "in/sub");
    fs::create_directory_symlink(scratch_ / "in", scratch_ / "in/sub/up");
    fs::create_symlink("self.png", scratch_ / "in/self.png");
    fs::create_symlink("nowhere.png", scratch_ / "in/dangling.png");
    fs::create_directory(scratch_ / "in/other");
    fs::create_directory_symlink(scratch_ / "in/sub", scratch_ / "in/again");
    const auto found = report();
    EXPECT_EQ(found.problems.size(), 3u);
    expectProblem(found, "self.png", "circle");
    expectProblem(found, "dangling.png", "not there");
    expectProblem(found, "again/up", "leads back");
}

TEST_F(BadInput, PipesAreNotWaitedFor) {
    ASSERT_EQ(::mkfifo((scratch_ / "in/pipe.png").c_str(), 0600), 0);
    expectProblem(report(), "pipe.png", "not a regular file");
}

TEST_F(BadInput, UnreadableFilesAreNamed) {
    good("secret.png", 2);
    good("closed/inside.png", 3);
    const test::AsNobody nobody(scratch_.path());
    if (!nobody.changed) GTEST_SKIP() << "the superuser reads everything, and this one cannot become another user";
    fs::permissions(scratch_ / "in/secret.png", fs::perms::none);
    fs::permissions(scratch_ / "in/closed", fs::perms::none);
    const auto found = report();
    EXPECT_EQ(found.problems.size(), 2u);
    expectProblem(found, "secret.png", "ermission");
    expectProblem(found, "closed", "cannot be read");
    fs::permissions(scratch_ / "in/closed", fs::perms::owner_all);
    fs::permissions(scratch_ / "in/secret.png", fs::perms::owner_all);
    EXPECT_EQ(prepare(options_, {})->samples, 3) << "readable now: noticed";
    fs::permissions(scratch_ / "in", fs::perms::none);
    const auto closed = prepare(options_, {});
    ASSERT_FALSE(closed);
    EXPECT_THAT(closed.error().message(), HasSubstr("ermission"));
    fs::permissions(scratch_ / "in", fs::perms::owner_all);
}

TEST_F(BadInput, CaptionsAreRepairedCutOrLeftOut) {
    std::string endless;
    for (int i = 0; i < 10'000; ++i) endless += "word" + std::to_string(i) + " ";
    for (int i = 1; i <= 3; ++i) good("c" + std::to_string(i) + ".png", 10 + i);
    write("metadata.csv",
          "file_name,caption\nc1.png,\nc2.png,caf\xE9 \xFF\nc3.png," + endless + "\nmissing.png,words without a picture\n../outside.png,x\n/etc/passwd,x\n");
    const auto found = report(5);
    EXPECT_EQ(found.pairs, 3);
    EXPECT_EQ(found.pictures, 4);
    EXPECT_EQ(found.captions, 4);
    EXPECT_EQ(found.problems.size(), 6u);
    expectProblem(found, "metadata.csv:2", "empty");
    expectProblem(found, "metadata.csv:3", "UTF-8");
    expectProblem(found, "metadata.csv:4", "10000 words");
    expectProblem(found, "metadata.csv:5", "missing.png is not there");
    expectProblem(found, "metadata.csv:6", "outside the folder");
    expectProblem(found, "metadata.csv:7", "outside the folder");
}

TEST_F(BadInput, DuplicatesAreLeftOutAndNamed) {
    good("same.png", 1);
    write("same.txt", "a good picture");
    good("other-words.png", 1);
    write("other-words.txt", "the same picture in other words");
    const auto found = report(2);
    EXPECT_EQ(found.duplicates, 1);
    EXPECT_THAT(found.problems, IsEmpty());
    ASSERT_EQ(found.notes.size(), 2u);
    EXPECT_EQ(found.notes[0].path, "other-words.png");
    EXPECT_THAT(found.notes[0].why, HasSubstr("shows the same picture as good.png"));
    EXPECT_EQ(found.notes[1].path, "same.png");
    EXPECT_THAT(found.notes[1].why, HasSubstr("picture and caption are those of good.png"));
    const auto data = *Dataset::open(options_);
    EXPECT_EQ(data->sample(0).split, data->sample(1).split) << "one picture, one split";
}

TEST_F(BadInput, StrangeMetadataIsNamedAndTheRestUsed) {
    good("b.png", 2);
    write("metadata.jsonl", "{\"file_name\": \"b.png\", \"caption\": \"fine\"}\n{broken\n");
    write("metadata.csv", "name,value\n1,2\n");
    const auto found = report(2);
    EXPECT_EQ(found.pairs, 2);
    expectProblem(found, "metadata.jsonl:2", "not a JSON object");
    expectProblem(found, "metadata.csv", "it names: name, value");
}

TEST_F(BadInput, NothingUsableIsAnErrorThatNamesTheFirst) {
    fs::remove_all(scratch_ / "in");
    write("cut.png", "\x89PNG\r\n\x1A\n");
    const auto made = prepare(options_, {});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(made.error().message(), HasSubstr("cut.png"));
    EXPECT_FALSE(made.error().remedy.empty());
    const auto checked = check(options_, {});
    ASSERT_TRUE(checked) << "check reports, the caller decides";
    EXPECT_EQ(checked->samples, 0);
    EXPECT_EQ(checked->problems.size(), 1u);
    for (const auto& entry : fs::directory_iterator(scratch_ / "cache")) EXPECT_EQ(entry.path().extension(), ".lock") << entry.path();
}

TEST_F(BadInput, MissingEmptyOrStrangeFoldersAreErrors) {
    const auto why = [&](const std::string& set) {
        options_.set = set;
        const auto made = prepare(options_, {});
        EXPECT_FALSE(made);
        if (made) return std::string();
        EXPECT_EQ(made.error().kind, ErrorKind::kBadInput);
        EXPECT_FALSE(made.error().remedy.empty());
        EXPECT_FALSE(check(options_, {}));
        EXPECT_FALSE(Dataset::open(options_));
        return made.error().message();
    };
    EXPECT_THAT(why((scratch_ / "missing").string()), HasSubstr("no such folder"));
    EXPECT_THAT(why((scratch_ / "in/good.png").string()), HasSubstr("it is a file"));
    fs::create_directory(scratch_ / "empty");
    EXPECT_THAT(why((scratch_ / "empty").string()), HasSubstr("no pictures and no captions"));
    EXPECT_THAT(why("emojis"), HasSubstr("neither a set"));
    EXPECT_THAT(why(""), HasSubstr("neither a set"));
    fs::create_directory(scratch_ / "loop");
    fs::create_directory_symlink(scratch_ / "loop", scratch_ / "loop/loop");
    EXPECT_THAT(why((scratch_ / "loop").string()), HasSubstr("leads back"));
}

TEST_F(BadInput, ACacheThatCannotBeWrittenIsAnError) {
    writeText(scratch_ / "file", "not a folder");
    options_.cache = (scratch_ / "file/cache").string();
    const auto made = prepare(options_, {});
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().message(), HasSubstr("data.cache"));
}

}  // namespace
}  // namespace es::datasets
