// SPDX-License-Identifier: GPL-3.0-or-later
// A long run in figures: how long it takes to open, what memory it needs, what analyses of its whole trace cost an assignment, how fast its probe
// is searched and an expert's gallery filled. Options: --assignments N (10^8; 10^9 takes 0.5 GB of disk), --probe N (10^7 tokens), --repeats N (5).
// One thread; what has a spread is that thread's own time, the rest is by the clock. The run lies in the temporary folder and is removed.
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "analysis/experts/expert_gallery.h"
#include "analysis/experts/expert_tokens.h"
#include "analysis/metrics/trace_metrics.h"
#include "analysis/query/query_index.h"
#include "analysis/query/restricted_run.h"
#include "engine/store/run_reader.h"
#include "support/large_run.h"
#include "support/scratch_folder.h"
#include "tests/bench/long_run.h"

namespace {

using namespace es;
using bench::die, bench::memoryMb, bench::must;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double secondsOf(const std::function<void()>& work) {
    const auto begin = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - begin).count();
}
/// Of this thread's own work: the machine may be shared.
double processorSecondsOf(const std::function<void()>& work) {
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    };
    const double begin = now();
    work();
    return now() - begin;
}
std::string spreadOf(std::vector<double> values, double scale, const char* unit) {
    std::ranges::sort(values);
    char text[120];
    std::snprintf(text, sizeof text, "%.3g %s (from %.3g to %.3g, %zu times)", values[values.size() / 2] * scale, unit, values.front() * scale,
                  values.back() * scale, values.size());
    return text;
}
std::uintmax_t bytesOf(const fs::path& folder) {
    std::uintmax_t sum = 0;
    for (const auto& file : fs::recursive_directory_iterator(folder))
        if (file.is_regular_file()) sum += file.file_size();
    return sum;
}
/// In a process of its own, so that the memory that writing takes is not counted as that of reading.
void write(const fs::path& folder, const test::LargeRunOptions& options) {
    std::fflush(nullptr);  // what stands in buffers would be printed by both
    const pid_t child = fork();
    if (child == 0) {
        const Status written = test::writeLargeRun(folder, options);
        if (!written) std::fprintf(stderr, "%s\n", written.error().message().c_str());
        std::fflush(nullptr);
        _exit(written ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) die("the run could not be written");
}

}  // namespace

int main(int argc, char** argv) {
    test::LargeRunOptions options;
    std::int64_t probe = 10'000'000;
    int repeats = 5;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        const std::int64_t value = std::atoll(argv[i + 1]);
        if (name == "--assignments") options.assignments = value;
        else if (name == "--probe") probe = value;
        else if (name == "--repeats") repeats = static_cast<int>(std::max<std::int64_t>(value, 1));
        else die("unknown option " + name);
    }
    const test::ScratchFolder scratch;
    const auto timed = [&](const std::function<void()>& work) {
        std::vector<double> seconds;
        for (int i = 0; i < repeats; ++i) seconds.push_back(processorSecondsOf(work));
        return seconds;
    };

    for (const auto& [experts, k] : {std::pair{8, 1}, std::pair{64, 8}}) {
        test::LargeRunOptions trace = options;
        trace.experts = experts;
        trace.k = k;
        const fs::path folder = scratch / ("trace-" + std::to_string(experts));
        const double wrote = secondsOf([&] { write(folder, trace); });
        std::shared_ptr<store::RunReader> run;
        const double first = secondsOf([&] { run = must(store::RunReader::open(folder)); });
        run.reset();
        std::vector<double> again = timed([&] { run = must(store::RunReader::open(folder)); });
        const auto counted = must(analysis::traceMetrics(*run, {{}, 0, -1, false, false, false}));
        std::int64_t assignments = 0;
        for (const analysis::TraceMetrics& metrics : counted) assignments += metrics.assignments;
        std::printf("a trace of %.3g assignments, %d experts, k = %d: %.0f MB, written in %.1f s\n", static_cast<double>(assignments), experts, k,
                    static_cast<double>(bytesOf(folder)) / 1e6, wrote);
        std::printf("  open, no index yet              %.3g s\n", first);
        std::printf("  open                            %s\n", spreadOf(again, 1000, "ms").c_str());
        const auto measure = [&](const char* name, const analysis::TraceOptions& what) {
            const std::vector<double> seconds = timed([&] { (void)must(analysis::traceMetrics(*run, what)); });
            std::printf("  %-31s %s\n", name, spreadOf(seconds, 1e9 / static_cast<double>(assignments), "ns an assignment").c_str());
        };
        measure("reading alone", {{}, 0, -1, false, false, false});
        measure("load", {{}, 0, -1, true, false, false});
        if (k > 1) measure("co-activation", {{}, 0, -1, false, true, false});
        measure("mutual information", {{}, 0, -1, false, false, true});
        measure("all in one pass", {{}, 0, -1, true, true, true});
        std::printf("  memory: %.0f MB now, %.0f MB at most\n", memoryMb("VmRSS:"), memoryMb("VmHWM:"));
        run.reset();
        fs::remove_all(folder);
    }

    test::LargeRunOptions searched;
    searched.assignments = 1'000'000;
    searched.k = 2;
    searched.layers = 4;
    searched.side = 14;
    searched.probe_rows = probe;
    searched.samples = std::max<std::int64_t>(probe / searched.layers / (14 * 14 + 6), 1);
    const fs::path folder = scratch / "probe";
    write(folder, searched);
    const auto run = must(store::RunReader::open(folder));
    std::shared_ptr<const analysis::QueryIndex> index;
    const double built = secondsOf([&] { index = must(analysis::QueryIndex::make(*run, {-1, scratch / "cache"})); });
    index.reset();
    const double reread = secondsOf([&] { index = must(analysis::QueryIndex::make(*run, {-1, scratch / "cache"})); });
    std::printf("a probe of %.3g tokens in %d routers, %lld samples\n", static_cast<double>(index->rows()), searched.layers,
                static_cast<long long>(searched.samples));
    std::printf("  index: made in %.2f s, read again in %.2f s, %.0f MB\n", built, reread, static_cast<double>(index->bytes()) / 1e6);
    for (const char* text : {"expert 5", "expert 5 and expert 6, layer 2, margin < 0.1, category animals", "expert 3 in 0 and not expert 3 in 1",
                             "word 'red', first 4", "masked or entropy > 1.9"}) {
        const analysis::Query query = must(analysis::readQuery(text));
        std::int64_t found = 0;
        const auto seconds = timed([&] { found = must(index->answer(query)).found_tokens; });
        std::printf("  %-62s %9lld tokens  %s\n", text, static_cast<long long>(found), spreadOf(seconds, 1000, "ms").c_str());
    }
    const analysis::QueryAnswer answer = must(index->answer(must(analysis::readQuery("category animals, modality patch"))));
    const auto table = must(run->probe({run->probes().front().step, "trained"}, RouterId(0)));
    std::printf("  rows of a set in a table of %.3g tokens: %s\n", static_cast<double>(table.tokens),
                spreadOf(timed([&] { (void)answer.tokens.rowsOf(table); }), 1000, "ms").c_str());
    analysis::ExpertQuery expert;
    expert.router = RouterId(0);
    expert.expert = ExpertIndex(3);
    expert.step = run->probes().front().step;
    std::printf("  gallery of one expert, table read anew: %s\n", spreadOf(timed([&] {
                                                                               const auto tokens = must(analysis::expertTokens(*run, expert));
                                                                               (void)analysis::expertGallery(tokens, {});
                                                                           }),
                                                                           1000, "ms")
                                                                      .c_str());
    std::printf("  memory: %.0f MB now, %.0f MB at most\n", memoryMb("VmRSS:"), memoryMb("VmHWM:"));
    return 0;
}
