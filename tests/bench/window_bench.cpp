// SPDX-License-Identifier: GPL-3.0-or-later
// The window's speed, measured on the real program: first paint, event-loop delay while training, training with the window open against headless.
//   bench_window [runs folder]
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <numeric>
#include <thread>

#include "engine/store/run_reader.h"
#include "program/program.h"
#include "support/scratch_folder.h"

namespace {

namespace fs = std::filesystem;
using namespace es;

constexpr int kStarts = 11;
constexpr int kRounds = 3;
constexpr std::int64_t kSteps = 120;
constexpr std::int64_t kSkipped = 20;  ///< steps before caches and clocks are warm

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

std::string spread(const std::vector<double>& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return fmt::format("median {:.3f} (min {:.3f}, max {:.3f}, n {})", median(values), *low, *high, values.size());
}

long long monotonicNs() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::string lineWith(const std::string& text, const std::string& start) {
    const auto at = text.find(start);
    return at == std::string::npos ? std::string() : text.substr(at, text.find('\n', at) - at);
}

void firstPaint(const fs::path& runs, const fs::path& scratch) {
    std::vector<double> seconds, memory;
    std::string engine = "no";
    for (int i = 0; i < kStarts; ++i) {
        const long long begin = monotonicNs();
        const test::Outcome outcome = test::runProgram({"open", runs.string(), "--dump", (scratch / "dump.json").string(), "--watchdog"}, scratch);
        long long painted = 0;
        double mb = 0;
        char loaded[8] = {};
        if (std::sscanf(lineWith(outcome.out, "first paint").c_str(), "first paint: monotonic %lld ns · resident %lf MB · engine loaded: %7s", &painted, &mb,
                        loaded) != 3) {
            fmt::print("first paint: the program did not say: {}\n", outcome.err);
            return;
        }
        seconds.push_back(static_cast<double>(painted - begin) / 1e9);
        memory.push_back(mb);
        if (std::string(loaded) == "yes") engine = "yes";
    }
    fmt::print("first paint, s from process start: {}\n", spread(seconds));
    fmt::print("resident at first paint, MB: {}; engine's library loaded by then: {}\n", spread(memory), engine);
}

std::vector<double> stepTimes(const fs::path& run) {
    const auto reader = store::RunReader::open(run);
    if (!reader) return {};
    const auto series = (*reader)->scalars("time/step_ms");
    if (!series || series->value.size() <= static_cast<std::size_t>(kSkipped)) return {};
    return {series->value.begin() + kSkipped, series->value.end()};
}

/// Trains the demo for some steps, with or without the real window (offscreen) open on it; returns the median step in ms.
double trainOnce(const fs::path& folder, bool window, std::string* watchdog) {
    fs::remove_all(folder);
    test::Program training({"train", (fs::path(ES_SOURCE_DIR) / "resources/experiments/demo-sparse.toml").string(), "--background", "--out", folder.string(),
                            "--set", fmt::format("train.steps={}", kSteps), "--set", "data.cache=" + (fs::path(ES_BINARY_DIR) / "test-data").string()},
                           folder.parent_path());
    if (window) {
        while (training.running() && !fs::exists(folder / "run.toml")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        test::Program view({"open", folder.string(), "--workspace", "train", "--watchdog", "--size", "1680x1000", "--settings",
                            (folder.parent_path() / "window.json").string(), "--close-when-finished"},
                           folder.parent_path());
        (void)training.wait();
        const test::Outcome outcome = view.wait();
        *watchdog = lineWith(outcome.out, "event loop delay");
    } else {
        (void)training.wait();
    }
    return median(stepTimes(folder));
}

void training(const fs::path& scratch) {
    std::vector<double> ratios;
    std::string watchdog;
    for (int round = 0; round < kRounds; ++round) {
        const double headless = trainOnce(scratch / "headless", false, nullptr);
        const double open = trainOnce(scratch / "open", true, &watchdog);
        if (open <= 0 || headless <= 0) {
            fmt::print("training did not record its step times\n");
            return;
        }
        ratios.push_back(headless / open);
        fmt::print("step: headless {:.1f} ms, window open {:.1f} ms; {}\n", headless, open, watchdog);
    }
    fmt::print("training speed with the window open over headless: {}\n", spread(ratios));
}

}  // namespace

int main(int argc, char** argv) {
    setenv("QT_QPA_PLATFORM", "offscreen", 1);
    const test::ScratchFolder scratch;
    const fs::path runs = argc > 1 ? fs::path(argv[1]) : scratch / "none";
    fs::create_directories(runs);
    firstPaint(runs, scratch.path());
    training(scratch.path());
    return 0;
}
