// SPDX-License-Identifier: GPL-3.0-or-later
// The specialisation table of a long probe with its three baselines: how long it takes and what memory it needs. Options: --tokens N (10^7 over all
// routers, of 8 experts), --routers N (4), --permutations N (the usual 200, up to 1,000 where few reach). One thread, its own time. The run lies in the
// temporary folder and is removed.
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "analysis/metrics/specialisation.h"
#include "engine/store/run_reader.h"
#include "support/large_run.h"
#include "support/scratch_folder.h"
#include "tests/bench/long_run.h"

namespace {

using namespace es;
using bench::die, bench::memoryMb, bench::must;

/// Of this thread's own work: the machine may be shared.
double processorSeconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
    test::LargeRunOptions options;
    options.assignments = 100'000;
    options.probe_rows = 10'000'000;
    options.layers = 4;
    options.side = 14;
    options.scenes = options.pictures = true;
    options.baselines = 5;
    analysis::SpecialisationOptions asked;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        const std::int64_t value = std::atoll(argv[i + 1]);
        if (name == "--tokens") options.probe_rows = value;
        else if (name == "--routers") options.layers = static_cast<std::int32_t>(value);
        else if (name == "--permutations") asked.permutations = asked.most_permutations = static_cast<std::int32_t>(value);
        else die("unknown option " + name);
    }
    options.samples = std::max<std::int64_t>(options.probe_rows / options.layers / (14 * 14 + 6), 1);
    const test::ScratchFolder scratch;
    std::fflush(nullptr);
    // In a process of its own, so that the memory that writing takes is not counted.
    if (const pid_t child = fork(); child == 0) {
        const Status written = test::writeLargeRun(scratch / "run", options);
        if (!written) std::fprintf(stderr, "%s\n", written.error().message().c_str());
        std::fflush(nullptr);
        _exit(written ? 0 : 1);
    } else {
        int status = 0;
        waitpid(child, &status, 0);
        if (status != 0) die("the run could not be written");
    }
    const auto run = must(store::RunReader::open(scratch / "run"));
    std::printf("a probe of %.3g tokens in %d routers, %lld scenes with pictures; trained, untrained and %d random routers; %.0f MB before\n",
                static_cast<double>(options.probe_rows), options.layers, static_cast<long long>(options.samples), options.baselines, memoryMb("VmRSS:"));
    const double begin = processorSeconds();
    const auto rows = must(analysis::specialisation(*run, -1, asked));
    const double whole = processorSeconds() - begin;
    std::printf("  the table of %zu rows             %.3g s, %.3g s a row, %.0f MB at most\n", rows.size(), whole, whole / static_cast<double>(rows.size()),
                memoryMb("VmHWM:"));
    for (const analysis::LabelKind kind : {analysis::LabelKind::kCategory, analysis::LabelKind::kColour, analysis::LabelKind::kPosition,
                                           analysis::LabelKind::kTokenId, analysis::LabelKind::kWordRole}) {
        analysis::SpecialisationOptions one = asked;
        one.labels = {kind};
        const double start = processorSeconds();
        const auto some = must(analysis::specialisation(*run, -1, one));
        std::printf("  %-16s alone, with reading  %.3g s for %zu rows\n", std::string(analysis::toString(kind)).c_str(), processorSeconds() - start,
                    some.size());
    }
    return 0;
}
