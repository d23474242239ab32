// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "engine/session/engine_session.h"

namespace es::app {

/// What the status strip says of the training session.
struct TrainingText {
    QString text;          ///< empty when nothing is trained
    double progress = -1;  ///< in [0, 1]; negative: unknown
    bool active = false;
};
[[nodiscard]] TrainingText trainingText(const session::SessionSnapshot& snapshot);

}  // namespace es::app
