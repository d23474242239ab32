// SPDX-License-Identifier: GPL-3.0-or-later
// Where the requests of a person wait until the training thread asks for them, between two steps.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "engine/session/engine_library.h"

namespace es::session {

/// Thread-safe. Pause is a state that lasts until resume; the other requests are handed out once.
class ControlMailbox {
public:
    void setPaused(bool paused) {
        std::lock_guard lock(mutex_);
        pending_.pause = paused;
    }
    void requestStop() {
        std::lock_guard lock(mutex_);
        pending_.stop = true;
    }
    void requestCheckpoint() {
        std::lock_guard lock(mutex_);
        pending_.checkpoint = true;
    }
    void setTraceEvery(std::int64_t steps) {
        std::lock_guard lock(mutex_);
        pending_.trace_every = steps;
    }
    [[nodiscard]] TrainControl take() {
        std::lock_guard lock(mutex_);
        TrainControl out = pending_;
        pending_ = {};
        pending_.pause = out.pause;
        return out;
    }

private:
    std::mutex mutex_;
    TrainControl pending_;
};

}  // namespace es::session
