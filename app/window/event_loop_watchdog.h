// SPDX-License-Identifier: GPL-3.0-or-later
// Counts how long the GUI thread keeps events waiting, and what it was doing in the worst moment.
#pragma once

#include <QString>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

namespace es::app {

/// A thread of its own posts an event every few milliseconds; the delay until it is handled is what a click would feel.
/// The application tells it what each event handler was (begin/end), so that the worst delay has a name.
class EventLoopWatchdog {
public:
    EventLoopWatchdog();
    ~EventLoopWatchdog();
    EventLoopWatchdog(const EventLoopWatchdog&) = delete;
    EventLoopWatchdog& operator=(const EventLoopWatchdog&) = delete;

    /// Starts counting anew: the first paint is measured apart.
    void reset();
    /// GUI thread: a top-level event handler of a receiver of this class took this long.
    void handled(const char* receiver, int eventType, std::chrono::nanoseconds took);

    struct Report {
        qint64 samples = 0;
        double p50_ms = 0, p99_ms = 0, p999_ms = 0, worst_ms = 0;
        double longest_handler_ms = 0;
        QString longest_handler;  ///< "TrainWorkspace, event 43"
    };
    [[nodiscard]] Report report() const;

private:
    void beat();
    void arrived(std::chrono::steady_clock::time_point sent);

    static constexpr int kBuckets = 2000;  ///< of 0.25 ms each; the last holds all longer ones
    mutable std::mutex mutex_;
    std::array<qint64, kBuckets> histogram_{};
    qint64 samples_ = 0;
    double worstMs_ = 0, longestHandlerMs_ = 0;
    QString longestHandler_;
    class Receiver;
    std::unique_ptr<Receiver> receiver_;
    std::atomic<bool> pending_ = false;
    std::jthread thread_;
};

}  // namespace es::app
