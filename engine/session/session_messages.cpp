// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/session_messages.h"

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace es::session {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<MessageType, const char*>, 9> kTypes{{
    {MessageType::kHello, "hello"},
    {MessageType::kPause, "pause"},
    {MessageType::kResume, "resume"},
    {MessageType::kStop, "stop"},
    {MessageType::kCheckpoint, "checkpoint"},
    {MessageType::kDetach, "detach"},
    {MessageType::kTraceEvery, "trace_every"},
    {MessageType::kSnapshot, "snapshot"},
    {MessageType::kResult, "result"},
}};

constexpr std::array kStates{SessionState::kIdle,     SessionState::kStarting, SessionState::kTraining, SessionState::kPaused,
                             SessionState::kStopping, SessionState::kFinished, SessionState::kFailed};

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
double numberFrom(const Json& json, const char* key) {
    const Json& value = json.at(key);
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

Json toJson(const Error& error) {
    return {{"kind", static_cast<int>(error.kind)}, {"what", error.what}, {"why", error.why}, {"remedy", error.remedy}, {"path", error.path}};
}
Error errorFrom(const Json& json) {
    Error error;
    const int kind = json.at("kind").get<int>();
    for (const ErrorKind known : {ErrorKind::kJobFailed, ErrorKind::kWrongCall, ErrorKind::kBadInput, ErrorKind::kStopped})
        if (static_cast<int>(known) == kind) error.kind = known;
    error.what = json.at("what");
    error.why = json.at("why");
    error.remedy = json.at("remedy");
    error.path = json.at("path");
    return error;
}

Json toJson(const SessionSnapshot& s) {
    return {{"state", toString(s.state)},
            {"run", s.run.string()},
            {"step", s.step},
            {"steps", s.steps},
            {"loss", number(s.loss)},
            {"step_ms", number(s.step_ms)},
            {"samples_per_s", number(s.samples_per_s)},
            {"eta_s", number(s.eta_s)},
            {"activity", s.activity},
            {"error", toJson(s.error)}};
}
SessionSnapshot snapshotFrom(const Json& json) {
    SessionSnapshot s;
    const auto name = json.at("state").get<std::string>();
    bool known = false;
    for (const SessionState state : kStates)
        if (toString(state) == name) s.state = state, known = true;
    if (!known) throw std::runtime_error("unknown state '" + name + "'");
    s.run = json.at("run").get<std::string>();
    s.step = json.at("step");
    s.steps = json.at("steps");
    s.loss = numberFrom(json, "loss");
    s.step_ms = numberFrom(json, "step_ms");
    s.samples_per_s = numberFrom(json, "samples_per_s");
    s.eta_s = numberFrom(json, "eta_s");
    s.activity = json.at("activity");
    s.error = errorFrom(json.at("error"));
    return s;
}

}  // namespace

std::string encode(const Message& message) {
    Json json;
    for (const auto& [type, name] : kTypes)
        if (type == message.type) json["type"] = name;
    switch (message.type) {
        case MessageType::kHello:
            json["protocol"] = message.protocol;
            json["pid"] = message.number;
            break;
        case MessageType::kTraceEvery: json["steps"] = message.number; break;
        case MessageType::kSnapshot: json.update(toJson(message.snapshot)); break;
        case MessageType::kResult: json["error"] = message.error ? toJson(*message.error) : Json(nullptr); break;
        default: break;
    }
    // Paths and messages of the system may hold bytes that are not UTF-8: replaced rather than refused.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Message> decode(std::string_view line) {
    try {
        const Json json = Json::parse(line);
        const auto name = json.at("type").get<std::string>();
        Message message;
        bool known = false;
        for (const auto& [type, text] : kTypes)
            if (name == text) message.type = type, known = true;
        if (!known) throw std::runtime_error("unknown type '" + name + "'");
        switch (message.type) {
            case MessageType::kHello:
                message.protocol = json.at("protocol");
                message.number = json.at("pid");
                break;
            case MessageType::kTraceEvery: message.number = json.at("steps"); break;
            case MessageType::kSnapshot: message.snapshot = snapshotFrom(json); break;
            case MessageType::kResult:
                if (!json.at("error").is_null()) message.error = errorFrom(json.at("error"));
                break;
            default: break;
        }
        return message;
    } catch (const std::exception& problem) {
        return jobFailed("Cannot understand a message between the window and its training process", problem.what(), "Check that both are of the same version");
    }
}

}  // namespace es::session
