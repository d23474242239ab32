// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/session_messages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace es::session {
namespace {

TEST(SessionMessages, SnapshotComesBackAsItWas) {
    Message sent;
    sent.type = MessageType::kSnapshot;
    sent.snapshot.state = SessionState::kPaused;
    sent.snapshot.run = "runs/zwölf";
    sent.snapshot.step = 12;
    sent.snapshot.steps = 600;
    sent.snapshot.loss = 3.25;
    sent.snapshot.step_ms = 81.5;
    sent.snapshot.eta_s = std::numeric_limits<double>::infinity();
    sent.snapshot.activity = "Writing \"checkpoint\"\n300";
    sent.snapshot.error = {ErrorKind::kBadInput, "what", "why", "remedy", "path"};
    const std::string line = encode(sent);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto got = decode(line);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->type, MessageType::kSnapshot);
    EXPECT_EQ(got->snapshot.state, SessionState::kPaused);
    EXPECT_EQ(got->snapshot.run, sent.snapshot.run);
    EXPECT_EQ(got->snapshot.step, 12);
    EXPECT_EQ(got->snapshot.steps, 600);
    EXPECT_EQ(got->snapshot.loss, 3.25);
    EXPECT_TRUE(std::isnan(got->snapshot.eta_s));
    EXPECT_EQ(got->snapshot.activity, sent.snapshot.activity);
    EXPECT_EQ(got->snapshot.error.kind, ErrorKind::kBadInput);
    EXPECT_EQ(got->snapshot.error.path, "path");
}

TEST(SessionMessages, EveryRequestComesBack) {
    for (const MessageType type : {MessageType::kPause, MessageType::kResume, MessageType::kStop, MessageType::kCheckpoint, MessageType::kDetach,
                                   MessageType::kTraceEvery, MessageType::kHello, MessageType::kResult}) {
        Message sent;
        sent.type = type;
        sent.number = 7;
        const auto got = decode(encode(sent));
        ASSERT_TRUE(got);
        EXPECT_EQ(got->type, type);
        if (type == MessageType::kTraceEvery) {
            EXPECT_EQ(got->number, 7);
        }
        if (type == MessageType::kResult) {
            EXPECT_FALSE(got->error);
        }
    }
}

TEST(SessionMessages, BytesThatAreNotUtf8DoNotBreakIt) {
    Message sent;
    sent.type = MessageType::kResult;
    sent.error = Error{ErrorKind::kJobFailed, "a\xff", "b", "c", "d"};
    ASSERT_TRUE(decode(encode(sent)));
}

TEST(SessionMessages, NonsenseIsAnError) {
    for (const char* line : {"", "{", "[]", "{}", "{\"type\":3}", "{\"type\":\"nobody\"}", "{\"type\":\"trace_every\"}", "{\"type\":\"snapshot\"}",
                             "{\"type\":\"trace_every\",\"steps\":\"x\"}", "\xff\xfe"})
        EXPECT_FALSE(decode(line)) << line;
}

}  // namespace
}  // namespace es::session
