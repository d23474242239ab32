// SPDX-License-Identifier: GPL-3.0-or-later
// Tells whoever watches where training stands, at most ten times a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "engine/base/job_context.h"
#include "engine/session/engine_library.h"

namespace es::engine {

/// Used on the training thread.
class ProgressReporter {
public:
    ProgressReporter(const session::TrainHooks& hooks, const JobContext& context, std::filesystem::path run);
    void setSteps(std::int64_t steps);
    /// A change of state or activity: always told.
    void enter(session::SessionState state, std::string activity);
    /// After a step: told when a tenth of a second has passed since the last time.
    void stepDone(std::int64_t step, double loss, double step_ms, std::int64_t samples);
    /// Progress within an activity that is not a step ("Preparing data").
    void part(const Progress& progress);
    /// Something done in between: state and activity are put back when this goes.
    class Aside {
    public:
        Aside(ProgressReporter& reporter, std::string activity)
            : reporter_(reporter), state_(reporter.snapshot_.state), activity_(reporter.snapshot_.activity) {
            reporter_.enter(state_, std::move(activity));
        }
        ~Aside() { reporter_.enter(state_, activity_); }
        Aside(const Aside&) = delete;
        Aside& operator=(const Aside&) = delete;

    private:
        ProgressReporter& reporter_;
        session::SessionState state_;
        std::string activity_;
    };

private:
    void tell(bool always);

    const session::TrainHooks& hooks_;
    const JobContext& context_;
    session::SessionSnapshot snapshot_;
    std::chrono::steady_clock::time_point told_{};
    double mean_step_ms_ = 0;
};

}  // namespace es::engine
