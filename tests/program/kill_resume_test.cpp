// SPDX-License-Identifier: GPL-3.0-or-later
// SIGKILL in the middle of training: every directory opens, loses at most what was not flushed, resumes, and ends equal to a run never killed.
// EXPERTSCOPE_KILLS sets how many times (6 by default; the figure is 30); a third aims at checkpoints, a third at probes.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "engine/base/random.h"
#include "engine/store/run_reader.h"
#include "program/program.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kSteps = 120;
constexpr int kFlushSteps = 5;
constexpr auto kGiveUp = std::chrono::seconds(120);

int kills() {
    const char* wanted = std::getenv("EXPERTSCOPE_KILLS");
    return wanted ? std::atoi(wanted) : 6;
}

enum class Aim { kAnywhere, kCheckpoint, kProbe };

bool anyPart(const fs::path& folder) {
    std::error_code error;
    for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator(); it.increment(error))
        if (it->path().filename().string().find(".part") != std::string::npos) return true;
    return false;
}

/// True when the process was killed where it was aimed at; false when it ended first.
bool killAt(Program& program, const fs::path& run, Aim aim, RandomStream& random, std::int64_t startStep) {
    const auto deadline = Clock::now() + kGiveUp;
    // A random number of the aimed events is let pass, so that the kill may fall on a late one.
    int pass = static_cast<int>(random.below(3));
    bool inside = false;
    const std::int64_t wantedStep = startStep + 1 + random.below(kSteps / 6);
    while (program.running() && Clock::now() < deadline) {
        bool hit = false;
        if (aim == Aim::kAnywhere) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            const auto reader = store::RunReader::open(run);
            hit = reader && (*reader)->status().step >= wantedStep;
            if (hit) std::this_thread::sleep_for(std::chrono::microseconds(random.below(20000)));
        } else {
            const bool now = anyPart(run / (aim == Aim::kCheckpoint ? "checkpoints" : "routing"));
            hit = now && !inside && pass-- == 0;
            inside = now;
            if (hit) std::this_thread::sleep_for(std::chrono::microseconds(random.below(1500)));
        }
        if (!hit) continue;
        program.signal(SIGKILL);
        return true;
    }
    return false;
}

TEST(KillResume, AKilledRunLosesLittleAndEndsEqualToOneNeverKilled) {
    const ScratchFolder scratch;
    const auto config =
        writeTinyConfig(scratch.path(), fmt::format("steps = {}\nevaluate_every = 40\nevaluate_samples = 24\ncheckpoint_every = 10\nkeep_last = 2", kSteps),
                        fmt::format("trace_every = 1\nprobe_samples = 24\nprobe_random_routers = 1\nflush_seconds = 0.2\nflush_steps = {}", kFlushSteps));
    const fs::path whole = scratch / "whole", killed = scratch / "killed";
    const Outcome uninterrupted = runProgram({"train", config.string(), "--out", whole.string()}, scratch.path());
    ASSERT_EQ(uninterrupted.exit_code, 0) << uninterrupted.err;

    RandomStream random(static_cast<std::uint64_t>(kills()), RandomPurpose::kSynthetic);
    int done = 0, atCheckpoint = 0, atProbe = 0;
    std::vector<std::string> arguments{"train", config.string(), "--out", killed.string()};
    while (done < kills()) {
        const Aim aim = static_cast<Aim>(done % 3);
        std::int64_t reached = 0;
        if (const auto reader = store::RunReader::open(killed)) reached = (*reader)->status().step;
        Program program(arguments, scratch.path());
        const bool hit = killAt(program, killed, aim, random, reached);
        const Outcome outcome = program.wait();
        if (!hit) {
            // It ended before the aimed moment came: start over, the kills so far stand.
            ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
            fs::remove_all(killed);
            arguments = {"train", config.string(), "--out", killed.string()};
            continue;
        }
        ++done;
        atCheckpoint += aim == Aim::kCheckpoint;
        atProbe += aim == Aim::kProbe;
        const fs::path copy = scratch / "copy";
        fs::copy(killed, copy, fs::copy_options::recursive);
        for (const fs::path& folder : {killed, copy}) {
            const auto reader = store::RunReader::open(folder);
            // Killed before the run was whole enough to be one: nothing was recorded yet, and training starts anew.
            if (!reader && !fs::exists(folder / "run.toml")) continue;
            ASSERT_TRUE(reader) << reader.error().message();
            EXPECT_NE((*reader)->status().state, store::RunState::kFinished);
            for (const auto& router : (*reader)->routers()) {
                store::TraceQuery query;
                query.router = router.id;
                EXPECT_TRUE((*reader)->trace(query)) << "trace of router " << router.id.value;
            }
            for (const auto& key : (*reader)->probes())
                for (const auto& router : (*reader)->routers()) EXPECT_TRUE((*reader)->probe(key, router.id));
        }
        fs::remove_all(copy);
        bool complete = false;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(killed / "checkpoints", error))
            complete |= entry.path().filename().string().starts_with("step-") && entry.path().filename().string().find(".part") == std::string::npos;
        arguments = {"train", config.string(), "--out", killed.string()};
        if (complete) arguments.emplace_back("--resume");
        else fs::remove_all(killed);
    }
    const Outcome last = runProgram(arguments, scratch.path());
    ASSERT_EQ(last.exit_code, 0) << last.err;
    EXPECT_EQ(digest(killed), digest(whole));
    fmt::print("{} kills, {} while a checkpoint and {} while a probe was written\n", done, atCheckpoint, atProbe);
}

}  // namespace
}  // namespace es::test
