// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>
#include <functional>
#include <optional>

#include "views/models/workspace_context.h"
#include "views/train/train_controls.h"

class QPushButton;

namespace es::views {

/// New run, pause or resume, stop after the step, checkpoint: steers context.trainer. Asks the session how it stands four times a second.
class ControlBar : public QWidget {
    Q_OBJECT
public:
    explicit ControlBar(const WorkspaceContext& context, QWidget* parent = nullptr);
    /// The run that is selected in the table; its reader (may be null) gives the configuration to go on with.
    void setSelected(std::optional<store::RunSummary> run, std::shared_ptr<store::RunReader> reader);
    void newRun();  ///< opens the dialog
    [[nodiscard]] const TrainControls& controls() const { return controls_; }
    [[nodiscard]] QPushButton* newButton() const { return new_; }
    [[nodiscard]] QPushButton* pauseButton() const { return pause_; }
    [[nodiscard]] QPushButton* stopButton() const { return stop_; }
    [[nodiscard]] QPushButton* checkpointButton() const { return checkpoint_; }

Q_SIGNALS:
    void started(const QString& folder);

private:
    void poll();
    void start(const session::TrainRequest& request);
    void tell(const Status& status, const QString& sentence);
    const WorkspaceContext* context_;
    QPushButton *new_, *pause_, *stop_, *checkpoint_;
    std::optional<store::RunSummary> selected_;
    std::shared_ptr<store::RunReader> reader_;
    TrainControls controls_;
    session::SessionState last_state_ = session::SessionState::kIdle;
    QTimer timer_;
};

}  // namespace es::views
