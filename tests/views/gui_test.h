// SPDX-License-Identifier: GPL-3.0-or-later
// What tests of widgets share: one QApplication, a message handler that fails the test on any Qt warning, jobs on the GUI thread.
#pragma once

#include <gtest/gtest.h>

#include <QApplication>
#include <QElapsedTimer>
#include <QImage>
#include <QPointer>
#include <QTest>
#include <QTimer>
#include <functional>
#include <stop_token>

#include "views/models/job_runner.h"
#include "views/theme/theme.h"

namespace es::views::test {

/// Makes the program's QApplication before the first test; include this header in one file of a test program.
class GuiEnvironment : public ::testing::Environment {
public:
    void SetUp() override {
        qputenv("QT_QPA_PLATFORM", "offscreen");
        static int argc = 1;
        static char name[] = "views_test";
        static char* argv[] = {name, nullptr};
        application_ = std::make_unique<QApplication>(argc, argv);
        theme = std::make_unique<Theme>();
        qInstallMessageHandler([](QtMsgType type, const QMessageLogContext&, const QString& message) {
            // The offscreen platform cannot place windows; that says nothing about the views.
            if (message.contains(QLatin1String("This plugin does not support"))) return;
            if (type == QtWarningMsg || type == QtCriticalMsg) ADD_FAILURE() << "Qt says: " << message.toStdString();
        });
    }
    void TearDown() override {
        theme.reset();
        application_.reset();
        qInstallMessageHandler(nullptr);
    }
    std::unique_ptr<Theme> theme;

private:
    std::unique_ptr<QApplication> application_;
};

inline GuiEnvironment* const gui = static_cast<GuiEnvironment*>(::testing::AddGlobalTestEnvironment(new GuiEnvironment));

/// Runs each job from the event loop, one at a time, on the GUI thread: deterministic, with the contract of JobRunner (only the newest job of
/// an owner and slot reports).
class QueuedJobs : public JobRunner {
public:
    [[nodiscard]] bool idle() const override { return waiting_.empty(); }
    void cancel(QObject* owner) override {
        std::erase_if(waiting_, [owner](const Job& job) { return job.owner == owner; });
    }
    int ran = 0;
    bool hold = false;  ///< jobs wait until it is false again and pump() is called
    void pump() {
        QTimer::singleShot(0, this, [this] { next(); });
    }

protected:
    void start(QObject* owner, const QString& slot, const QString&, std::function<void(JobContext&)> work, std::function<void(const Error*)> done) override {
        std::erase_if(waiting_, [&](const Job& job) { return job.owner == owner && job.slot == slot; });
        waiting_.push_back({owner, slot, std::move(work), std::move(done)});
        if (!hold) pump();
    }

private:
    struct Job {
        QPointer<QObject> owner;
        QString slot;
        std::function<void(JobContext&)> work;
        std::function<void(const Error*)> done;
    };
    void next() {
        if (waiting_.empty() || hold) return;
        Job job = std::move(waiting_.front());
        waiting_.erase(waiting_.begin());
        if (job.owner) {
            JobContext context;
            job.work(context);
            ++ran;
            if (job.owner) job.done(nullptr);
        }
        if (!waiting_.empty()) pump();
        else Q_EMIT becameIdle();
    }
    std::vector<Job> waiting_;
};

/// Turns the event loop until `condition` holds; false after `ms`.
inline bool waitFor(const std::function<bool()>& condition, int ms = 5000) { return QTest::qWaitFor(condition, ms); }

/// Number of pixels that are nearly `color`.
inline int countPixels(const QImage& image, const QColor& color, int tolerance = 12) {
    int count = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) {
            const QColor c = image.pixelColor(x, y);
            count += std::abs(c.red() - color.red()) <= tolerance && std::abs(c.green() - color.green()) <= tolerance &&
                     std::abs(c.blue() - color.blue()) <= tolerance;
        }
    return count;
}

}  // namespace es::views::test
