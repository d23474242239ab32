// SPDX-License-Identifier: GPL-3.0-or-later
// How commands speak: results to stdout, everything else to stderr.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "engine/base/job_context.h"
#include "engine/base/result.h"

namespace es::app {

/// Prints the error (to stdout as JSON too when asked for) and returns the exit code that stands for it.
int report(const Error& error, bool asJson = false);

/// Prints a JSON document to stdout.
void printJson(const nlohmann::json& document);

/// One line on stderr that is rewritten on a terminal, and printed every few seconds into a log file.
class ProgressLine {
public:
    ProgressLine();
    ~ProgressLine();
    void show(std::string_view text);
    /// A job context whose progress and log end up on this line.
    [[nodiscard]] JobContext context(std::stop_token stop);

private:
    void clear();
    bool terminal_;
    std::size_t width_ = 0;
    std::chrono::steady_clock::time_point last_{};
};

/// "1 h 12 min", "48 s".
[[nodiscard]] std::string durationText(double seconds);

}  // namespace es::app
