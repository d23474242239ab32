// SPDX-License-Identifier: GPL-3.0-or-later
// A writer killed at any moment, and a run copied while it is written.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "engine/store/format.h"
#include "store_fixture.h"

namespace es::store {
namespace {

using test::must;
namespace fs = std::filesystem;

double lossAt(std::int64_t step) { return 1000.0 - 0.5 * static_cast<double>(step); }
std::vector<TraceUnit> traceAt(std::int64_t step) {
    return {test::randomTable(test::routerInfo(0), step, 60, 3, false), test::randomTable(test::routerInfo(1), step, 60, 3, false)};
}

/// Writes a run for ever, or up to `last`; tells the pipe each step known to be on disk.
void writeOn(const fs::path& folder, std::int64_t first, std::int64_t last, int pipe) {
    RunWriterOptions options;
    options.flush_seconds = 0.01;
    options.segment_seconds = 0.02;
    const auto routers = test::twoRouters();
    auto writer = first == 1 ? RunWriter::create(folder, {}, {}, routers, options) : RunWriter::resume(folder, first, {}, options);
    if (!writer) _exit(9);
    for (std::int64_t step = first; step <= last; ++step) {
        Status ok = (*writer)->scalars(step, {{"train/loss", lossAt(step)}});
        if (ok) ok = (*writer)->load({test::loadRecord(step, 0)});
        if (ok) ok = (*writer)->samples({test::sampleRecord(static_cast<std::uint64_t>(step))});
        if (ok && step % 2 == 0) ok = (*writer)->trace(step, traceAt(step));
        if (ok && step % 7 == 0) ok = (*writer)->probe({{step, "trained"}, {test::randomTable(test::routerInfo(0), step, 50, 1)}});
        if (ok && step % 7 == 0) ok = (*writer)->evaluation(test::evaluation(step));
        if (ok && step % 5 == 0) {
            ok = (*writer)->flush();
            if (::write(pipe, &step, sizeof(step)) != sizeof(step)) _exit(8);
        }
        if (!ok) _exit(10);
    }
    if (!(*writer)->finish(true, "")) _exit(11);
}

class Crash : public test::StoreTest {
protected:
    /// Forks a writer; returns its process id. Steps known to be on disk come through pipe_.
    pid_t start(std::int64_t first, std::int64_t last) {
        int ends[2];
        EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
        const pid_t child = fork();
        if (child == 0) {
            writeOn(folder_, first, last, ends[1]);
            _exit(0);
        }
        close(ends[1]);
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        pipe_ = ends[0];
        return child;
    }
    std::int64_t lastFlushed() {
        std::int64_t step = 0, newest = 0;
        while (read(pipe_, &step, sizeof(step)) == sizeof(step)) newest = step;
        return newest;
    }
    /// Everything the reader shows agrees with what was written, up to at least `flushed`.
    static void check(const RunReader& reader, std::int64_t flushed) {
        const auto loss = must(reader.scalars("train/loss"));
        ASSERT_GE(loss.points, flushed);
        if (reader.routers().empty()) {
            ASSERT_EQ(flushed, 0);
            return;
        }
        for (std::size_t i = 0; i < loss.step.size(); ++i) {
            ASSERT_EQ(loss.step[i], static_cast<double>(i + 1));
            ASSERT_EQ(loss.value[i], lossAt(static_cast<std::int64_t>(i) + 1));
        }
        ASSERT_GE(static_cast<std::int64_t>(must(reader.loadRecords(RouterId(0))).size()), flushed);
        const auto traced = reader.tracedSteps();
        ASSERT_GE(static_cast<std::int64_t>(traced.size()), flushed / 2);
        for (std::size_t i = 0; i < traced.size(); i += std::max<std::size_t>(traced.size() / 8, 1)) {
            ASSERT_EQ(traced[i], static_cast<std::int64_t>(2 * i + 2));
            test::expectSameTable(traceAt(traced[i])[1], must(reader.trace({RouterId(1), traced[i], traced[i], {}, -1})));
        }
        EXPECT_EQ(must(reader.trace({RouterId(0), 0, -1, {}, -1})).tokens, static_cast<std::int64_t>(traced.size()) * 60);
        for (const ProbeKey& key : reader.probes()) EXPECT_EQ(must(reader.probe(key, RouterId(0))).tokens, 50);
        ASSERT_GE(static_cast<std::int64_t>(reader.probes().size()), flushed / 7);
        for (const std::int64_t step : reader.evaluations()) EXPECT_EQ(must(reader.evaluation(step)).rows.size(), 20u);
        const auto samples = must(reader.sampleList());
        ASSERT_GE(static_cast<std::int64_t>(samples.size()), flushed);
        if (!samples.empty()) test::expectSameSample(test::sampleRecord(samples.back().hash), must(reader.sample(samples.back().hash)), true);
    }
    void TearDown() override {
        if (pipe_ >= 0) close(pipe_);
    }
    fs::path folder_ = scratch_ / "run";
    int pipe_ = -1;
};

TEST_F(Crash, KilledAtAnyMomentTheRunOpensLosesLittleAndGoesOn) {
    RandomStream random(17, RandomPurpose::kSynthetic);
    int killedInTheMiddle = 0;
    for (int round = 0; round < 8; ++round) {
        folder_ = scratch_ / ("run-" + std::to_string(round));
        const pid_t child = start(1, 1000000);
        std::this_thread::sleep_for(std::chrono::milliseconds(10 + random.below(150)));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the writer gave up: " << WEXITSTATUS(status);
        const std::int64_t flushed = lastFlushed();
        close(std::exchange(pipe_, -1));
        if (!fs::exists(folder_ / kConfigFile)) continue;  // killed before there was a run
        killedInTheMiddle += flushed > 0;
        {
            const auto reader = must(RunReader::open(folder_));
            EXPECT_TRUE(reader->status().state == RunState::kInterrupted || reader->status().state == RunState::kEmpty);
            check(*reader, flushed);
            if (::testing::Test::HasFatalFailure()) return;
        }
        const std::int64_t next = flushed + 1;
        if (next == 1) continue;
        const pid_t second = start(next, next + 19);
        waitpid(second, &status, 0);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_EQ(WEXITSTATUS(status), 0);
        const auto reader = must(RunReader::open(folder_));
        EXPECT_EQ(reader->status().state, RunState::kFinished);
        EXPECT_EQ(reader->status().attempts, 2u);
        EXPECT_EQ(reader->status().step, next + 19);
        EXPECT_EQ(must(reader->scalars("train/loss")).points, next + 19);
        check(*reader, next + 19);
        if (::testing::Test::HasFatalFailure()) return;
        close(std::exchange(pipe_, -1));
    }
    EXPECT_GE(killedInTheMiddle, 3);
}

TEST_F(Crash, ACopyMadeInMidRunOpens) {
    const pid_t child = start(1, 1000000);
    const auto source = folder_;
    int opened = 0;
    for (int round = 0; round < 8; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        const auto live = RunReader::open(source);  // leaves an index that the copy takes along, whatever its state
        const fs::path copy = scratch_ / ("copy-" + std::to_string(round));
        const std::string command = "cp -r '" + source.string() + "' '" + copy.string() + "' 2>/dev/null";
        (void)!std::system(command.c_str());
        const auto reader = RunReader::open(copy);
        if (!reader) continue;
        ++opened;
        EXPECT_NE((*reader)->status().state, RunState::kTraining);
        const auto loss = must((*reader)->scalars("train/loss"));
        for (std::size_t i = 0; i < loss.step.size(); ++i) ASSERT_EQ(loss.value[i], lossAt(static_cast<std::int64_t>(i) + 1));
        // Files that were caught half-way may be unreadable, but they say so.
        for (const std::int64_t step : (*reader)->tracedSteps())
            if (const auto table = (*reader)->trace({RouterId(1), step, step, {}, -1}); table && table->tokens > 0)
                test::expectSameTable(traceAt(step)[1], *table);
        (void)(*reader)->sampleList();
        for (const ProbeKey& key : (*reader)->probes()) (void)(*reader)->probe(key, RouterId(0));
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    EXPECT_GE(opened, 7);
}

TEST_F(Crash, FollowedLiveFromAnotherProcess) {
    const pid_t child = start(1, 150);
    std::shared_ptr<RunReader> reader;
    std::int64_t seen = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    int status = 0;
    bool ended = false;
    while (std::chrono::steady_clock::now() < deadline) {
        if (!reader) {
            auto opened = RunReader::open(folder_);
            if (opened) reader = *opened;
        } else {
            must(reader->refresh());
            const auto loss = must(reader->scalars("train/loss"));
            ASSERT_GE(loss.points, seen);
            seen = loss.points;
            const auto traced = reader->tracedSteps();
            if (!traced.empty()) test::expectSameTable(traceAt(traced.back())[0], must(reader->trace({RouterId(0), traced.back(), -1, {}, -1})));
            if (ended) break;
        }
        ended = ended || waitpid(child, &status, WNOHANG) == child;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ASSERT_TRUE(ended && reader);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    must(reader->refresh());
    check(*reader, 150);
    EXPECT_EQ(reader->status().state, RunState::kFinished);
}

}  // namespace
}  // namespace es::store
