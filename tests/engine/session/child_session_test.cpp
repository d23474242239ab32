// SPDX-License-Identifier: GPL-3.0-or-later
// This program is its own child: called as `... train CONFIG --out DIR --control SOCKET` it plays the training process whose
// behaviour the run's name chooses.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "engine/config/config_io.h"
#include "engine/session/control_link.h"
#include "engine/session/engine_session.h"
#include "support/scratch_folder.h"

namespace es::session {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

int playChild(const std::vector<std::string>& arguments) {
    const auto config = config::loadConfig(arguments.at(1));
    if (!config) return 3;
    const fs::path out = arguments.at(3);
    const std::string part = config->run.name;
    if (part == "dies-before") {
        std::fprintf(stderr, "no memory for the model\n");
        return 1;
    }
    auto link = ControlLink::connect(arguments.at(5));
    if (!link) return 4;
    const TrainHooks hooks = (*link)->hooks();
    std::ofstream log(out / "log");
    std::int64_t step = 0;
    for (const auto until = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < until;) {
        const TrainControl control = hooks.poll();
        if (control.checkpoint) log << "checkpoint\n" << std::flush;
        if (control.trace_every) log << "trace_every " << *control.trace_every << '\n' << std::flush;
        if (control.stop && part != "stubborn") {
            log << "stop\n" << std::flush;
            (*link)->finish(stopped("The run stopped"));
            return 130;
        }
        if (!control.pause) ++step;
        SessionSnapshot snapshot;
        snapshot.state = control.pause ? SessionState::kPaused : SessionState::kTraining;
        snapshot.step = step;
        snapshot.steps = config->train.steps;
        hooks.onSnapshot(snapshot);
        if (part == "crashes" && step == 3) {
            std::fprintf(stderr, "first line\n\x1b[31mlast line\x1b[0m\n");
            ::raise(SIGKILL);
        }
        if (part == "fails" && step == 3) {
            (*link)->finish(badInput("Cannot read the data", "it is gone", "Bring it back", "data"));
            return 3;
        }
        if (part == "finishes" && step == 3) {
            (*link)->finish({});
            return 0;
        }
        std::this_thread::sleep_for(5ms);
    }
    return 5;
}

template <class Condition>
bool waitFor(Condition&& condition) {
    for (int i = 0; i < 2000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

std::string content(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

struct Child {
    explicit Child(const std::string& part, ChildOptions options = {}) : session(makeChildSession("/proc/self/exe", options)) {
        request.config.run.name = part;
        request.out = folder.path();
    }
    test::ScratchFolder folder;
    std::unique_ptr<ChildSession> session;
    TrainRequest request;
    SessionState state() const { return session->snapshot().state; }
};

TEST(ChildSession, FollowsATrainingToItsEnd) {
    Child child("finishes");
    EXPECT_EQ(child.state(), SessionState::kIdle);
    ASSERT_TRUE(child.session->start(child.request));
    EXPECT_FALSE(child.session->start(child.request)) << "a second run in one session";
    ASSERT_TRUE(waitFor([&] { return child.state() == SessionState::kFinished; }));
    EXPECT_EQ(child.session->snapshot().step, 3);
    EXPECT_EQ(child.session->snapshot().run, child.folder.path());
    EXPECT_FALSE(child.session->pause()) << "nothing runs any more";
}

TEST(ChildSession, PausesResumesChecksAndStops) {
    Child child("trains");
    ASSERT_TRUE(child.session->start(child.request));
    ASSERT_TRUE(waitFor([&] { return child.session->snapshot().step > 2; }));
    ASSERT_TRUE(child.session->pause());
    ASSERT_TRUE(waitFor([&] { return child.state() == SessionState::kPaused; }));
    const auto step = child.session->snapshot().step;
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(child.session->snapshot().step, step);
    ASSERT_TRUE(child.session->resume());
    ASSERT_TRUE(waitFor([&] { return child.session->snapshot().step > step; }));
    ASSERT_TRUE(child.session->checkpointNow());
    ASSERT_TRUE(child.session->setTraceEvery(5));
    ASSERT_TRUE(waitFor([&] { return content(child.folder / "log") == "checkpoint\ntrace_every 5\n"; }));
    ASSERT_TRUE(child.session->stop());
    EXPECT_EQ(child.state(), SessionState::kStopping);
    ASSERT_TRUE(waitFor([&] { return child.state() == SessionState::kFinished; }));
    EXPECT_EQ(child.session->snapshot().activity, "Stopped");
}

TEST(ChildSession, RequestsBeforeTheChildListensAreNotLost) {
    Child child("trains");
    ASSERT_TRUE(child.session->start(child.request));
    ASSERT_TRUE(child.session->setTraceEvery(9));
    ASSERT_TRUE(child.session->stop());
    ASSERT_TRUE(waitFor([&] { return child.state() == SessionState::kFinished; }));
    EXPECT_EQ(content(child.folder / "log"), "trace_every 9\nstop\n");
}

TEST(ChildSession, AKilledChildFailsWithItsLastWords) {
    Child child("crashes");
    ASSERT_TRUE(child.session->start(child.request));
    ASSERT_TRUE(waitFor([&] { return child.state() == SessionState::kFailed; }));
    const Error error = child.session->snapshot().error;
    EXPECT_NE(error.why.find("signal 9"), std::string::npos) << error.why;
    EXPECT_NE(error.why.find("first line\nlast line"), std::string::npos) << error.why;
}

TEST(ChildSession, AChildThatNeverConnectsFailsWithItsLastWords) {
    Child child("dies-before");
    ASSERT_TRUE(child.session->start(child.request));
    ASSERT_TRUE(waitFor([&] { return child.state() == SessionState::kFailed; }));
    EXPECT_NE(child.session->snapshot().error.why.find("no memory for the model"), std::string::npos);
    ASSERT_TRUE(child.session->start(child.request)) << "the session can be used again";
}

TEST(ChildSession, TheChildsOwnErrorIsHandedOn) {
    Child child("fails");
    ASSERT_TRUE(child.session->start(child.request));
    ASSERT_TRUE(waitFor([&] { return child.state() == SessionState::kFailed; }));
    EXPECT_EQ(child.session->snapshot().error.what, "Cannot read the data");
    EXPECT_EQ(child.session->snapshot().error.kind, ErrorKind::kBadInput);
}

TEST(ChildSession, AMissingProgramIsAnError) {
    auto session = makeChildSession("/nonexistent/program");
    TrainRequest request;
    EXPECT_FALSE(session->start(request));
    EXPECT_EQ(session->snapshot().state, SessionState::kIdle);
}

TEST(ChildSession, DestroyingItStopsTheChild) {
    test::ScratchFolder folder;
    {
        auto session = makeChildSession("/proc/self/exe");
        TrainRequest request;
        request.config.run.name = "trains";
        request.out = folder.path();
        ASSERT_TRUE(session->start(request));
        ASSERT_TRUE(waitFor([&] { return session->snapshot().step > 0; }));
    }
    EXPECT_EQ(content(folder / "log"), "stop\n");
}

TEST(ChildSession, AChildThatDoesNotStopIsEnded) {
    Child child("stubborn", {.stop_patience = 100ms});
    ASSERT_TRUE(child.session->start(child.request));
    ASSERT_TRUE(waitFor([&] { return child.session->snapshot().step > 0; }));
    const auto begin = std::chrono::steady_clock::now();
    child.session.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(ChildSession, ADetachedChildGoesOn) {
    Child child("trains");
    ASSERT_TRUE(child.session->start(child.request));
    ASSERT_TRUE(waitFor([&] { return child.session->snapshot().step > 0; }));
    child.session->detach();
    child.session.reset();
    std::this_thread::sleep_for(600ms);
    EXPECT_EQ(content(child.folder / "log"), "") << "it was told to stop";
}

}  // namespace
}  // namespace es::session

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (!arguments.empty() && arguments.front() == "train") return es::session::playChild(arguments);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
