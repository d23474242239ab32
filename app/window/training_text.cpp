// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/training_text.h"

#include <QLocale>
#include <algorithm>

#include "app/cli/output.h"

namespace es::app {

TrainingText trainingText(const session::SessionSnapshot& s) {
    using State = session::SessionState;
    TrainingText result;
    result.active = s.state == State::kStarting || s.state == State::kTraining || s.state == State::kPaused || s.state == State::kStopping;
    if (!result.active) return result;
    if (s.steps > 0 && s.step >= 0) result.progress = std::clamp(static_cast<double>(s.step) / static_cast<double>(s.steps), 0.0, 1.0);
    const QLocale locale = QLocale::c();
    QString text = s.steps > 0
                       ? QStringLiteral("step %1 / %2").arg(locale.toString(static_cast<qlonglong>(s.step)), locale.toString(static_cast<qlonglong>(s.steps)))
                       : QStringLiteral("starting");
    if (s.state == State::kPaused) text += QStringLiteral(" · paused");
    else if (s.state == State::kStopping) text += QStringLiteral(" · stopping after this step");
    else if (!s.activity.empty()) text += QStringLiteral(" · ") + QString::fromStdString(s.activity);
    else if (s.eta_s > 0) text += QStringLiteral(" · ETA %1 · %2 samples/s").arg(QString::fromStdString(durationText(s.eta_s))).arg(s.samples_per_s, 0, 'f', 0);
    result.text = text;
    return result;
}

}  // namespace es::app
