// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/engine_session.h"

namespace es::session {

std::string_view toString(SessionState state) {
    switch (state) {
        case SessionState::kIdle: return "idle";
        case SessionState::kStarting: return "starting";
        case SessionState::kTraining: return "training";
        case SessionState::kPaused: return "paused";
        case SessionState::kStopping: return "stopping";
        case SessionState::kFinished: return "finished";
        case SessionState::kFailed: return "failed";
    }
    return "unknown";
}

}  // namespace es::session
