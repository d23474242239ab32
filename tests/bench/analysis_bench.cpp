// SPDX-License-Identifier: GPL-3.0-or-later
// Nanoseconds an assignment of the metrics that go over every assignment of a run, on one core. Usage: bench_analysis [assignments] [repeats]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "analysis/metrics/dependence.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/stability.h"
#include "engine/base/random.h"

namespace {

using namespace es;

/// Routing of one router with skewed loads; labels that explain half of the choices.
struct Input {
    store::RoutingTable table;
    std::vector<std::int32_t> label_T;
};

Input make(std::int64_t assignments, std::int32_t experts, std::int32_t k) {
    Input input;
    input.table.router = {RouterId(0), LayerIndex(0), Branch::kVision, "softmax_topk", experts, k, store::RoutingLayout::kFixedK};
    input.table.tokens = assignments / k;
    RandomStream random(1, RandomPurpose::kSynthetic);
    input.table.expert_ids.reserve(static_cast<std::size_t>(assignments));
    for (std::int64_t t = 0; t < input.table.tokens; ++t) {
        const std::uint32_t bits = random.nextU32();
        const auto label = static_cast<std::int32_t>(bits % 12);
        const auto count = static_cast<std::uint32_t>(experts);
        const std::uint32_t first = (bits >> 8) % 2 ? static_cast<std::uint32_t>(label) % count : (bits >> 9) % count;
        for (std::int32_t j = 0; j < k; ++j) input.table.expert_ids.push_back(static_cast<std::uint16_t>((first + static_cast<std::uint32_t>(j)) % count));
        input.label_T.push_back(label);
    }
    return input;
}

double threadNanoseconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

void measure(const char* name, std::int64_t assignments, int repeats, const std::function<double()>& work) {
    std::vector<double> ns;
    double sink = 0;
    for (int i = 0; i < repeats; ++i) {
        // Time of this thread's own work: the machine may be shared.
        const double begin = threadNanoseconds();
        sink += work();
        ns.push_back((threadNanoseconds() - begin) / static_cast<double>(assignments));
    }
    std::sort(ns.begin(), ns.end());
    std::printf("%-40s %6.2f ns an assignment (from %.2f to %.2f, %d times) [%g]\n", name, ns[ns.size() / 2], ns.front(), ns.back(), repeats, sink);
}

}  // namespace

int main(int argc, char** argv) {
    const std::int64_t assignments = argc > 1 ? std::atoll(argv[1]) : 10'000'000;
    const int repeats = argc > 2 ? std::max(std::atoi(argv[2]), 1) : 7;
    for (const auto& [experts, k] : {std::pair{8, 1}, std::pair{16, 2}, std::pair{64, 8}}) {
        const Input input = make(assignments, experts, k);
        const store::RoutingView view(input.table);
        std::printf("%lld assignments, %d experts, k = %d\n", static_cast<long long>(assignments), experts, k);
        measure("  load", assignments, repeats, [&] { return analysis::loadOf(analysis::expertLoads(view)).cv; });
        const std::vector<std::int32_t> first = analysis::firstChoices(view);
        const auto tokens = static_cast<std::int64_t>(first.size());
        measure("  first choices (a token)", tokens, repeats, [&] { return static_cast<double>(analysis::firstChoices(view).back()); });
        measure("  mutual information (a token)", tokens, repeats, [&] { return analysis::mutualInformation(input.label_T, first).mi_nats; });
        measure("  mutual information with first choices", assignments, repeats, [&] { return analysis::mutualInformation(input.label_T, view).mi_nats; });
        measure("  label by expert", assignments, repeats, [&] { return analysis::labelByExpert(view, input.label_T, 12).front(); });
        if (k > 1) measure("  co-activation (an assignment)", assignments, repeats, [&] { return analysis::coactivation(view).count_EE.front(); });
        measure("  change", assignments, std::max(repeats / 3, 1), [&] { return analysis::compareRouting(input.table, input.table).overlap; });
    }
    return 0;
}
