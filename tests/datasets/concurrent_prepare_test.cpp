// SPDX-License-Identifier: GPL-3.0-or-later
// A program of its own: it forks, which is only safe before any pool of threads has started.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "datasets/cache_reader.h"
#include "datasets/dataset.h"
#include "datasets/picture_files.h"
#include "datasets/prepare.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

TEST(ConcurrentPrepare, IsDoneOnceByManyProcessesAndThreads) {
    const test::ScratchFolder scratch;
    config::DataOptions options;
    options.set = (scratch / "in").string();
    options.cache = (scratch / "cache").string();
    options.image_size = 16;
    options.vocabulary = 64;
    for (int i = 0; i < 60; ++i) {
        const std::string name = "p" + std::to_string(i);
        test::writeText(scratch / "in" / (name + ".png"), test::encodedPicture(".png", 20, 16, {200, 30, 20, 255}, {10, 40, 220, 255}, i));
        test::writeText(scratch / "in" / (name + ".txt"), "picture number " + std::to_string(i));
    }
    std::vector<pid_t> children;
    for (int i = 0; i < 3; ++i) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(prepareWithThreads(options, 1, {}) ? 0 : 1);
        children.push_back(child);
    }
    std::vector<std::thread> threads;
    std::atomic<int> failed{0}, converted{0};
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            const auto made = prepareWithThreads(options, 1, {});
            if (!made) ++failed;
            else converted += made->converted;
        });
    for (auto& thread : threads) thread.join();
    for (const pid_t child : children) {
        int status = 1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(failed, 0);
    EXPECT_LE(converted, 1) << "the others waited and found it done";
    const auto data = Dataset::open(options);
    ASSERT_TRUE(data) << data.error().message();
    EXPECT_TRUE((*CacheFile::open((*data)->file()))->verifyPictures());
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(scratch / "cache")) files += entry.path().extension() != ".lock";
    EXPECT_EQ(files, 2) << "the data and the vocabulary";
}

}  // namespace
}  // namespace es::datasets
