// SPDX-License-Identifier: GPL-3.0-or-later
// Traces read piece by piece and in part say the same as read whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "engine/base/random.h"
#include "engine/store/hdf5_file.h"
#include "engine/store/packing.h"
#include "engine/store/routing_rows.h"
#include "engine/store/routing_tables.h"
#include "engine/store/run_reader.h"
#include "support/large_run.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::store {
namespace {

namespace fs = std::filesystem;

TraceQuery allOf(RouterId router) {
    TraceQuery query;
    query.router = router;
    return query;
}

RoutingTable joined(const RunReader& run, const TraceQuery& query, const RoutingColumns& columns = {}) {
    RoutingTable all;
    const auto status = run.streamTrace(query, columns, [&](const RoutingChunk& chunk) -> Status {
        std::int64_t tokens = 0;
        for (const TokenRun& part : chunk.runs) tokens += part.tokens;
        EXPECT_EQ(tokens, chunk.table.tokens);
        if (columns.tokens) {
            const std::vector<TokenRun> expected = tokenRuns(chunk.table);
            EXPECT_EQ(chunk.runs.size(), expected.size());
        }
        RoutingTable table = chunk.table;
        appendTokens(all, std::move(table));
        return {};
    });
    EXPECT_TRUE(status) << status.error().message();
    return all;
}

void expectSame(const RoutingTable& a, const RoutingTable& b) {
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.expert_ids, b.expert_ids);
    EXPECT_EQ(a.gates, b.gates);
    EXPECT_EQ(a.kept, b.kept);
    EXPECT_EQ(a.entropy_nats_T, b.entropy_nats_T);
    EXPECT_EQ(a.sample_T, b.sample_T);
    EXPECT_EQ(a.position_T, b.position_T);
    EXPECT_EQ(a.token_id_T, b.token_id_T);
    EXPECT_EQ(a.masked_T, b.masked_T);
}

TEST(Streaming, SaysTheSameAsReadingTheTraceWhole) {
    test::ScratchFolder scratch;
    test::SyntheticRunOptions options;
    options.steps = 120;
    options.k = 2;
    ASSERT_TRUE(test::writeSyntheticRun(scratch / "run", options));
    const auto run = *RunReader::open(scratch / "run");
    for (const RouterInfo& router : run->routers()) expectSame(joined(*run, allOf(router.id)), *run->trace(allOf(router.id)));
    TraceQuery some = allOf(RouterId(0));
    some.first_step = 30;
    some.last_step = 80;
    expectSame(joined(*run, some), *run->trace(some));
    some.sample = run->trace(some)->sample_T.front();
    expectSame(joined(*run, some), *run->trace(some));
    some.max_tokens = 50;
    EXPECT_EQ(joined(*run, some).tokens, 50);
    expectSame(joined(*run, some), *run->trace(some));
    // The plain way, for readers that have no files, gives the same.
    RoutingTable plain;
    ASSERT_TRUE(run->RunReader::streamTrace(allOf(RouterId(1)), {}, [&](const RoutingChunk& chunk) -> Status {
        RoutingTable table = chunk.table;
        appendTokens(plain, std::move(table));
        return {};
    }));
    expectSame(plain, *run->trace(allOf(RouterId(1))));
    // All routers in one pass.
    std::int64_t tokens = 0, expected = 0;
    ASSERT_TRUE(run->streamTrace({}, {}, [&](const RoutingChunk& chunk) -> Status {
        tokens += chunk.table.tokens;
        return {};
    }));
    for (const RouterInfo& router : run->routers()) expected += run->trace(allOf(router.id))->tokens;
    EXPECT_EQ(tokens, expected);
}

TEST(Streaming, ColumnsThatWereNotAskedForStayEmptyAndTheRestIsTheSame) {
    test::ScratchFolder scratch;
    test::SyntheticRunOptions options;
    options.steps = 60;
    ASSERT_TRUE(test::writeSyntheticRun(scratch / "run", options));
    const auto run = *RunReader::open(scratch / "run");
    const RoutingTable whole = *run->probe({60, "trained"}, RouterId(0));
    ASSERT_FALSE(whole.probs_TE.empty());
    const RoutingChunk ids = *run->probeColumns({60, "trained"}, RouterId(0), {false, false, false, false, false});
    EXPECT_EQ(ids.table.expert_ids, whole.expert_ids);
    EXPECT_TRUE(ids.table.gates.empty() && ids.table.sample_T.empty() && ids.table.probs_TE.empty() && ids.table.entropy_nats_T.empty());
    const std::vector<TokenRun> runs = tokenRuns(whole);
    ASSERT_EQ(ids.runs.size(), runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) EXPECT_TRUE(ids.runs[i].sample == runs[i].sample && ids.runs[i].tokens == runs[i].tokens);
    const RoutingChunk confidence = *run->probeColumns({60, "trained"}, RouterId(0), {.gates = false, .kept = false, .tokens = true, .probabilities = false});
    EXPECT_EQ(confidence.table.entropy_nats_T, whole.entropy_nats_T);
    EXPECT_EQ(confidence.table.sample_T, whole.sample_T);
}

TEST(Streaming, StopsWhenAskedAndHandsOnWhatTheVisitorSays) {
    test::ScratchFolder scratch;
    ASSERT_TRUE(test::writeLargeRun(scratch / "run", {.assignments = 200'000, .tokens_per_step = 1000}));
    const auto run = *RunReader::open(scratch / "run");
    std::stop_source stop;
    JobContext context;
    context.stop = stop.get_token();
    int seen = 0;
    const auto stopped_status = run->streamTrace(
        {}, {}, [&](const RoutingChunk&) -> Status { return ++seen == 3 ? (stop.request_stop(), Status{}) : Status{}; }, context);
    ASSERT_FALSE(stopped_status);
    EXPECT_EQ(stopped_status.error().kind, ErrorKind::kStopped);
    EXPECT_EQ(seen, 3);
    const auto failed = run->streamTrace({}, {}, [&](const RoutingChunk&) -> Status { return badInput("x", "y", "z"); });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().what, "x");
}

TEST(Streaming, ADamagedSegmentCostsItselfAlone) {
    test::ScratchFolder scratch;
    test::SyntheticRunOptions options;
    options.steps = 100;
    ASSERT_TRUE(test::writeSyntheticRun(scratch / "run", options));
    fs::path segment;
    for (const auto& file : fs::directory_iterator(scratch / "run" / "routing"))
        if (file.path().filename().string().starts_with("trace-")) segment = file.path();
    ASSERT_FALSE(segment.empty());
    {
        std::ofstream damage(segment, std::ios::binary | std::ios::trunc);
        damage << "this is no HDF5 file";
    }
    const auto run = *RunReader::open(scratch / "run");
    const auto status = run->streamTrace({}, {}, [](const RoutingChunk&) -> Status { return {}; });
    ASSERT_FALSE(status) << "the only segment is damaged";
    EXPECT_FALSE(run->status().warnings.empty());
    EXPECT_TRUE(run->probe({100, "trained"}, RouterId(0))) << "probes are files of their own";
}

/// Makes units of a segment refer to ids far beyond its end: it opens, and these cannot be read.
void damageUnits(const fs::path& segment, std::size_t first, std::size_t last) {
    const H5File file(H5Fopen(segment.c_str(), H5F_ACC_RDWR, H5P_DEFAULT));
    ASSERT_TRUE(file.valid());
    const H5Dataset units(H5Dopen2(file.get(), "units", H5P_DEFAULT));
    const H5Type type = unitType();
    const auto column = ReadColumn::open(file.get(), "units", segment.string());
    ASSERT_TRUE(column);
    std::vector<UnitRow> rows = *column->readAll<UnitRow>(type.get());
    for (std::size_t i = first; i < std::min(last, rows.size()); ++i) rows[i].ids_at = std::int64_t{1} << 39;
    ASSERT_GE(H5Dwrite(units.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), 0);
}

TEST(Streaming, DamagedUnitsCostThemselvesAndWithoutAnyOtherItFails) {
    test::ScratchFolder scratch;
    test::SyntheticRunOptions options;
    options.steps = 100;
    ASSERT_TRUE(test::writeSyntheticRun(scratch / "run", options));
    std::vector<fs::path> segments;
    for (const auto& file : fs::directory_iterator(scratch / "run" / "routing"))
        if (file.path().filename().string().starts_with("trace-")) segments.push_back(file.path());
    ASSERT_FALSE(segments.empty());
    const auto units = [&] {
        const auto run = *RunReader::open(scratch / "run");
        std::int64_t seen = 0;
        const Status status = run->streamTrace({}, {}, [&](const RoutingChunk&) -> Status { return ++seen, Status{}; });
        return std::pair(status ? seen : -1, !run->status().warnings.empty());
    };
    const auto [whole, warned] = units();
    EXPECT_FALSE(warned);
    ASSERT_GT(whole, 4);
    ASSERT_NO_FATAL_FAILURE(damageUnits(segments[0], 1, 3));
    EXPECT_EQ(units(), std::pair(whole - 2, true));
    for (const fs::path& segment : segments) ASSERT_NO_FATAL_FAILURE(damageUnits(segment, 0, 1'000'000));
    EXPECT_EQ(units(), std::pair(std::int64_t{-1}, true)) << "nothing that could be read is no trace of no tokens";
    const auto run = *RunReader::open(scratch / "run");
    EXPECT_FALSE(run->trace(allOf(run->routers()[0].id)));
}

TEST(Packing, UnpacksEveryWidthAndLength) {
    RandomStream random(11, RandomPurpose::kSynthetic);
    for (int bits = 1; bits <= 16; ++bits)
        for (const std::size_t count : {0u, 1u, 7u, 8u, 9u, 15u, 16u, 17u, 63u, 64u, 65u, 1000u}) {
            std::vector<std::uint16_t> values(count);
            for (auto& value : values) value = static_cast<std::uint16_t>(random.nextU32() & ((1u << bits) - 1));
            std::vector<std::uint8_t> packed;
            packBits(std::span<const std::uint16_t>(values), bits, packed);
            ASSERT_EQ(packed.size(), packedBytes(count, bits));
            std::vector<std::uint16_t> back(count);
            unpackBits(packed, bits, std::span(back));
            EXPECT_EQ(back, values) << bits << " bits, " << count;
            std::vector<std::uint32_t> wide(count);
            unpackBits(packed, bits, std::span(wide));
            EXPECT_TRUE(std::equal(wide.begin(), wide.end(), values.begin())) << bits << " bits, " << count;
        }
}

}  // namespace
}  // namespace es::store
