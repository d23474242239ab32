// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QApplication>
#include <memory>

#include "app/window/event_loop_watchdog.h"

namespace es::app {

/// The Qt application; sends Qt's words to the log, catches what handlers throw (the job fails, the window lives) and times them for the watchdog.
class Application : public QApplication {
    Q_OBJECT
public:
    Application(int& argc, char** argv);
    ~Application() override;
    bool notify(QObject* receiver, QEvent* event) override;
    [[nodiscard]] EventLoopWatchdog& watchdog() { return *watchdog_; }

Q_SIGNALS:
    void handlerFailed(const QString& words);

private:
    std::unique_ptr<EventLoopWatchdog> watchdog_;
    int depth_ = 0;
};

}  // namespace es::app
