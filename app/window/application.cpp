// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/application.h"

#include <QEvent>
#include <QThread>
#include <chrono>
#include <exception>

#include "engine/base/logging.h"

namespace es::app {
namespace {

/// Qt's own words go into the program's log. That a machine without a desktop session has no runtime directory is no news to anybody.
void logQt(QtMsgType type, const QMessageLogContext&, const QString& message) {
    const std::string words = message.toStdString();
    if (type == QtDebugMsg || message.contains(QLatin1String("XDG_RUNTIME_DIR"))) return spdlog::debug("{}", words);
    if (type == QtInfoMsg) return spdlog::info("{}", words);
    if (type == QtWarningMsg) return spdlog::warn("{}", words);
    spdlog::error("{}", words);
}

/// Runs before Qt's own set-up, which already has something to say.
int& withLog(int& argc) {
    qInstallMessageHandler(logQt);
    return argc;
}

}  // namespace

Application::Application(int& argc, char** argv) : QApplication(withLog(argc), argv), watchdog_(std::make_unique<EventLoopWatchdog>()) {
    setApplicationName(QStringLiteral("ExpertScope"));
    setOrganizationName(QStringLiteral("ExpertScope"));
    setApplicationVersion(QStringLiteral(ES_VERSION));
}

Application::~Application() { watchdog_.reset(); }

bool Application::notify(QObject* receiver, QEvent* event) {
    // Only the outermost handler of the GUI thread counts: inner ones are part of it.
    const bool outermost = QThread::currentThread() == thread() && depth_ == 0;
    if (!outermost) return QApplication::notify(receiver, event);
    ++depth_;
    // Asked before: the handler may delete the receiver.
    const char* name = receiver->metaObject()->className();
    const int type = event->type();
    const auto begin = std::chrono::steady_clock::now();
    bool result = true;
    try {
        result = QApplication::notify(receiver, event);
    } catch (const std::exception& error) {
        Q_EMIT handlerFailed(QString::fromUtf8(error.what()));
    }
    --depth_;
    if (watchdog_) watchdog_->handled(name, type, std::chrono::steady_clock::now() - begin);
    return result;
}

}  // namespace es::app
