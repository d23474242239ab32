// SPDX-License-Identifier: GPL-3.0-or-later
// The same configuration gives the same run to the bit: with any number of data threads, after a stop and a resume, and whatever is recorded.
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "engine/store/run_reader.h"
#include "program/program.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

constexpr const char* kTrain = "steps = 30\nevaluate_every = 15\nevaluate_samples = 16\ncheckpoint_every = 10";
constexpr const char* kRecord = "trace_every = 2\nprobe_samples = 8\nprobe_random_routers = 1\nflush_seconds = 0.1";

TEST(Determinism, DataThreadsDoNotMatter) {
    const ScratchFolder scratch;
    const auto config = writeTinyConfig(scratch.path(), kTrain, kRecord).string();
    const Outcome one = runProgram({"train", config, "--out", (scratch / "one").string(), "--set", "data.threads=1"}, scratch.path());
    const Outcome four = runProgram({"train", config, "--out", (scratch / "four").string(), "--set", "data.threads=4"}, scratch.path());
    ASSERT_EQ(one.exit_code, 0) << one.err;
    ASSERT_EQ(four.exit_code, 0) << four.err;
    EXPECT_EQ(digest(scratch / "one"), digest(scratch / "four"));
    EXPECT_GT(digest(scratch / "one").size(), 500u);
}

TEST(Determinism, AnotherSeedGivesAnotherRun) {
    const ScratchFolder scratch;
    const auto config = writeTinyConfig(scratch.path(), kTrain, kRecord).string();
    ASSERT_EQ(runProgram({"train", config, "--out", (scratch / "a").string()}, scratch.path()).exit_code, 0);
    ASSERT_EQ(runProgram({"train", config, "--out", (scratch / "b").string(), "--set", "run.seed=2"}, scratch.path()).exit_code, 0);
    EXPECT_NE(digest(scratch / "a"), digest(scratch / "b"));
}

TEST(Determinism, StoppedWithCtrlCAndResumedEqualsUninterrupted) {
    const ScratchFolder scratch;
    const auto config = writeTinyConfig(scratch.path(), "steps = 200\nevaluate_every = 100\nevaluate_samples = 8\ncheckpoint_every = 100", kRecord).string();
    ASSERT_EQ(runProgram({"train", config, "--out", (scratch / "whole").string()}, scratch.path()).exit_code, 0);
    const auto stopped = scratch / "stopped";
    {
        Program program({"train", config, "--out", stopped.string()}, scratch.path());
        for (int i = 0; i < 4000 && program.running(); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            const auto reader = store::RunReader::open(stopped);
            if (reader && (*reader)->status().step >= 20) break;
        }
        program.signal(SIGINT);
        const Outcome outcome = program.wait();
        ASSERT_EQ(outcome.exit_code, 130) << outcome.err;
    }
    const auto reader = store::RunReader::open(stopped);
    ASSERT_TRUE(reader);
    EXPECT_EQ((*reader)->status().state, store::RunState::kStopped);
    EXPECT_LT((*reader)->status().step, 200);
    ASSERT_EQ(runProgram({"train", config, "--out", stopped.string(), "--resume"}, scratch.path()).exit_code, 0);
    EXPECT_EQ(digest(stopped), digest(scratch / "whole"));
}

}  // namespace
}  // namespace es::test
