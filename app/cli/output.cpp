// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/output.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace es::app {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{100};
constexpr std::chrono::seconds kLogInterval{10};

}  // namespace

int report(const Error& error, bool asJson) {
    if (asJson)
        printJson(
            {{"error", {{"kind", static_cast<int>(error.kind)}, {"what", error.what}, {"why", error.why}, {"remedy", error.remedy}, {"path", error.path}}}});
    fmt::print(stderr, "expertscope: {}\n", error.message());
    return static_cast<int>(error.kind);
}

void printJson(const nlohmann::json& document) {
    fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    std::fflush(stdout);
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) != 0) {}
ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::clear() {
    if (terminal_ && width_ > 0) fmt::print(stderr, "\r{:{}}\r", "", width_);
    width_ = 0;
}

void ProgressLine::show(std::string_view text) {
    const auto now = std::chrono::steady_clock::now();
    if (last_.time_since_epoch().count() != 0 &&
        now - last_ < (terminal_ ? std::chrono::milliseconds(kTerminalInterval) : std::chrono::milliseconds(kLogInterval)))
        return;
    last_ = now;
    if (terminal_) {
        fmt::print(stderr, "\r{:<{}}", text, width_);
        width_ = text.size();
    } else {
        fmt::print(stderr, "{}\n", text);
    }
    std::fflush(stderr);
}

JobContext ProgressLine::context(std::stop_token stop) {
    JobContext context;
    context.stop = std::move(stop);
    context.onProgress = [this](const Progress& p) {
        show(p.total > 0 ? fmt::format("{} {} / {} ({:.0f} %)", p.label, p.done, p.total, 100.0 * static_cast<double>(p.done) / static_cast<double>(p.total))
                         : p.label);
    };
    context.onLog = [this](std::string_view line) {
        clear();
        fmt::print(stderr, "{}\n", line);
    };
    return context;
}

std::string durationText(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return "unknown";
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole >= 3600) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
    if (whole >= 60) return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} s", whole);
}

}  // namespace es::app
