// SPDX-License-Identifier: GPL-3.0-or-later
// A run through the writer and back through the reader, while it is written and after.
#include <fstream>

#include "engine/base/files.h"
#include "engine/config/config_io.h"
#include "engine/store/format.h"
#include "engine/store/journal.h"
#include "engine/store/journal_records.h"
#include "run_fixture.h"

namespace es::store {
namespace {

using test::must;

class RunRoundTrip : public RunTest {};

TEST_F(RunRoundTrip, EverythingWrittenIsRead) {
    auto writer = create(folder_);
    must(writer->samples({test::sampleRecord(1000), test::sampleRecord(1001)}));
    EXPECT_TRUE(writer->hasSample(1000));
    EXPECT_FALSE(writer->hasSample(1002));
    must(writer->samples({test::sampleRecord(1001), test::sampleRecord(1002)}));
    for (std::int64_t step = 1; step <= 20; ++step) writeStep(*writer, step);
    must(writer->probe(probe(20, "trained")));
    must(writer->probe(probe(20, "ban layer 2/5")));
    must(writer->evaluation(test::evaluation(20)));
    must(writer->checkpoint({20, 0, 7.5, "checkpoints/step-000000020", true}));
    must(writer->event({20, 0, Severity::kWarning, "spike", "Loss jumped."}));
    must(writer->flush());

    const auto reader = must(RunReader::open(folder_));
    EXPECT_EQ(reader->status().state, RunState::kTraining);
    EXPECT_EQ(reader->status().step, 20);
    EXPECT_EQ(reader->status().steps, 42);
    EXPECT_EQ(reader->status().attempts, 1u);
    EXPECT_TRUE(reader->status().warnings.empty());
    EXPECT_EQ(reader->config().run.name, "Läufe");
    EXPECT_EQ(reader->provenance().device, "cpu");
    EXPECT_EQ(reader->provenance().flops_per_step_active, 1.5e9);
    EXPECT_EQ(reader->provenance().extra.at("note"), "ü");
    EXPECT_EQ(reader->provenance().run_uuid.size(), 36u);
    EXPECT_EQ(reader->provenance().config_hash, config::configHash(reader->config()));
    EXPECT_EQ(reader->routers(), test::twoRouters());

    EXPECT_EQ(reader->scalarNames(), (std::vector<std::string>{"grad_norm/all", "train/loss"}));
    const auto loss = must(reader->scalars("train/loss"));
    ASSERT_EQ(loss.points, 20);
    EXPECT_EQ(loss.value[4], 9.5);
    EXPECT_EQ(must(reader->scalars("none")).points, 0);

    const auto loads = must(reader->loadRecords(RouterId(1)));
    ASSERT_EQ(loads.size(), 20u);
    test::expectSameLoad(loads[6], test::loadRecord(7, 1, Modality::kText));
    EXPECT_EQ(must(reader->loadRecords(RouterId(1), 5, 6)).size(), 2u);
    const auto history = must(reader->loadHistory(RouterId(0), Modality::kVision, 10));
    EXPECT_EQ(history.step.size(), 10u);
    EXPECT_EQ(history.steps, 20);
    EXPECT_FALSE(reader->loadHistory(RouterId(9), Modality::kVision));

    EXPECT_EQ(reader->tracedSteps(), (std::vector<std::int64_t>{5, 10, 15, 20}));
    TraceQuery query{RouterId(0), 10, 10, {}, -1};
    test::expectSameTable(must(reader->trace(query)), trace(10)[0]);
    query = {RouterId(1), 0, -1, {}, -1};
    const auto all = must(reader->trace(query));
    EXPECT_EQ(all.tokens, 400);
    EXPECT_EQ(all.step, 20);
    query.sample = 1001;
    const auto some = must(reader->trace(query));
    EXPECT_EQ(some.tokens, 200);
    EXPECT_EQ(some.sample_T, std::vector<std::uint64_t>(200, 1001));
    query.max_tokens = 30;
    EXPECT_EQ(must(reader->trace(query)).tokens, 30);
    query.sample = 5;
    EXPECT_EQ(must(reader->trace(query)).tokens, 0);
    EXPECT_FALSE(reader->trace({RouterId(7), 0, -1, {}, -1}));

    EXPECT_EQ(reader->probes(), (std::vector<ProbeKey>{{20, "ban layer 2/5"}, {20, "trained"}}));
    test::expectSameTable(must(reader->probe({20, "trained"}, RouterId(1))), probe(20, "trained").tables[1]);
    test::expectSameTable(must(reader->probe({20, "ban layer 2/5"}, RouterId(0))), probe(20, "").tables[0]);
    EXPECT_FALSE(reader->probe({21, "trained"}, RouterId(0)));
    EXPECT_EQ(must(reader->probeSamples()), (std::vector<std::uint64_t>{1000, 1001}));

    EXPECT_EQ(reader->evaluations(), (std::vector<std::int64_t>{20}));
    EXPECT_EQ(must(reader->evaluation(20)).rows.size(), 20u);
    EXPECT_FALSE(reader->evaluation(21));

    const auto samples = must(reader->sampleList());
    ASSERT_EQ(samples.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        test::expectSameSample(test::sampleRecord(1000 + i), samples[i], false);
        test::expectSameSample(test::sampleRecord(1000 + i), must(reader->sample(1000 + i)), true);
    }
    EXPECT_FALSE(reader->sample(77));

    ASSERT_EQ(reader->checkpoints().size(), 1u);
    EXPECT_EQ(reader->checkpoints()[0].validation_loss, 7.5);
    EXPECT_TRUE(reader->checkpoints()[0].present);
    ASSERT_EQ(reader->events().size(), 2u);
    EXPECT_EQ(reader->events()[0].kind, "run_started");
    EXPECT_EQ(reader->events()[1].kind, "spike");
    EXPECT_GT(reader->events()[1].time_s, 1e9);

    // Live: nothing new, then something.
    EXPECT_FALSE(must(reader->refresh()).any());
    writeStep(*writer, 21);
    must(writer->samples({test::sampleRecord(1003)}));
    must(writer->flush());
    const RunChange change = must(reader->refresh());
    EXPECT_TRUE(change.scalars && change.load && change.samples);
    EXPECT_FALSE(change.probes || change.evaluations || change.checkpoints || change.traces || change.events);
    EXPECT_EQ(reader->status().step, 21);
    EXPECT_EQ(must(reader->sampleList()).size(), 4u);
    test::expectSameSample(test::sampleRecord(1003), must(reader->sample(1003)), true);

    must(writer->checkpoint({20, 0, 7.5, "checkpoints/step-000000020", false}));
    must(writer->finish(true, "Done."));
    EXPECT_EQ(writer->counters().trace_units_written, 8);
    EXPECT_EQ(writer->counters().trace_units_dropped, 0);
    EXPECT_GT(writer->counters().bytes_written, 1000);
    EXPECT_FALSE(writer->scalars(22, {{"train/loss", 1.0}}));
    must(reader->refresh());
    EXPECT_EQ(reader->status().state, RunState::kFinished);
    EXPECT_FALSE(reader->checkpoints()[0].present);
    query = {RouterId(0), 10, 10, {}, -1};
    test::expectSameTable(must(reader->trace(query)), trace(10)[0]);
}

TEST_F(RunRoundTrip, TheIndexIsReusedDroppedAndRebuilt) {
    auto writer = create(folder_);
    for (std::int64_t step = 1; step <= 5000; ++step) must(writer->scalars(step, {{"train/loss", static_cast<double>(step)}}));
    for (std::int64_t step = 1; step <= 600; ++step) must(writer->load({test::loadRecord(step, 0)}));
    must(writer->finish(true, "Done."));
    ASSERT_TRUE(fs::exists(folder_ / kIndexFile));
    const auto check = [&](std::size_t warnings = 0) {
        const auto reader = must(RunReader::open(folder_));
        const auto loss = must(reader->scalars("train/loss"));
        ASSERT_EQ(loss.points, 5000);
        EXPECT_EQ(loss.value[4999], 5000.0);
        EXPECT_EQ(must(reader->loadRecords(RouterId(0))).size(), 600u);
        EXPECT_EQ(reader->status().state, RunState::kFinished);
        EXPECT_EQ(reader->status().warnings.size(), warnings);
        EXPECT_EQ(reader->events().size(), 2u);
        EXPECT_EQ(reader->routers().size(), 2u);
    };
    check();
    {
        // From the index: an opened run does not look at what lies before the stored place.
        std::fstream journal(folder_ / "journal" / journalFileName({0, 0}), std::ios::in | std::ios::out | std::ios::binary);
        journal.seekp(2000);
        const char before = static_cast<char>(journal.peek());
        journal.seekp(2000);
        journal.put(static_cast<char>(before ^ 1));
        journal.close();
        check();
        journal.open(folder_ / "journal" / journalFileName({0, 0}), std::ios::in | std::ios::out | std::ios::binary);
        journal.seekp(2000);
        journal.put(before);
    }
    must(rebuildIndex(folder_));
    check();
    // Two readers: one keeps the index, the other does without.
    const auto first = must(RunReader::open(folder_));
    check();
    EXPECT_FALSE(rebuildIndex(folder_));
    fs::remove(folder_ / kIndexFile);
    std::ofstream(folder_ / kIndexFile) << "this is no database at all, but long enough to be taken for one at first sight";
    check();
}

TEST_F(RunRoundTrip, ADamagedIndexIsRebuilt) {
    auto writer = create(folder_);
    for (std::int64_t step = 1; step <= 500; ++step) writeStep(*writer, step);
    must(writer->finish(true, "Done."));
    const std::string good = must(readFile(folder_ / kIndexFile));
    RandomStream random(5, RandomPurpose::kSynthetic);
    for (int round = 0; round < 15; ++round) {
        std::string wild = good;
        for (int i = 0; i < 200; ++i) wild[random.below(static_cast<std::uint32_t>(wild.size()))] = static_cast<char>(random.nextU32());
        if (round % 3 == 0) wild.resize(wild.size() / 2);
        {
            // In place: a copy would be noticed by its inode and never be looked at.
            std::fstream file(folder_ / kIndexFile, std::ios::in | std::ios::out | std::ios::binary);
            file << wild;
        }
        const auto reader = must(RunReader::open(folder_));
        (void)reader->scalars("train/loss");
        (void)reader->loadRecords(RouterId(0));
        (void)reader->events();
    }
    must(rebuildIndex(folder_));
    EXPECT_EQ(must(must(RunReader::open(folder_))->scalars("train/loss")).points, 500);
}

TEST_F(RunRoundTrip, AttemptsSupersede) {
    {
        auto writer = create(folder_);
        must(writer->samples({test::sampleRecord(1)}));
        for (std::int64_t step = 1; step <= 30; ++step) writeStep(*writer, step);
        must(writer->probe(probe(20, "trained")));
        must(writer->evaluation(test::evaluation(20)));
        must(writer->checkpoint({20, 0, 5, "checkpoints/step-000000020", true}));
        must(writer->probe(probe(30, "trained")));
        must(writer->evaluation(test::evaluation(30)));
        must(writer->flush());
    }
    EXPECT_EQ(must(RunReader::open(folder_))->status().state, RunState::kInterrupted);
    const auto early = must(RunReader::open(folder_));
    auto writer = must(RunWriter::resume(folder_, 21, {}));
    EXPECT_EQ(writer->attempt(), 1u);
    EXPECT_TRUE(writer->hasSample(1));
    must(writer->samples({test::sampleRecord(1), test::sampleRecord(2)}));
    for (std::int64_t step = 21; step <= 25; ++step) writeStep(*writer, step, 1000);
    must(writer->flush());
    EXPECT_TRUE(must(early->refresh()).probes);
    for (const auto& reader : {early, must(RunReader::open(folder_))}) {
        EXPECT_EQ(reader->status().attempts, 2u);
        EXPECT_EQ(reader->status().step, 25);
        const auto loss = must(reader->scalars("train/loss"));
        ASSERT_EQ(loss.points, 25);
        EXPECT_LT(loss.value[19], 100);
        EXPECT_GT(loss.value[20], 100);
        EXPECT_EQ(must(reader->loadRecords(RouterId(0))).size(), 25u);
        EXPECT_EQ(reader->tracedSteps(), (std::vector<std::int64_t>{5, 10, 15, 20, 25}));
        EXPECT_EQ(must(reader->trace({RouterId(0), 0, -1, {}, -1})).tokens, 500);
        EXPECT_EQ(reader->probes(), (std::vector<ProbeKey>{{20, "trained"}}));
        EXPECT_EQ(reader->evaluations(), (std::vector<std::int64_t>{20}));
        EXPECT_EQ(reader->checkpoints().size(), 1u);
        EXPECT_EQ(must(reader->sampleList()).size(), 2u);
        test::expectSameSample(test::sampleRecord(2), must(reader->sample(2)), true);
    }
    // What was superseded is kept, and the new probe of the same step does not overwrite the old one.
    must(writer->probe(probe(30, "trained")));
    must(writer->finish(false, "Stopped."));
    EXPECT_TRUE(fs::exists(folder_ / probePath({30, "trained"}, 0)));
    EXPECT_TRUE(fs::exists(folder_ / probePath({30, "trained"}, 1)));
    must(early->refresh());
    EXPECT_EQ(early->probes().size(), 2u);
    EXPECT_EQ(early->status().state, RunState::kStopped);

    // From the beginning again.
    must(must(RunWriter::resume(folder_, 0, {}))->flush());
    const auto reader = must(RunReader::open(folder_));
    EXPECT_EQ(must(reader->scalars("train/loss")).points, 0);
    EXPECT_TRUE(reader->probes().empty());
    EXPECT_EQ(reader->status().attempts, 3u);
    EXPECT_EQ(reader->status().state, RunState::kInterrupted);
}

TEST_F(RunRoundTrip, RanksAreMerged) {
    auto zero = create(folder_);
    RunWriterOptions options;
    options.rank = 1;
    options.attempt = 0;
    const auto routers = test::twoRouters();
    auto one = must(RunWriter::create(folder_, {}, {}, routers, options));
    for (RunWriter* writer : {zero.get(), one.get()}) {
        writeStep(*writer, 5);
        must(writer->flush());
    }
    const auto reader = must(RunReader::open(folder_));
    EXPECT_EQ(must(reader->scalars("train/loss")).points, 1);
    const auto loads = must(reader->loadRecords(RouterId(0)));
    ASSERT_EQ(loads.size(), 1u);
    EXPECT_EQ(loads[0].tokens, 200);
    EXPECT_EQ(loads[0].counts_E[1], 2 * test::loadRecord(5, 0).counts_E[1]);
    EXPECT_EQ(must(reader->trace({RouterId(0), 0, -1, {}, -1})).tokens, 200);
    EXPECT_EQ(reader->status().attempts, 1u);
}

TEST_F(RunRoundTrip, FailureIsRemembered) {
    auto writer = create(folder_);
    must(writer->event({3, 0, Severity::kError, "run_failed", "Layer 2 overflowed."}));
    must(writer->finish(false, "failed"));
    EXPECT_EQ(must(RunReader::open(folder_))->status().state, RunState::kFailed);
}

TEST_F(RunRoundTrip, AFullQueueDropsTracesWholeAndSaysSo) {
    RunWriterOptions options;
    options.queue_units = 2;
    options.flush_seconds = 0.05;
    auto writer = create(folder_, options);
    std::int64_t handed = 0;
    for (std::int64_t step = 1; step <= 400; ++step) {
        must(writer->scalars(step, {{"train/loss", 1.0}}));
        must(writer->trace(step, trace(step)));
        handed += 2;
    }
    must(writer->finish(true, ""));
    const WriterCounters counters = writer->counters();
    EXPECT_EQ(counters.trace_units_written + counters.trace_units_dropped, handed);
    ASSERT_GT(counters.trace_units_dropped, 0) << "the queue never filled";
    const auto reader = must(RunReader::open(folder_));
    EXPECT_EQ(must(reader->scalars("train/loss")).points, 400);  // never dropped
    EXPECT_EQ(static_cast<std::int64_t>(reader->tracedSteps().size()) * 2, counters.trace_units_written);
    EXPECT_EQ(must(reader->trace({RouterId(1), 0, -1, {}, -1})).tokens, counters.trace_units_written / 2 * 100);
    EXPECT_TRUE(test::anyContains(reader->status().warnings, "was not recorded"));
    const auto events = reader->events();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const Event& event) { return event.kind == "trace_gap"; }));
    std::int64_t gapUnits = 0;
    JournalPosition position;
    must(readJournal(folder_ / "journal" / journalFileName({0, 0}), position, [&](std::string_view payload) {
        const auto record = decodeRecord(payload);
        if (const auto* gap = record ? std::get_if<TraceGap>(&*record) : nullptr) gapUnits += static_cast<std::int64_t>(gap->units);
        return true;
    }));
    EXPECT_EQ(gapUnits, counters.trace_units_dropped);
}

TEST_F(RunRoundTrip, SegmentsCloseBySize) {
    RunWriterOptions options;
    options.segment_bytes = 2000;
    auto writer = create(folder_, options);
    for (std::int64_t step = 1; step <= 20; ++step) writeStep(*writer, step);
    must(writer->flush());
    const auto reader = must(RunReader::open(folder_));
    EXPECT_EQ(must(reader->trace({RouterId(0), 0, -1, {}, -1})).tokens, 400);
    std::size_t segments = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / "routing")) segments += entry.path().filename().string().starts_with("trace-");
    EXPECT_GT(segments, 1u);
}

TEST_F(RunRoundTrip, BadTracesAreToldAtTheNextCall) {
    auto writer = create(folder_);
    auto units = trace(1);
    units[1].expert_ids.pop_back();
    must(writer->trace(1, units));
    const auto told = writer->flush();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().kind, ErrorKind::kWrongCall);
    must(writer->flush());
    must(writer->finish(true, ""));
    EXPECT_TRUE(must(RunReader::open(folder_))->tracedSteps().empty());
}

TEST_F(RunRoundTrip, RunsAreListedNewestFirst) {
    for (int i = 0; i < 3; ++i) {
        config::RunConfig config;
        config.run.name = "run " + std::to_string(i);
        config.run.seed = i;
        config.model.ffn = i == 0 ? "dense" : "moe";
        Provenance provenance;
        provenance.created_s = 100 + i;
        auto writer = must(RunWriter::create(scratch_ / "runs" / std::to_string(i), config, provenance, {}));
        must(writer->scalars(7, {{"eval/loss/total", 3.0 + i}}));
        must(writer->scalars(9 + i, {{"train/loss", 1.0}}));
        if (i == 2) must(writer->finish(true, ""));
    }
    fs::create_directories(scratch_ / "runs" / "not a run");
    fs::create_directory_symlink(scratch_ / "runs", scratch_ / "runs" / "loop");
    auto runs = must(listRuns(scratch_ / "runs"));
    ASSERT_EQ(runs.size(), 3u);
    EXPECT_EQ(runs[0].name, "run 2");
    EXPECT_EQ(runs[0].state, RunState::kFinished);
    EXPECT_EQ(runs[0].step, 11);
    EXPECT_EQ(runs[0].validation_loss, 5.0);
    EXPECT_EQ(runs[2].ffn, "dense");
    EXPECT_EQ(runs[2].state, RunState::kInterrupted);
    EXPECT_EQ(runs[1].seed, 1);
    EXPECT_EQ(runs[1].group_hash.size(), 16u);
    // Again, after one went on: superseded values are gone.
    {
        auto writer = must(RunWriter::resume(runs[1].folder, 5, {}));
        must(writer->scalars(6, {{"train/loss", 1.0}}));
        must(writer->flush());
        runs = must(listRuns(scratch_ / "runs"));
        EXPECT_EQ(runs[1].state, RunState::kTraining);
    }
    EXPECT_EQ(runs[1].step, 6);
    EXPECT_TRUE(std::isnan(runs[1].validation_loss));
    EXPECT_EQ(must(listRuns(runs[0].folder)).size(), 1u);
    // An unreadable configuration is told, and no default stands in for what it would say.
    std::ofstream(runs[2].folder / kConfigFile, std::ios::app) << "\n[nonsense]\nx = 1\n";
    runs = must(listRuns(scratch_ / "runs"));
    EXPECT_TRUE(runs[0].warning.empty());
    EXPECT_THAT(runs[2].warning, testing::HasSubstr("nonsense"));
    EXPECT_TRUE(runs[2].problem.empty());
    EXPECT_EQ(runs[2].ffn, "");
    EXPECT_EQ(runs[2].name, "0");
    EXPECT_FALSE(listRuns(scratch_ / "nowhere"));
}

}  // namespace
}  // namespace es::store
