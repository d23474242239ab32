// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <thread>

#include "engine/base/bounded_queue.h"
#include "engine/base/files.h"
#include "engine/base/hash.h"
#include "engine/base/random.h"
#include "engine/base/result.h"
#include "engine/base/strong_ids.h"
#include "support/scratch_folder.h"

namespace es {
namespace {

TEST(Hash, Crc32cMatchesRfc3720) {
    const auto crc = [](std::string_view text) { return crc32c(std::as_bytes(std::span(text))); };
    EXPECT_EQ(crc("123456789"), 0xE3069283u);
    EXPECT_EQ(crc(std::string(32, '\0')), 0x8A9136AAu);
    EXPECT_EQ(crc(std::string(32, '\xff')), 0x62A8AB43u);
    const std::string_view text = "a longer text that is cut in two";
    EXPECT_EQ(crc32c(std::as_bytes(std::span(text.substr(11))), crc(text.substr(0, 11))), crc(text));
}

TEST(Random, StreamsDependOnTheirKeyOnly) {
    const auto draw = [](std::uint64_t seed, RandomPurpose purpose, std::uint64_t step) {
        RandomStream stream(seed, purpose, step);
        return stream.nextU64();
    };
    EXPECT_EQ(draw(1, RandomPurpose::kImageMask, 7), draw(1, RandomPurpose::kImageMask, 7));
    std::set<std::uint64_t> values;
    for (std::uint64_t seed = 0; seed < 10; ++seed)
        for (std::uint64_t step = 0; step < 10; ++step) values.insert(draw(seed, RandomPurpose::kTextMask, step));
    EXPECT_EQ(values.size(), 100u);
    EXPECT_NE(draw(1, RandomPurpose::kImageMask, 0), draw(1, RandomPurpose::kTextMask, 0));
}

TEST(Random, UniformNormalAndBelowHaveTheirMoments) {
    RandomStream stream(3, RandomPurpose::kSynthetic);
    double sum = 0, squares = 0, uniform = 0;
    std::array<int, 6> faces{};
    constexpr int kDraws = 60000;
    for (int i = 0; i < kDraws; ++i) {
        const double x = stream.normal();
        sum += x;
        squares += x * x;
        uniform += stream.uniform();
        ++faces[stream.below(6)];
    }
    EXPECT_NEAR(sum / kDraws, 0, 0.02);
    EXPECT_NEAR(squares / kDraws, 1, 0.03);
    EXPECT_NEAR(uniform / kDraws, 0.5, 0.01);
    for (const int count : faces) EXPECT_NEAR(count, kDraws / 6, 400);
}

TEST(BoundedQueue, DropsOnlyWhenAskedToAndDrainsAfterClose) {
    BoundedQueue<int> queue(2);
    EXPECT_TRUE(queue.tryPush(1));
    EXPECT_TRUE(queue.tryPush(2));
    EXPECT_FALSE(queue.tryPush(3));
    std::thread consumer([&] {
        EXPECT_EQ(queue.pop(), 1);
        EXPECT_EQ(queue.pop(), 2);
        EXPECT_EQ(queue.pop(), 4);
        EXPECT_EQ(queue.pop(), std::nullopt);
    });
    EXPECT_TRUE(queue.push(4));
    queue.close();
    consumer.join();
    EXPECT_FALSE(queue.push(5));
}

TEST(Files, AtomicWriteReplacesAndLeavesNothingBeside) {
    const test::ScratchFolder scratch;
    const auto path = scratch / "naïve – 名前.txt";
    ASSERT_TRUE(writeFileAtomically(path, "one"));
    ASSERT_TRUE(writeFileAtomically(path, "two"));
    EXPECT_EQ(readFile(path).value(), "two");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1);
    EXPECT_FALSE(writeFileAtomically(scratch / "missing" / "file", "x"));
    EXPECT_FALSE(readFile(path, 1));
}

TEST(Files, LockIsExclusiveAndFreedWithItsOwner) {
    const test::ScratchFolder scratch;
    const auto path = scratch / "run.lock";
    {
        auto lock = FileLock::acquire(path);
        ASSERT_TRUE(lock);
        EXPECT_TRUE(FileLock::isHeld(path));
        const auto second = FileLock::acquire(path);
        ASSERT_FALSE(second);
        EXPECT_NE(second.error().message().find("process"), std::string::npos);
    }
    EXPECT_FALSE(FileLock::isHeld(path));
    EXPECT_TRUE(FileLock::acquire(path));
}

TEST(Error, MessageSaysWhatWhyRemedyAndPathLast) {
    const Error error{ErrorKind::kBadInput, "Cannot read the picture", "it is empty", "Replace it", "a.png"};
    EXPECT_EQ(error.message(), "Cannot read the picture: it is empty. Replace it. (a.png)");
}

TEST(StrongIds, NamesGoBothWays) {
    for (const Branch branch : {Branch::kVision, Branch::kText, Branch::kVisionLanguage, Branch::kAll}) EXPECT_EQ(branchFromString(toString(branch)), branch);
    EXPECT_EQ(objectiveFromString("pair_text"), Objective::kPairText);
    EXPECT_EQ(splitFromString("nonsense"), std::nullopt);
}

}  // namespace
}  // namespace es
