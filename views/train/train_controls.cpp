// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/train_controls.h"

#include <QCoreApplication>

namespace es::views {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("TrainControls", text); }

}  // namespace

TrainControls trainControls(const session::SessionSnapshot& session, const std::optional<store::RunSummary>& selected) {
    using State = session::SessionState;
    TrainControls c;
    const QString trained = QString::fromStdString(session.run.filename().string());
    c.active = session.state == State::kStarting || session.state == State::kTraining || session.state == State::kPaused || session.state == State::kStopping;
    if (c.active) c.new_why = tr("%1 is being trained. Stop it first: one training at a time").arg(trained);
    switch (session.state) {
        case State::kTraining: break;
        case State::kPaused: c.pause = TrainControls::Pause::kResume; break;
        case State::kStarting: c.pause_why = c.checkpoint_why = tr("%1 is still starting").arg(trained); break;
        case State::kStopping: c.pause_why = c.stop_why = c.checkpoint_why = tr("%1 is stopping after this step").arg(trained); break;
        default: {
            QString none = tr("Nothing is being trained from this window");
            if (selected && selected->state == store::RunState::kTraining) none = tr("Another program trains this run; it is steered from there");
            c.pause_why = c.stop_why = c.checkpoint_why = none;
            const bool unfinished = selected && selected->problem.empty() &&
                                    (selected->state == store::RunState::kStopped || selected->state == store::RunState::kInterrupted ||
                                     selected->state == store::RunState::kFailed);
            if (unfinished) {
                c.pause = TrainControls::Pause::kContinueRun;
                c.pause_why.clear();
            }
        }
    }
    return c;
}

}  // namespace es::views
