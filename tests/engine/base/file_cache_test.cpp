// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/file_cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "support/scratch_folder.h"

namespace es {
namespace {

namespace fs = std::filesystem;

TEST(FileCache, GivesBackWhatWasKept) {
    test::ScratchFolder scratch;
    const FileCache cache(scratch.path() / "not made yet", 1 << 20);
    EXPECT_FALSE(cache.get("a"));
    const std::string binary("\0one\nline\xFF", 10);
    cache.put("a", binary);
    cache.put("b", "");
    EXPECT_EQ(cache.get("a"), binary);
    EXPECT_EQ(cache.get("b"), "");
    cache.put("a", "newer");
    EXPECT_EQ(cache.get("a"), "newer");
    EXPECT_FALSE(cache.get("ab"));
    const FileCache nowhere({}, 1 << 20);
    nowhere.put("a", "x");
    EXPECT_FALSE(nowhere.get("a"));
    std::ofstream(scratch.path() / "file") << "not a folder";
    const FileCache blocked(scratch.path() / "file", 1 << 20);
    blocked.put("a", "x");
    EXPECT_FALSE(blocked.get("a"));
}

TEST(FileCache, StaysWithinItsBoundAndForgetsTheOldestUse) {
    test::ScratchFolder scratch;
    const FileCache cache(scratch.path(), 10000);
    const std::string content(2000, 'x');
    for (int i = 0; i < 4; ++i) {
        cache.put(std::to_string(i), content);
        for (const auto& file : fs::directory_iterator(scratch.path()))
            fs::last_write_time(file.path(), fs::last_write_time(file.path()) - std::chrono::seconds(10));
    }
    EXPECT_TRUE(cache.get("0"));  // now it is the newest
    cache.put("4", content);
    cache.put("5", content);
    EXPECT_LE(cache.bytes(), 10000u);
    EXPECT_TRUE(cache.get("0"));
    EXPECT_FALSE(cache.get("1"));
    EXPECT_TRUE(cache.get("5"));
    cache.put("large", std::string(6000, 'x'));
    EXPECT_FALSE(cache.get("large"));
    EXPECT_TRUE(cache.get("5"));
}

TEST(FileCache, DamageReadsAsAbsent) {
    test::ScratchFolder scratch;
    const FileCache cache(scratch.path(), 1 << 20);
    cache.put("a", "something of some length");
    const fs::path file = fs::directory_iterator(scratch.path())->path();
    const auto size = fs::file_size(file);
    for (const std::uintmax_t cut : {size - 1, size / 2, std::uintmax_t{10}, std::uintmax_t{0}}) {
        cache.put("a", "something of some length");
        fs::resize_file(file, cut);
        EXPECT_FALSE(cache.get("a")) << cut;
    }
    cache.put("a", "something of some length");
    {
        std::fstream open(file, std::ios::in | std::ios::out | std::ios::binary);
        open.seekp(-3, std::ios::end);
        open.put('#');
    }
    EXPECT_FALSE(cache.get("a"));
}

TEST(FileCache, ADamagedHeadTakesNoMemory) {
    test::ScratchFolder scratch;
    const FileCache cache(scratch.path(), std::uintmax_t{1} << 62);
    cache.put("a", "something of some length");
    const fs::path file = fs::directory_iterator(scratch.path())->path();
    {
        std::fstream open(file, std::ios::in | std::ios::out | std::ios::binary);
        open.seekp(16 + 6);  // the length of the content: 2^53 and more
        open.put('#');
    }
    EXPECT_FALSE(cache.get("a"));
    cache.put("a", "again");
    EXPECT_EQ(cache.get("a"), "again");
}

TEST(FileCache, RemovesWhatEndedProcessesLeft) {
    test::ScratchFolder scratch;
    const FileCache cache(scratch.path(), 1 << 20);
    const fs::path old = scratch / "0123.kept.part-1-1", young = scratch / "4567.kept.part-2-1", other = scratch / "notes.txt";
    for (const fs::path& path : {old, young, other}) std::ofstream(path) << "half";
    for (const fs::path& path : {old, other}) fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(30));
    cache.put("a", "x");
    EXPECT_FALSE(fs::exists(old));
    EXPECT_TRUE(fs::exists(young)) << "somebody may be writing it";
    EXPECT_TRUE(fs::exists(other));
    EXPECT_EQ(cache.get("a"), "x");
}

}  // namespace
}  // namespace es
