// SPDX-License-Identifier: GPL-3.0-or-later
// What a window and its training child say to each other: one JSON object a line over a local socket.
// To the child: {"type":"pause"|"resume"|"stop"|"checkpoint"|"detach"}, {"type":"trace_every","steps":N}.
// From the child: {"type":"hello","protocol":1,"pid":N}, {"type":"snapshot",...}, and at the end {"type":"result",...}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/session/engine_session.h"

namespace es::session {

inline constexpr int kProtocolVersion = 1;

enum class MessageType : std::uint8_t { kHello, kPause, kResume, kStop, kCheckpoint, kDetach, kTraceEvery, kSnapshot, kResult };

/// One message. Only the fields of its type are used.
struct Message {
    MessageType type = MessageType::kHello;
    std::int64_t number = 0;     ///< kHello: process id; kTraceEvery: steps
    std::int64_t protocol = 0;   ///< kHello
    SessionSnapshot snapshot;    ///< kSnapshot
    std::optional<Error> error;  ///< kResult: why training ended early; empty when it finished
};

/// One line without its newline. Numbers that JSON cannot hold (NaN, infinities) travel as null and arrive as NaN.
[[nodiscard]] std::string encode(const Message& message);
/// Fails on anything that is not a message: never throws.
[[nodiscard]] Result<Message> decode(std::string_view line);

}  // namespace es::session
