// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;
class QProgressBar;
class QTimer;
class QToolButton;

namespace es::views {
class Theme;
}

namespace es::app {

class JobController;

/// The bottom strip: what just happened, work in progress with its cancel button, the state of training.
class StatusStrip : public QWidget {
    Q_OBJECT
public:
    StatusStrip(views::Theme* theme, JobController* jobs, QWidget* parent = nullptr);
    /// A sentence that goes after a while.
    void say(const QString& sentence);
    /// An error that stays until clicked away.
    void sayError(const QString& sentence);
    /// Training: text and progress in [0, 1]; negative: no bar. Empty text: nothing is trained.
    void setTraining(const QString& text, double progress);
    /// What stands at the right end.
    void setRight(const QString& text);
    [[nodiscard]] QString message() const;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void showJobs();
    void restyle();
    views::Theme* theme_;
    JobController* jobs_;
    QLabel *training_, *message_, *jobText_, *right_;
    QProgressBar *trainingBar_, *jobBar_;
    QToolButton *dismiss_, *cancel_;
    QTimer* fade_;
    bool error_ = false;
    quint64 shownJob_ = 0;
};

}  // namespace es::app
