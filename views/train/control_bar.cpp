// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/control_bar.h"

#include <QHBoxLayout>
#include <QPushButton>

#include "views/train/new_run_dialog.h"
#include "views/widgets/controls.h"

namespace es::views {

ControlBar::ControlBar(const WorkspaceContext& context, QWidget* parent) : QWidget(parent), context_(&context) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(6);
    new_ = makeButton(context.theme, tr("New run"), ButtonKind::kPrimary, QStringLiteral("plus"), this);
    new_->setToolTip(tr("Choose a configuration and train it"));
    pause_ = makeButton(context.theme, tr("Pause"), ButtonKind::kPlain, QStringLiteral("pause"), this);
    stop_ = makeButton(context.theme, tr("Stop"), ButtonKind::kPlain, QStringLiteral("stop"), this);
    stop_->setToolTip(tr("Stop after this step; a checkpoint is saved, so the run can go on later"));
    checkpoint_ = makeButton(context.theme, {}, ButtonKind::kPlain, QStringLiteral("checkpoint"), this);
    checkpoint_->setToolTip(tr("Save a checkpoint now"));
    checkpoint_->setAccessibleName(tr("Save a checkpoint now"));
    row->addWidget(new_);
    row->addWidget(pause_);
    row->addWidget(stop_);
    row->addWidget(checkpoint_);
    row->addStretch(1);
    connect(new_, &QPushButton::clicked, this, &ControlBar::newRun);
    connect(pause_, &QPushButton::clicked, this, [this] {
        switch (controls_.pause) {
            case TrainControls::Pause::kPause: return tell(context_->trainer->pause(), tr("Training pauses after this step"));
            case TrainControls::Pause::kResume: return tell(context_->trainer->resume(), tr("Training goes on"));
            case TrainControls::Pause::kContinueRun: {
                if (!selected_ || !reader_) return;
                session::TrainRequest request;
                request.config = reader_->config();
                request.out = selected_->folder;
                request.resume = true;
                return start(request);
            }
        }
    });
    connect(stop_, &QPushButton::clicked, this, [this] { tell(context_->trainer->stop(), tr("Training stops after this step")); });
    connect(checkpoint_, &QPushButton::clicked, this, [this] { tell(context_->trainer->checkpointNow(), tr("A checkpoint is being saved")); });
    timer_.setInterval(250);
    connect(&timer_, &QTimer::timeout, this, &ControlBar::poll);
    timer_.start();
    poll();
}

void ControlBar::setSelected(std::optional<store::RunSummary> run, std::shared_ptr<store::RunReader> reader) {
    selected_ = std::move(run);
    reader_ = std::move(reader);
    poll();
}

void ControlBar::tell(const Status& status, const QString& sentence) {
    if (status && context_->say) context_->say(sentence);
    if (!status && context_->sayError) context_->sayError(status.error());
    poll();
}

void ControlBar::newRun() {
    const TrainControls now = trainControls(context_->trainer->snapshot(), selected_);
    if (!now.new_why.isEmpty()) {
        if (context_->say) context_->say(now.new_why);
        return;
    }
    NewRunDialog dialog(*context_, window());
    if (dialog.exec() == QDialog::Accepted) start(dialog.request());
}

void ControlBar::start(const session::TrainRequest& request) {
    const Status status = context_->trainer->start(request);
    tell(status, request.resume ? tr("Training of %1 goes on").arg(QString::fromStdString(request.out.filename().string()))
                                : tr("Training of %1 begins").arg(QString::fromStdString(request.config.run.name)));
    if (status) Q_EMIT started(QString::fromStdString(request.out.string()));
}

void ControlBar::poll() {
    const session::SessionSnapshot snapshot = context_->trainer->snapshot();
    controls_ = trainControls(snapshot, selected_);
    if (controls_.pause == TrainControls::Pause::kContinueRun && !reader_) controls_.pause_why = tr("The run is still being opened");
    const bool pausing = controls_.pause == TrainControls::Pause::kPause;
    pause_->setText(pausing ? tr("Pause") : tr("Resume"));
    setButtonIcon(pause_, pausing ? QStringLiteral("pause") : QStringLiteral("play"));
    setDisabledReason(new_, controls_.new_why);
    setDisabledReason(pause_, controls_.pause_why);
    setDisabledReason(stop_, controls_.stop_why);
    setDisabledReason(checkpoint_, controls_.checkpoint_why);
    if (snapshot.state == session::SessionState::kFailed && last_state_ != session::SessionState::kFailed && context_->sayError)
        context_->sayError(snapshot.error);
    last_state_ = snapshot.state;
}

}  // namespace es::views
