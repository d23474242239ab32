// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/status_strip.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QProgressBar>
#include <QTimer>
#include <QToolButton>

#include "app/window/job_controller.h"
#include "views/theme/theme.h"

namespace es::app {
namespace {

constexpr int kStripHeight = 28;
constexpr int kBarWidth = 160;
constexpr int kBarScale = 1000;
constexpr int kSentenceMs = 8000;

QProgressBar* makeBar(QWidget* parent, const QString& name) {
    auto* bar = new QProgressBar(parent);
    bar->setTextVisible(false);
    bar->setFixedSize(kBarWidth, 6);
    bar->setAccessibleName(name);
    bar->hide();
    return bar;
}

}  // namespace

StatusStrip::StatusStrip(views::Theme* theme, JobController* jobs, QWidget* parent)
    : QWidget(parent), theme_(theme), jobs_(jobs), training_(new QLabel(this)), message_(new QLabel(this)), jobText_(new QLabel(this)),
      right_(new QLabel(this)), trainingBar_(makeBar(this, QStringLiteral("Training progress"))),
      jobBar_(makeBar(this, QStringLiteral("Progress of the work"))), dismiss_(new QToolButton(this)), cancel_(new QToolButton(this)), fade_(new QTimer(this)) {
    setFixedHeight(kStripHeight);
    message_->setObjectName(QStringLiteral("statusMessage"));
    message_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    message_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    dismiss_->setText(QStringLiteral("Dismiss"));
    dismiss_->setAutoRaise(true);
    dismiss_->hide();
    cancel_->setText(QStringLiteral("Cancel"));
    cancel_->setToolTip(QStringLiteral("Stop this work"));
    cancel_->setAutoRaise(true);
    cancel_->hide();
    fade_->setSingleShot(true);

    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(14, 0, 14, 0);
    layout->setSpacing(theme->metrics().space3);
    layout->addWidget(training_);
    layout->addWidget(trainingBar_);
    layout->addWidget(message_, 1);
    layout->addWidget(dismiss_);
    layout->addWidget(jobText_);
    layout->addWidget(jobBar_);
    layout->addWidget(cancel_);
    layout->addWidget(right_);
    training_->hide();
    jobText_->hide();

    connect(fade_, &QTimer::timeout, this, [this] { message_->clear(); });
    connect(dismiss_, &QToolButton::clicked, this, [this] {
        error_ = false;
        message_->clear();
        dismiss_->hide();
        restyle();
    });
    connect(cancel_, &QToolButton::clicked, this, [this] { jobs_->cancelJob(shownJob_); });
    connect(jobs_, &JobController::visibleJobsChanged, this, &StatusStrip::showJobs);
    connect(theme, &views::Theme::changed, this, &StatusStrip::restyle);
    restyle();
}

void StatusStrip::say(const QString& sentence) {
    if (error_) return;  // an error stays until it was read
    message_->setText(sentence);
    message_->setToolTip(sentence);
    fade_->start(kSentenceMs);
}

void StatusStrip::sayError(const QString& sentence) {
    error_ = true;
    fade_->stop();
    message_->setText(sentence);
    message_->setToolTip(sentence);
    dismiss_->show();
    restyle();
}

void StatusStrip::setTraining(const QString& text, double progress) {
    training_->setVisible(!text.isEmpty());
    training_->setText(text);
    trainingBar_->setVisible(!text.isEmpty() && progress >= 0);
    trainingBar_->setRange(0, kBarScale);
    trainingBar_->setValue(static_cast<int>(progress * kBarScale));
}

void StatusStrip::setRight(const QString& text) { right_->setText(text); }
QString StatusStrip::message() const { return message_->text(); }

void StatusStrip::showJobs() {
    const auto jobs = jobs_->visibleJobs();
    for (QWidget* widget : {static_cast<QWidget*>(jobText_), static_cast<QWidget*>(jobBar_), static_cast<QWidget*>(cancel_)}) widget->setVisible(!jobs.empty());
    if (jobs.empty()) return;
    const auto& job = jobs.front();
    shownJob_ = job.id;
    jobText_->setText(jobs.size() == 1 ? job.label : QStringLiteral("%1 (and %2 more)").arg(job.label).arg(jobs.size() - 1));
    jobBar_->setRange(0, job.total > 0 ? kBarScale : 0);
    if (job.total > 0) jobBar_->setValue(static_cast<int>(kBarScale * job.done / job.total));
}

void StatusStrip::restyle() {
    const QFont font = theme_->font(views::Theme::FontRole::kSecondary);
    for (QLabel* label : {training_, message_, jobText_, right_}) label->setFont(font);
    const QString color = (error_ ? theme_->colors().bad : theme_->colors().muted).name();
    message_->setStyleSheet(QStringLiteral("color:%1").arg(color));
    update();
}

void StatusStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme_->colors().panel);
    painter.fillRect(QRect(0, 0, width(), 1), theme_->colors().line);
}

}  // namespace es::app
