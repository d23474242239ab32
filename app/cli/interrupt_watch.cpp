// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/interrupt_watch.h"

#include <unistd.h>
#include <csignal>

#include "engine/base/result.h"

namespace es::app {
namespace {

constexpr int kWakeUp = SIGUSR2;  // how the destructor ends the waiting thread

sigset_t watched() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, kWakeUp);
    return set;
}

}  // namespace

InterruptWatch::InterruptWatch() {
    const sigset_t set = watched();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::thread([this, set] {
        for (;;) {
            int signal = 0;
            if (sigwait(&set, &signal) != 0 || signal == kWakeUp) return;
            if (source_.stop_requested()) _exit(static_cast<int>(ErrorKind::kStopped));
            source_.request_stop();
        }
    });
}

InterruptWatch::~InterruptWatch() {
    pthread_kill(thread_.native_handle(), kWakeUp);
    thread_.join();
}

}  // namespace es::app
