// SPDX-License-Identifier: GPL-3.0-or-later
// How long an expert's gallery takes to fill: on a probe of 1,000 samples x 144 patches x 4 routers, from files as the window reads them.
// Usage: bench_expert [samples] [experts] [k]
#include <cstdio>
#include <cstdlib>
#include <set>
#include <vector>

#include "analysis/experts/expert_details.h"
#include "analysis/experts/expert_gallery.h"
#include "bench/timing.h"
#include "engine/base/random.h"
#include "engine/store/run_writer.h"
#include "support/scratch_folder.h"
#include "support/synthetic_routing.h"
#include "support/synthetic_run.h"

namespace {

using namespace es;

constexpr int kGrid = 12, kSide = 96, kRouters = 4, kShown = 36;

store::SampleRecord sampleOf(std::int64_t index) {
    store::SampleRecord sample = test::syntheticSample(index, {});
    sample.grid_width = sample.grid_height = kGrid;
    sample.picture.width = sample.picture.height = kSide;
    sample.picture.rgba.resize(static_cast<std::size_t>(kSide) * kSide * 4);
    RandomStream random(static_cast<std::uint64_t>(index), RandomPurpose::kSynthetic);
    for (std::size_t i = 0; i < sample.picture.rgba.size(); i += 4) {
        const std::uint32_t bits = random.nextU32();
        for (std::size_t c = 0; c < 3; ++c) sample.picture.rgba[i + c] = static_cast<std::uint8_t>((bits >> (8 * c)) & 0xFF);
        sample.picture.rgba[i + 3] = 255;
    }
    sample.hash = static_cast<std::uint64_t>(index) * 7919 + 1;
    return sample;
}

/// The run on disk: samples with pictures, one probe.
bool write(const std::filesystem::path& folder, std::int64_t samples, std::int32_t experts, std::int32_t k) {
    std::vector<store::RouterInfo> routers;
    for (std::int32_t r = 0; r < kRouters; ++r)
        routers.push_back({RouterId(r), LayerIndex(r + 1), Branch::kVision, "softmax_topk", experts, k, store::RoutingLayout::kFixedK});
    test::SyntheticRunOptions options;
    options.experts = experts;
    options.k = k;
    store::Provenance provenance;
    provenance.run_uuid = "00000000-0000-4000-8000-0000000000be";
    auto writer = store::RunWriter::create(folder, test::syntheticConfig(options), provenance, routers, {});
    if (!writer) return false;
    std::vector<test::PlantedToken> tokens;
    for (std::int64_t i = 0; i < samples; ++i) {
        const store::SampleRecord sample = sampleOf(i);
        for (std::int32_t p = 0; p < kGrid * kGrid; ++p)
            tokens.push_back(
                {sample.hash, static_cast<std::uint16_t>(p), Modality::kVision, Objective::kImage, -1, false, static_cast<std::int32_t>((i + p) % experts)});
        if (!(*writer)->samples({sample})) return false;
    }
    store::Probe probe{{100, "trained"}, {}};
    for (const store::RouterInfo& router : routers) {
        RandomStream random(1, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(router.id.value));
        probe.tables.push_back(test::routeTokens(router, 100, tokens, 2, -1, true, random));
    }
    return (*writer)->probe(std::move(probe)).has_value() && (*writer)->finish(true, "").has_value();
}

/// Pictures of both halves, each once, as the window reads them.
std::size_t readPictures(const store::RunReader& run, const analysis::ExpertGallery& gallery) {
    std::set<std::uint64_t> wanted;
    for (const auto& item : gallery.top) wanted.insert(item.sample);
    for (const auto& item : gallery.random) wanted.insert(item.sample);
    std::size_t bytes = 0;
    for (const std::uint64_t hash : wanted)
        if (const auto sample = run.sample(hash)) bytes += sample->picture.rgba.size();
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    const std::int64_t samples = argc > 1 ? std::atoll(argv[1]) : 1000;
    const std::int32_t experts = argc > 2 ? std::atoi(argv[2]) : 16, k = argc > 3 ? std::atoi(argv[3]) : 2;
    const test::ScratchFolder scratch;
    if (!write(scratch / "run", samples, experts, k)) {
        std::fprintf(stderr, "cannot write the run\n");
        return 1;
    }
    std::vector<double> first_ms, next_ms, choose_ms, facts_ms, details_ms;
    std::size_t bytes = 0;
    for (int turn = 0; turn < 7; ++turn) {
        auto reader = store::RunReader::open(scratch / "run");
        if (!reader) return 1;
        analysis::ExpertQuery query;
        query.router = RouterId(turn % kRouters);
        query.expert = ExpertIndex(turn % experts);
        double begin = bench::nowMs();
        auto tokens = analysis::expertTokens(**reader, query);
        if (!tokens) return 1;
        analysis::ExpertGallery gallery = analysis::expertGallery(*tokens, {.count = kShown});
        bytes = readPictures(**reader, gallery);
        first_ms.push_back(bench::nowMs() - begin);
        query.expert = ExpertIndex((turn + 1) % experts);
        begin = bench::nowMs();
        tokens = analysis::expertTokens(tokens->table, query);
        gallery = analysis::expertGallery(*tokens, {.count = kShown});
        choose_ms.push_back(bench::nowMs() - begin);
        bytes = readPictures(**reader, gallery);
        next_ms.push_back(bench::nowMs() - begin);
        begin = bench::nowMs();
        const auto facts = analysis::probeFacts(**reader, tokens->samples);
        facts_ms.push_back(bench::nowMs() - begin);
        if (!facts) return 1;
        begin = bench::nowMs();
        if (!analysis::expertDetails(**reader, *tokens, *facts)) return 1;
        details_ms.push_back(bench::nowMs() - begin);
    }
    std::printf("%lld samples x %d patches x %d routers, %d experts, k = %d; %d tokens in each half, %.1f MB of pictures read\n",
                static_cast<long long>(samples), kGrid * kGrid, kRouters, experts, k, kShown, static_cast<double>(bytes) / 1e6);
    std::printf("  gallery with its pictures, first of a router    %s ms (limit 500)\n", bench::spread(first_ms, "%.1f").c_str());
    std::printf("  gallery with its pictures, another expert       %s ms (limit 500)\n", bench::spread(next_ms, "%.1f").c_str());
    std::printf("  choosing alone                                  %s ms\n", bench::spread(choose_ms, "%.1f").c_str());
    std::printf("  facts of all samples (once a run)               %s ms\n", bench::spread(facts_ms, "%.1f").c_str());
    std::printf("  words, categories, places, colours, partners    %s ms\n", bench::spread(details_ms, "%.1f").c_str());
    return 0;
}
