// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stop_token>
#include <thread>

namespace es::app {

/// Turns Ctrl+C and SIGTERM into a stop request; a second one ends the process at once with 130.
/// Make it before any other thread starts: it blocks the signals, and threads inherit that.
class InterruptWatch {
public:
    InterruptWatch();
    ~InterruptWatch();
    InterruptWatch(const InterruptWatch&) = delete;
    InterruptWatch& operator=(const InterruptWatch&) = delete;
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    std::stop_source source_;
    std::thread thread_;
};

}  // namespace es::app
