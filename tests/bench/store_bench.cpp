// SPDX-License-Identifier: GPL-3.0-or-later
// The store in figures: recording routing against HDF5's own shuffle and gzip-1 on the same columns (speed and size, alternately), the cost of
// scalars to the calling thread, and how long runs of 10^7 assignments and 10^7 scalar points take to open.
// Options: --repeats N (30).
#include <hdf5.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/random.h"
#include "engine/store/packing.h"
#include "engine/store/routing_file.h"
#include "engine/store/run_reader.h"
#include "engine/store/run_writer.h"
#include "support/scratch_folder.h"

namespace {

using namespace es;
using namespace es::store;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double secondsOf(const std::function<void()>& work) {
    const auto begin = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - begin).count();
}
double quantile(std::vector<double> values, double q) {
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}
void die(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}
template <class T>
auto must(Result<T> result) {
    if (!result) die(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Routing as a trained router makes it: skewed experts, gates of a softmax, pictures of 36 patches and captions of 12 words.
RoutingTable makeTable(const RouterInfo& router, std::int64_t step, std::int64_t tokens) {
    RandomStream random(1, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(router.id.value));
    RandomStream tokenRandom(2, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(step));
    RoutingTable t;
    t.router = router;
    t.step = step;
    t.tokens = tokens;
    const auto experts = static_cast<std::uint32_t>(router.experts);
    for (std::int64_t token = 0; token < tokens; ++token) {
        float left = 1;
        for (std::int32_t i = 0; i < router.k; ++i) {
            const std::uint32_t a = random.below(experts), b = random.below(experts);
            t.expert_ids.push_back(static_cast<std::uint16_t>(std::min(a, b)));
            const float gate = left * static_cast<float>(0.3 + 0.6 * random.uniform());
            t.gates.push_back(gate);
            left -= gate;
        }
        t.entropy_nats_T.push_back(static_cast<float>(2 * random.uniform()));
        t.boundary_margin_T.push_back(static_cast<float>(random.uniform()));
        const bool word = token % 48 >= 36;
        t.sample_T.push_back(0x9E3779B97F4A7C15ull * static_cast<std::uint64_t>(step * 1000 + token / 48 + 1));
        t.position_T.push_back(static_cast<std::uint16_t>(word ? token % 48 - 36 : token % 48));
        t.modality_T.push_back(word ? Modality::kText : Modality::kVision);
        t.objective_T.push_back(word ? Objective::kPairText : Objective::kPairImage);
        t.token_id_T.push_back(word ? static_cast<std::int32_t>(tokenRandom.below(1024)) : -1);
        t.masked_T.push_back(tokenRandom.below(5) < 2);
    }
    return t;
}

/// The same columns in HDF5's own way: a chunked data set each, shuffle and gzip level 1; the tokens of a step once, as in ours.
void writeGzip(const fs::path& path, const std::vector<RoutingTable>& tables) {
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const H5Type half = halfType();
    const auto column = [&](const char* name, hid_t type, auto get, bool once = false) {
        const hsize_t none = 0, unlimited = H5S_UNLIMITED, chunk = 65536;
        const hid_t space = H5Screate_simple(1, &none, &unlimited);
        const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 1, &chunk);
        H5Pset_shuffle(creation);
        H5Pset_deflate(creation, 1);
        const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        hsize_t written = 0;
        for (const RoutingTable& table : tables) {
            if (once && table.router.id.value != 0) continue;
            const auto values = get(table);
            const hsize_t count = values.size(), total = written + count;
            H5Dset_extent(dataset, &total);
            const hid_t fileSpace = H5Dget_space(dataset), memory = H5Screate_simple(1, &count, nullptr);
            H5Sselect_hyperslab(fileSpace, H5S_SELECT_SET, &written, nullptr, &count, nullptr);
            H5Dwrite(dataset, type, memory, fileSpace, H5P_DEFAULT, values.data());
            H5Sclose(memory);
            H5Sclose(fileSpace);
            written = total;
        }
        H5Dclose(dataset);
        H5Pclose(creation);
        H5Sclose(space);
    };
    const auto halves = [](const std::vector<float>& values) {
        std::vector<std::uint16_t> out;
        appendHalves(values, out);
        return out;
    };
    column("ids", H5T_STD_U8LE, [](const RoutingTable& t) { return std::vector<std::uint8_t>(t.expert_ids.begin(), t.expert_ids.end()); });
    column("gates", half.get(), [&](const RoutingTable& t) { return halves(t.gates); });
    column("entropy", half.get(), [&](const RoutingTable& t) { return halves(t.entropy_nats_T); });
    column("margin", half.get(), [&](const RoutingTable& t) { return halves(t.boundary_margin_T); });
    column(
        "sample", H5T_STD_U64LE, [](const RoutingTable& t) { return t.sample_T; }, true);
    column(
        "position", H5T_STD_U16LE, [](const RoutingTable& t) { return t.position_T; }, true);
    column(
        "modality", H5T_STD_U8LE, [](const RoutingTable& t) { return t.modality_T; }, true);
    column(
        "objective", H5T_STD_U8LE, [](const RoutingTable& t) { return t.objective_T; }, true);
    column(
        "token_id", H5T_STD_I32LE, [](const RoutingTable& t) { return t.token_id_T; }, true);
    column(
        "masked", H5T_STD_U8LE, [](const RoutingTable& t) { return t.masked_T; }, true);
    H5Fclose(file);
}

void recordingAgainstGzip(int repeats, std::int32_t experts, std::int32_t k, int routers, bool extras) {
    constexpr std::int64_t kUnits = 768, kTokens = 4800;  // a segment of tens of MB, as they are closed in use
    const std::int64_t steps = kUnits / routers;
    std::vector<RouterInfo> infos;
    for (int id = 0; id < routers; ++id) infos.push_back({RouterId(id), LayerIndex(id), Branch::kAll, "softmax_topk", experts, k, RoutingLayout::kFixedK});
    std::vector<RoutingTable> tables;
    for (std::int64_t step = 0; step < steps; ++step)
        for (const RouterInfo& info : infos) {
            tables.push_back(makeTable(info, step, kTokens));
            if (!extras) {
                tables.back().entropy_nats_T.clear();
                tables.back().boundary_margin_T.clear();
            }
        }
    const test::ScratchFolder scratch;
    const auto ours = scratch / "ours.h5", theirs = scratch / "gzip.h5";
    std::vector<double> ratios;
    std::uint64_t bytes = 0;
    double seconds = 0;
    for (int i = 0; i < repeats; ++i) {
        const auto writeOurs = [&] {
            // In SWMR mode, flushed now and then: as a segment is written. The final sync to disk is left out on both sides.
            const auto writer = must(RoutingFileWriter::create(ours, {}, infos, true));
            for (std::size_t t = 0; t < tables.size(); ++t) {
                must(writer->append(tables[t]));
                if ((t + 1) % (8 * infos.size()) == 0) must(writer->flush());
            }
            bytes = writer->bytes();
        };
        const auto gzip = [&] { writeGzip(theirs, tables); };
        double a = 0, b = 0;
        if (i % 2 == 0) {
            a = secondsOf(writeOurs);
            b = secondsOf(gzip);
        } else {
            b = secondsOf(gzip);
            a = secondsOf(writeOurs);
        }
        ratios.push_back(b / a);
        seconds = a;
    }
    const double tokenLayers = static_cast<double>(steps * kTokens * routers);
    std::printf(
        "recording %2d routers, E=%2d, k=%d, %s: %5.1f x as fast as gzip-1 (%.1f to %.1f in %d pairs), %.2f x its size, %.2f B a token and layer (bf16 logits: "
        "%d), %.0f M assignments/s\n",
        routers, experts, k, extras ? "entropy and margin" : "ids and gates    ", quantile(ratios, 0.5), quantile(ratios, 0.05), quantile(ratios, 0.95),
        repeats, static_cast<double>(bytes) / static_cast<double>(fs::file_size(theirs)), static_cast<double>(bytes) / tokenLayers, 2 * experts,
        tokenLayers * k / seconds / 1e6);
}

void scalarCost(int repeats) {
    const test::ScratchFolder scratch;
    RunWriterOptions options;
    options.queue_units = 1u << 16;
    const auto writer = must(RunWriter::create(scratch / "run", {}, {}, {}, options));
    std::vector<Scalar> step;
    for (int i = 0; i < 20; ++i) step.push_back({"series/number/" + std::to_string(i), 1.0});
    std::vector<double> us;
    for (int i = 0; i < repeats * 100; ++i) {
        std::vector<Scalar> values = step;  // made by the caller in any case
        us.push_back(1e6 * secondsOf([&] { must(writer->scalars(i, std::move(values))); }));
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    std::printf("20 scalars a step: %.1f us of the calling thread (median; 99 %%: %.1f, %d steps)\n", quantile(us, 0.5), quantile(us, 0.99), repeats * 100);
}

void openAssignments(int repeats) {
    const test::ScratchFolder scratch;
    setenv("XDG_CACHE_HOME", (scratch / "cache").c_str(), 1);
    const fs::path run = scratch / "run";
    std::vector<RouterInfo> routers;
    for (int id = 0; id < 4; ++id) routers.push_back({RouterId(id), LayerIndex(id / 2), Branch::kAll, "softmax_topk", 8, 2, RoutingLayout::kFixedK});
    constexpr std::int64_t kTokens = 1600, kSteps = 800;  // x 4 routers x 2 = 1.02e7 assignments
    {
        RunWriterOptions options;
        options.queue_units = 64;
        const auto writer = must(RunWriter::create(run, {}, {}, routers, options));
        for (std::int64_t step = 1; step <= kSteps; ++step) {
            std::vector<TraceUnit> units;
            for (const RouterInfo& router : routers) units.push_back(makeTable(router, step, kTokens));
            must(writer->trace(step, std::move(units)));
            std::vector<Scalar> values;
            for (int i = 0; i < 40; ++i) values.push_back({"series/" + std::to_string(i), 1.0});
            must(writer->scalars(step, std::move(values)));
            if (step % 20 == 0) must(writer->flush());
        }
        must(writer->finish(true, ""));
        if (writer->counters().trace_units_dropped > 0) die("trace units were dropped");
    }
    std::vector<double> with, without, query;
    for (int i = 0; i < repeats; ++i) {
        with.push_back(secondsOf([&] { (void)must(RunReader::open(run))->status(); }));
        fs::remove(run / "run.sqlite");
        without.push_back(secondsOf([&] { (void)must(RunReader::open(run))->status(); }));
    }
    const auto reader = must(RunReader::open(run));
    for (int i = 0; i < 5; ++i) query.push_back(secondsOf([&] { (void)must(reader->trace({RouterId(0), 0, -1, {}, -1})); }));
    std::printf(
        "run of %.3g assignments: opens in %.1f ms (95 %%: %.1f), without its index in %.1f ms (95 %%: %.1f); reading all of one router, %.3g assignments: "
        "%.0f ms\n",
        static_cast<double>(kTokens * kSteps * 8), 1e3 * quantile(with, 0.5), 1e3 * quantile(with, 0.95), 1e3 * quantile(without, 0.5),
        1e3 * quantile(without, 0.95), static_cast<double>(kTokens * kSteps * 2), 1e3 * quantile(query, 0.5));
}

void openScalars(int repeats) {
    const test::ScratchFolder scratch;
    const fs::path run = scratch / "run";
    constexpr std::int64_t kSteps = 250'000;
    {
        RunWriterOptions options;
        options.flush_steps = 5000;
        const auto writer = must(RunWriter::create(run, {}, {}, {}, options));
        for (std::int64_t step = 1; step <= kSteps; ++step) {
            std::vector<Scalar> values;
            for (int i = 0; i < 40; ++i) values.push_back({"s" + std::to_string(i), static_cast<double>(step % 1000)});
            must(writer->scalars(step, std::move(values)));
        }
        must(writer->finish(true, ""));
    }
    std::vector<double> open, query;
    for (int i = 0; i < repeats; ++i) open.push_back(secondsOf([&] { (void)must(RunReader::open(run))->status(); }));
    {
        const auto reader = must(RunReader::open(run));
        for (int i = 0; i < repeats; ++i) query.push_back(secondsOf([&] { (void)must(reader->scalars("s7", 1000)); }));
    }
    fs::remove(run / "run.sqlite");
    const double build = secondsOf([&] { must(rebuildIndex(scratch / "run")); });
    std::printf(
        "run of %.3g scalar points: opens in %.1f ms (95 %%: %.1f), 1,000 points of a curve of %lld in %.2f ms (95 %%: %.2f), its index is built in %.2f s\n",
        40.0 * kSteps, 1e3 * quantile(open, 0.5), 1e3 * quantile(open, 0.95), static_cast<long long>(kSteps), 1e3 * quantile(query, 0.5),
        1e3 * quantile(query, 0.95), build);
}

}  // namespace

int main(int argc, char** argv) {
    int repeats = 30;
    for (int i = 1; i + 1 < argc; i += 2)
        if (std::string(argv[i]) == "--repeats") repeats = std::max(std::atoi(argv[i + 1]), 1);
    recordingAgainstGzip(std::max(repeats / 3, 1), 8, 1, 4, true);
    recordingAgainstGzip(std::max(repeats / 3, 1), 8, 1, 4, false);
    recordingAgainstGzip(std::max(repeats / 3, 1), 64, 2, 12, false);
    recordingAgainstGzip(std::max(repeats / 3, 1), 64, 2, 12, true);
    scalarCost(repeats);
    openAssignments(repeats);
    openScalars(std::min(repeats, 10));
    return 0;
}
