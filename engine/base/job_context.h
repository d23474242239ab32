// SPDX-License-Identifier: GPL-3.0-or-later
// What a long piece of work is given: a way to report progress, a way to learn that it should stop, a place for its words.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

namespace es {

struct Progress {
    std::int64_t done = 0;
    std::int64_t total = 0;  ///< 0: unknown
    std::string label;       ///< "Reading pictures"
};

/// Jobs know nothing of threads: the window runs them on a pool, the command line calls them directly.
/// The callbacks may be empty, are called from the job's thread, and must return quickly.
struct JobContext {
    std::stop_token stop;
    std::function<void(const Progress&)> onProgress;
    std::function<void(std::string_view)> onLog;  ///< one line, without a newline

    [[nodiscard]] bool stopRequested() const { return stop.stop_requested(); }
    void progress(std::int64_t done, std::int64_t total, std::string label) const {
        if (onProgress) onProgress({done, total, std::move(label)});
    }
    void log(std::string_view line) const {
        if (onLog) onLog(line);
    }
};

}  // namespace es
