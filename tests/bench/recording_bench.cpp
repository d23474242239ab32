// SPDX-License-Identifier: GPL-3.0-or-later
// What recording everything costs a training step: load and a trace of every layer of every step, against nothing recorded. The demo's
// setting on its own data, short runs alternately with and without; prints the median ratio of step times with its spread, dropped trace
// units, whether the weights are equal to the bit, and the cost of a probe apart.
// Options: --pairs N (runs of each kind, 6), --steps N (40), --threads N (0: all), --data FOLDER (cache, data).
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/files.h"
#include "engine/infer/probe_set.h"
#include "engine/store/run_reader.h"
#include "engine/train/device.h"
#include "engine/train/trainer.h"
#include "support/scratch_folder.h"

namespace {

using namespace es;
using Clock = std::chrono::steady_clock;

double quantile(std::vector<double> values, double q) {
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

struct StepTimes {
    std::vector<double> wall_ms, processor_ms;
};

double processorMs() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// Times of each step, taken between the questions that the trainer asks before each. Processor time counts all threads, the writer's too,
/// and does not mind what else runs on the machine.
StepTimes trainOnce(const config::RunConfig& config, const std::filesystem::path& out, bool record) {
    std::vector<Clock::time_point> asked;
    std::vector<double> used;
    bool training = false;
    session::TrainHooks hooks;
    hooks.onSnapshot = [&](const session::SessionSnapshot& snapshot) { training = training || snapshot.state == session::SessionState::kTraining; };
    hooks.poll = [&] {
        if (training) {
            asked.push_back(Clock::now());
            used.push_back(processorMs());
        }
        return session::TrainControl{};
    };
    const Status done = engine::train({config, out, false}, hooks, {}, {.record = record});
    if (!done) {
        std::fprintf(stderr, "%s\n", done.error().message().c_str());
        std::exit(static_cast<int>(done.error().kind));
    }
    StepTimes times;
    constexpr std::size_t kWarmUp = 5;
    for (std::size_t i = kWarmUp; i + 1 < asked.size(); ++i) {
        times.wall_ms.push_back(std::chrono::duration<double, std::milli>(asked[i + 1] - asked[i]).count());
        times.processor_ms.push_back(used[i + 1] - used[i]);
    }
    return times;
}

}  // namespace

int main(int argc, char** argv) {
    std::int64_t pairs = 6;
    config::RunConfig config;
    config.train.steps = 40;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        if (name == "--pairs") pairs = std::atoll(argv[i + 1]);
        if (name == "--steps") config.train.steps = std::max<std::int64_t>(10, std::atoll(argv[i + 1]));
        if (name == "--threads") config.run.threads = std::atoll(argv[i + 1]);
        if (name == "--data") config.data.cache = argv[i + 1];
    }
    config.train.evaluate_every = config.train.checkpoint_every = 0;
    config.train.evaluate_samples = 1;
    config.record.trace_every = 1;
    config.record.probe_samples = 0;
    config.record.probe_random_routers = 0;

    test::ScratchFolder folder;
    std::vector<double> ratios, processor_ratios, silent_ms, recorded_ms;
    bool equal = true;
    std::int64_t gaps = 0;
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
        const auto silent = folder / ("silent" + std::to_string(pair)), recorded = folder / ("recorded" + std::to_string(pair));
        StepTimes off, on;
        // The order changes from pair to pair, so that a machine that slows down favours neither.
        for (const bool record : pair % 2 == 0 ? std::vector<bool>{false, true} : std::vector<bool>{true, false})
            (record ? on : off) = trainOnce(config, record ? recorded : silent, record);
        ratios.push_back(quantile(on.wall_ms, 0.5) / quantile(off.wall_ms, 0.5));
        processor_ratios.push_back(quantile(on.processor_ms, 0.5) / quantile(off.processor_ms, 0.5));
        silent_ms.push_back(quantile(off.wall_ms, 0.5));
        recorded_ms.push_back(quantile(on.wall_ms, 0.5));
        std::string digits = std::to_string(config.train.steps);
        const auto weights = std::filesystem::path("checkpoints") / ("step-" + std::string(9 - digits.size(), '0') + digits) / "model.safetensors";
        const auto a = readFile(silent / weights), b = readFile(recorded / weights);
        equal = equal && a && b && *a == *b;
        if (const auto run = store::RunReader::open(recorded))
            for (const auto& event : (*run)->events()) gaps += event.kind == "trace_gap";
    }
    std::printf("recording everything / nothing, %lld pairs of runs of %lld steps:\n", static_cast<long long>(pairs),
                static_cast<long long>(config.train.steps));
    std::printf("  step without   %8.2f ms\n  step with      %8.2f ms\n", quantile(silent_ms, 0.5), quantile(recorded_ms, 0.5));
    std::printf("  median ratio   %8.4f   (from %.4f to %.4f)\n", quantile(ratios, 0.5), quantile(ratios, 0), quantile(ratios, 1));
    std::printf("  of processor time %5.4f (from %.4f to %.4f)\n", quantile(processor_ratios, 0.5), quantile(processor_ratios, 0),
                quantile(processor_ratios, 1));
    std::printf("  weights equal to the bit: %s;  gaps in the trace: %lld\n", equal ? "yes" : "NO", static_cast<long long>(gaps));

    config.record.probe_samples = config::RecordOptions{}.probe_samples;
    const auto source = engine::DataSource::open(config, {});
    const auto place = engine::choosePlace(config.run);
    if (!source || !place) return 1;
    engine::VlMoe model(config, {(*source)->tokenizer().size(), (*source)->dataset().imageSize(), (*source)->maxWords()}, 1);
    const engine::ProbeSet probe(*source, config);
    std::vector<double> probe_ms;
    for (int i = 0; i < 10; ++i) {
        const auto begin = Clock::now();
        (void)probe.run(model, place->device, 0);
        probe_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
    std::printf("  a probe of %zu samples %.1f ms\n", probe.samples().size(), quantile(probe_ms, 0.5));
    return 0;
}
