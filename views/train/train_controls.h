// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <optional>

#include "engine/session/engine_session.h"
#include "engine/store/run_reader.h"

namespace es::views {

/// What the control bar may do now. A reason that is not empty disables its control and is its tooltip.
struct TrainControls {
    QString new_why, pause_why, stop_why, checkpoint_why;
    enum class Pause { kPause, kResume, kContinueRun } pause = Pause::kPause;
    bool active = false;  ///< our session is training something
};

/// `selected`: the run that the table shows as current, if any. Pure.
[[nodiscard]] TrainControls trainControls(const session::SessionSnapshot& session, const std::optional<store::RunSummary>& selected);

}  // namespace es::views
