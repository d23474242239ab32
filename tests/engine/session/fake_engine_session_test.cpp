// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/fake_engine_session.h"

#include <gtest/gtest.h>

#include "engine/session/engine_library.h"

namespace es::session {
namespace {

TEST(FakeEngineSession, PlaysItsScriptAndRemembers) {
    FakeEngineSession session;
    SessionSnapshot first, second;
    first.state = SessionState::kTraining;
    first.step = 1;
    second.state = SessionState::kFinished;
    second.step = 2;
    session.setScript({first, second});
    TrainRequest request;
    request.out = "runs/a";
    ASSERT_TRUE(session.start(request));
    EXPECT_EQ(session.snapshot().state, SessionState::kTraining);
    ASSERT_TRUE(session.advance());
    EXPECT_EQ(session.snapshot().step, 1);
    EXPECT_EQ(session.snapshot().run, "runs/a");
    ASSERT_TRUE(session.setTraceEvery(5));
    session.failNext({ErrorKind::kJobFailed, "no", "", "", ""});
    EXPECT_FALSE(session.pause());
    EXPECT_TRUE(session.advance());
    EXPECT_FALSE(session.advance());
    EXPECT_EQ(session.snapshot().state, SessionState::kFinished);
    EXPECT_FALSE(session.runSample({}, {}));
    session.setSampleScript([](const SampleRequest& asked) {
        SampleResult result;
        result.sample.caption = asked.caption;
        return result;
    });
    SampleRequest sample;
    sample.caption = "a cat";
    EXPECT_EQ(session.runSample(sample, {})->sample.caption, "a cat");
    EXPECT_EQ(session.calls(), (std::vector<std::string>{"start", "trace_every 5", "pause", "run_sample", "run_sample"}));
}

TEST(EngineLibraryLoading, SaysWhatIsMissing) {
    const auto missing = loadEngineLibrary("/nonexistent/libes_engine.so");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message().find("/nonexistent/libes_engine.so"), std::string::npos);
    const auto other = loadEngineLibrary("/proc/self/status");
    EXPECT_FALSE(other);
}

}  // namespace
}  // namespace es::session
