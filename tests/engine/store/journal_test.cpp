// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/journal.h"

#include <fstream>

#include "engine/base/files.h"
#include "engine/store/journal_records.h"
#include "store_fixture.h"

namespace es::store {
namespace {

using test::must;
namespace fs = std::filesystem;

template <class T>
T there(const Record& record) {
    const auto back = decodeRecord(encodeRecord(record));
    EXPECT_TRUE(back.has_value());
    return std::get<T>(*back);
}

TEST(JournalRecords, EachComesBackAsItWas) {
    const auto header = there<AttemptHeader>(AttemptHeader{1, 2, 1, 101, 3, 1.5e9, "uuid", "0.1"});
    EXPECT_EQ(header.format_version, 1u);
    EXPECT_EQ(header.attempt, 2u);
    EXPECT_EQ(header.parent, 1);
    EXPECT_EQ(header.start_step, 101);
    EXPECT_EQ(header.rank, 3u);
    EXPECT_EQ(header.time_s, 1.5e9);
    EXPECT_EQ(header.run_uuid, "uuid");
    EXPECT_EQ(header.program_version, "0.1");

    const RouterTable routers{test::routerInfo(0), test::routerInfo(1, 64, 0, RoutingLayout::kDenseMass)};
    EXPECT_EQ(there<RouterTable>(routers), routers);

    const auto series = there<SeriesDefinition>(SeriesDefinition{7, "train/loss/ä"});
    EXPECT_EQ(series.id, 7u);
    EXPECT_EQ(series.name, "train/loss/ä");

    const auto row = there<ScalarRow>(ScalarRow{-5, 2.5, {{0, 1.25}, {9, -std::numeric_limits<double>::infinity()}}});
    EXPECT_EQ(row.step, -5);
    EXPECT_EQ(row.time_s, 2.5);
    EXPECT_EQ(row.values, (std::vector<std::pair<std::uint32_t, double>>{{0, 1.25}, {9, -std::numeric_limits<double>::infinity()}}));

    test::expectSameLoad(there<LoadRecord>(test::loadRecord(4, 1)), test::loadRecord(4, 1));

    const auto event = there<Event>(Event{3, 4.5, Severity::kError, "non_finite", "Layer 2 overflowed."});
    EXPECT_EQ(event.step, 3);
    EXPECT_EQ(event.time_s, 4.5);
    EXPECT_EQ(event.severity, Severity::kError);
    EXPECT_EQ(event.kind, "non_finite");
    EXPECT_EQ(event.message, "Layer 2 overflowed.");

    const auto checkpoint = there<CheckpointInfo>(CheckpointInfo{600, 2, 5.5, "checkpoints/step-000000600", false});
    EXPECT_EQ(checkpoint.step, 600);
    EXPECT_EQ(checkpoint.attempt, 2u);
    EXPECT_EQ(checkpoint.validation_loss, 5.5);
    EXPECT_EQ(checkpoint.folder, "checkpoints/step-000000600");
    EXPECT_FALSE(checkpoint.present);

    const auto segment = there<SegmentNotice>(SegmentNotice{"routing/x.h5", true, 1, 9, 12});
    EXPECT_EQ(segment.file, "routing/x.h5");
    EXPECT_TRUE(segment.closed);
    EXPECT_EQ(segment.first_step, 1);
    EXPECT_EQ(segment.last_step, 9);
    EXPECT_EQ(segment.units, 12u);

    const auto probe = there<ProbeNotice>(ProbeNotice{{100, "random-router-3"}, "routing/p.h5"});
    EXPECT_EQ(probe.key, (ProbeKey{100, "random-router-3"}));
    EXPECT_EQ(probe.file, "routing/p.h5");

    const auto evaluation = there<EvaluationNotice>(EvaluationNotice{100, Split::kTest, "eval/e.h5", 44});
    EXPECT_EQ(evaluation.step, 100);
    EXPECT_EQ(evaluation.split, Split::kTest);
    EXPECT_EQ(evaluation.file, "eval/e.h5");
    EXPECT_EQ(evaluation.rows, 44u);

    const auto samples = there<SampleNotice>(SampleNotice{"samples.h5", 99});
    EXPECT_EQ(samples.file, "samples.h5");
    EXPECT_EQ(samples.count, 99u);

    const auto trace = there<TraceNotice>(TraceNotice{10, "routing/t.h5", 4, 5000});
    EXPECT_EQ(trace.step, 10);
    EXPECT_EQ(trace.file, "routing/t.h5");
    EXPECT_EQ(trace.units, 4u);
    EXPECT_EQ(trace.tokens, 5000u);

    const auto gap = there<TraceGap>(TraceGap{10, 30, 12});
    EXPECT_EQ(gap.first_step, 10);
    EXPECT_EQ(gap.last_step, 30);
    EXPECT_EQ(gap.units, 12u);
}

TEST(JournalRecords, MalformedPayloadsAreRefused) {
    EXPECT_FALSE(decodeRecord(""));
    EXPECT_FALSE(decodeRecord("\xFFxyz"));
    const std::string whole = encodeRecord(test::loadRecord(4, 1));
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decodeRecord(whole.substr(0, size))) << size;
    // Later versions may add fields at the end.
    EXPECT_TRUE(decodeRecord(whole + "more"));
    // A count that asks for more than there is must not be believed.
    std::string claims = encodeRecord(ScalarRow{1, 2, {{1, 2}}});
    claims[17] = claims[18] = claims[19] = claims[20] = '\xFF';
    EXPECT_FALSE(decodeRecord(claims));
}

class Journal : public ::testing::Test {
protected:
    void SetUp() override {
        auto writer = must(JournalWriter::create(path_));
        for (int i = 0; i < 50; ++i) {
            payloads_.push_back("payload " + std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x'));
            writer.append(payloads_.back());
        }
        must(writer.write());
        bytes_ = must(readFile(path_));
        EXPECT_EQ(writer.bytesWritten(), bytes_.size());
    }
    void put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }
    std::pair<std::vector<std::string>, JournalProblems> readAll(JournalPosition& position) const {
        std::vector<std::string> found;
        const auto problems = must(readJournal(path_, position, [&](std::string_view payload) {
            found.emplace_back(payload);
            return true;
        }));
        return {found, problems};
    }

    test::ScratchFolder scratch_;
    fs::path path_ = scratch_ / "a.log";
    std::vector<std::string> payloads_;
    std::string bytes_;
};

TEST_F(Journal, ReadsBackInOrder) {
    JournalPosition position;
    const auto [found, problems] = readAll(position);
    EXPECT_EQ(found, payloads_);
    EXPECT_FALSE(problems.damaged());
    EXPECT_EQ(problems.unread_tail, 0u);
    EXPECT_EQ(position.offset, bytes_.size());
    EXPECT_EQ(position.next_sequence, 50u);
}

TEST_F(Journal, IsNotOverwritten) { EXPECT_FALSE(JournalWriter::create(path_)); }

TEST_F(Journal, CutAnywhereGivesAPrefixAndGoesOnLater) {
    for (std::size_t size = 0; size < bytes_.size(); size += 29) {
        put(bytes_.substr(0, size));
        JournalPosition position;
        auto [found, problems] = readAll(position);
        EXPECT_FALSE(problems.damaged()) << size;
        ASSERT_LE(found.size(), payloads_.size());
        EXPECT_TRUE(std::equal(found.begin(), found.end(), payloads_.begin()));
        put(bytes_);
        const auto [rest, more] = readAll(position);
        found.insert(found.end(), rest.begin(), rest.end());
        EXPECT_EQ(found, payloads_) << size;
        EXPECT_FALSE(more.damaged());
    }
}

TEST_F(Journal, DamageInTheMiddleCostsOneFrameAndIsReported) {
    for (std::size_t at = 0; at < bytes_.size() - 80; at += 31) {
        std::string damaged = bytes_;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x5A);
        put(damaged);
        JournalPosition position;
        const auto [found, problems] = readAll(position);
        EXPECT_EQ(found.size(), payloads_.size() - 1) << at;
        EXPECT_GT(problems.damaged_bytes, 0u) << at;
        EXPECT_LE(problems.damaged_at, at);
        EXPECT_EQ(problems.missing_frames, 1u) << at;
    }
}

TEST_F(Journal, DamageAtTheEndWaits) {
    std::string damaged = bytes_;
    damaged[bytes_.size() - 3] ^= 1;
    put(damaged);
    JournalPosition position;
    const auto [found, problems] = readAll(position);
    EXPECT_EQ(found.size(), payloads_.size() - 1);
    EXPECT_FALSE(problems.damaged());
    EXPECT_GT(problems.unread_tail, 0u);
}

TEST_F(Journal, AnythingAtAllIsSurvived) {
    RandomStream random(11, RandomPurpose::kSynthetic);
    for (int round = 0; round < 100; ++round) {
        std::string wild = bytes_;
        const std::uint32_t flips = 1 + random.below(40);
        for (std::uint32_t i = 0; i < flips; ++i) wild[random.below(static_cast<std::uint32_t>(wild.size()))] = static_cast<char>(random.nextU32());
        if (random.below(4) == 0) wild.resize(random.below(static_cast<std::uint32_t>(wild.size())));
        put(wild);
        JournalPosition position;
        const auto [found, problems] = readAll(position);
        for (const std::string& payload : found) EXPECT_NE(std::find(payloads_.begin(), payloads_.end(), payload), payloads_.end());
        EXPECT_EQ(position.offset + problems.unread_tail, wild.size());
    }
    std::string noise;
    for (int i = 0; i < 20000; ++i) noise += static_cast<char>(random.nextU32());
    put(noise);
    JournalPosition position;
    EXPECT_TRUE(readAll(position).first.empty());
}

TEST_F(Journal, StopsWhenAsked) {
    JournalPosition position;
    int count = 0;
    must(readJournal(path_, position, [&](std::string_view) { return ++count < 3; }));
    EXPECT_EQ(count, 3);
    const auto [rest, problems] = readAll(position);
    EXPECT_EQ(rest.size(), payloads_.size() - 3);
    EXPECT_FALSE(problems.damaged());
}

}  // namespace
}  // namespace es::store
