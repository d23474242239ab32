// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/event_loop_watchdog.h"

#include <QCoreApplication>
#include <QEvent>
#include <QObject>
#include <algorithm>

namespace es::app {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kBeat{5};
constexpr double kBucketMs = 0.25;

QEvent::Type beatType() {
    static const auto type = static_cast<QEvent::Type>(QEvent::registerEventType());
    return type;
}

class BeatEvent : public QEvent {
public:
    explicit BeatEvent(Clock::time_point when) : QEvent(beatType()), sent(when) {}
    Clock::time_point sent;
};

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace

class EventLoopWatchdog::Receiver : public QObject {
public:
    explicit Receiver(EventLoopWatchdog& owner) : owner_(owner) {}
    bool event(QEvent* event) override {
        if (event->type() != beatType()) return QObject::event(event);
        owner_.arrived(static_cast<BeatEvent*>(event)->sent);
        return true;
    }

private:
    EventLoopWatchdog& owner_;
};

EventLoopWatchdog::EventLoopWatchdog()
    : receiver_(std::make_unique<Receiver>(*this)), thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
              beat();
              std::this_thread::sleep_for(kBeat);
          }
      }) {}

EventLoopWatchdog::~EventLoopWatchdog() {
    thread_.request_stop();
    thread_.join();
}

void EventLoopWatchdog::beat() {
    // One beat at a time: a blocked loop must not be buried under beats. Its one delay stands for the whole block.
    if (pending_.exchange(true)) return;
    QCoreApplication::postEvent(receiver_.get(), new BeatEvent(Clock::now()));
}

void EventLoopWatchdog::arrived(Clock::time_point sent) {
    pending_ = false;
    const double delay = milliseconds(Clock::now() - sent);
    const std::lock_guard lock(mutex_);
    ++samples_;
    ++histogram_[static_cast<std::size_t>(std::min<double>(delay / kBucketMs, kBuckets - 1))];
    worstMs_ = std::max(worstMs_, delay);
}

void EventLoopWatchdog::reset() {
    const std::lock_guard lock(mutex_);
    histogram_.fill(0);
    samples_ = 0;
    worstMs_ = longestHandlerMs_ = 0;
    longestHandler_.clear();
}

void EventLoopWatchdog::handled(const char* receiver, int eventType, std::chrono::nanoseconds took) {
    const double ms = std::chrono::duration<double, std::milli>(took).count();
    if (ms <= longestHandlerMs_) return;  // only the GUI thread writes it
    const std::lock_guard lock(mutex_);
    longestHandlerMs_ = ms;
    longestHandler_ = QStringLiteral("%1, event %2").arg(QString::fromLatin1(receiver)).arg(eventType);
}

EventLoopWatchdog::Report EventLoopWatchdog::report() const {
    const std::lock_guard lock(mutex_);
    Report report;
    report.samples = samples_;
    report.worst_ms = worstMs_;
    report.longest_handler_ms = longestHandlerMs_;
    report.longest_handler = longestHandler_;
    const auto quantile = [&](double q) {
        const auto wanted = static_cast<qint64>(q * static_cast<double>(samples_));
        qint64 seen = 0;
        for (std::size_t i = 0; i < histogram_.size(); ++i)
            if ((seen += histogram_[i]) > wanted) return std::min(worstMs_, (static_cast<double>(i) + 1) * kBucketMs);
        return worstMs_;
    };
    report.p50_ms = quantile(0.5);
    report.p99_ms = quantile(0.99);
    report.p999_ms = quantile(0.999);
    return report;
}

}  // namespace es::app
