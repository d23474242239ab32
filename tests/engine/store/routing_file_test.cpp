// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/routing_file.h"

#include <deque>
#include <fstream>

#include "engine/base/files.h"
#include "engine/store/evaluation_file.h"
#include "engine/store/routing_rows.h"
#include "engine/store/routing_tables.h"
#include "engine/store/routing_view.h"
#include "engine/store/sample_file.h"
#include "store_fixture.h"

namespace es::store {
namespace {

using test::must;
using test::randomTable;
using test::routerInfo;

std::vector<RouterInfo> allLayouts() {
    return {routerInfo(0, 8, 2), routerInfo(1, 5, 0, RoutingLayout::kRagged), routerInfo(2, 6, 0, RoutingLayout::kDenseMass), routerInfo(3, 1, 1),
            routerInfo(4, 300, 4)};
}

class RoutingFile : public ::testing::Test {
protected:
    void SetUp() override {
        auto writer = must(RoutingFileWriter::create(path_, {"uuid", 1, 2, 700, "trained"}, allLayouts(), false));
        for (std::int64_t step = 0; step < 3; ++step)
            for (const RouterInfo& router : allLayouts()) {
                tables_.push_back(randomTable(router, step, 123 + step, 5));
                must(writer->append(tables_.back()));
            }
        must(writer->close());
    }
    test::ScratchFolder scratch_;
    std::filesystem::path path_ = scratch_ / "ä routing.h5";
    std::vector<RoutingTable> tables_;
    std::deque<std::string> unitFieldNames_;
};

TEST_F(RoutingFile, EveryLayoutComesBack) {
    const auto reader = must(RoutingFileReader::open(path_, false));
    EXPECT_EQ(reader->routers(), allLayouts());
    EXPECT_EQ(reader->info().run_uuid, "uuid");
    EXPECT_EQ(reader->info().attempt, 1);
    EXPECT_EQ(reader->info().rank, 2);
    EXPECT_EQ(reader->info().step, 700);
    EXPECT_EQ(reader->info().variant, "trained");
    ASSERT_EQ(reader->units().size(), tables_.size());
    for (std::size_t i = 0; i < tables_.size(); ++i) test::expectSameTable(tables_[i], must(reader->read(reader->units()[i])));
}

TEST_F(RoutingFile, UnitsOfOneStepShareEqualTokenTables) {
    const auto path = scratch_ / "shared.h5";
    auto writer = must(RoutingFileWriter::create(path, {}, test::twoRouters(), false));
    RoutingTable first = randomTable(routerInfo(0), 1, 100, 1), second = randomTable(routerInfo(1), 1, 100, 2);
    second.token_id_T = first.token_id_T;
    second.masked_T = first.masked_T;
    must(writer->append(first));
    must(writer->append(second));
    second.masked_T[0] ^= 1;
    must(writer->append(second));
    must(writer->close());
    const auto reader = must(RoutingFileReader::open(path, false));
    EXPECT_EQ(reader->units()[0].table, reader->units()[1].table);
    EXPECT_NE(reader->units()[1].table, reader->units()[2].table);
    test::expectSameTable(second, must(reader->read(reader->units()[2])));
}

TEST_F(RoutingFile, OptionalColumnsMayBeMissing) {
    const auto path = scratch_ / "plain.h5";
    RoutingTable table = randomTable(routerInfo(0), 1, 100, 1, false);
    table.gates.clear();
    table.kept.clear();
    table.place.clear();
    table.slots_T.clear();
    table.entropy_nats_T.clear();
    table.boundary_margin_T.clear();
    table.token_id_T.clear();
    table.masked_T.clear();
    RoutingTable empty = randomTable(routerInfo(1, 8, 0, RoutingLayout::kRagged), 1, 0, 1, false);
    auto writer = must(RoutingFileWriter::create(path, {}, std::vector<RouterInfo>{routerInfo(0), empty.router}, false));
    must(writer->append(table));
    must(writer->append(empty));
    must(writer->close());
    const auto reader = must(RoutingFileReader::open(path, false));
    const RoutingTable back = must(reader->read(reader->units()[0]));
    EXPECT_EQ(back.expert_ids, table.expert_ids);
    EXPECT_TRUE(back.gates.empty() && back.kept.empty() && back.entropy_nats_T.empty() && back.probs_TE.empty());
    EXPECT_EQ(back.token_id_T, std::vector<std::int32_t>(100, -1));
    EXPECT_EQ(back.masked_T, std::vector<std::uint8_t>(100, 0));
    EXPECT_EQ(must(reader->read(reader->units()[1])).tokens, 0);
}

TEST_F(RoutingFile, WrongColumnsAreRefusedAndLeaveTheFileWhole) {
    auto writer = must(RoutingFileWriter::create(scratch_ / "refused.h5", {}, test::twoRouters(), false));
    const RoutingTable good = randomTable(routerInfo(0), 1, 10, 1);
    const auto refused = [&](auto spoil) {
        RoutingTable bad = good;
        spoil(bad);
        EXPECT_FALSE(writer->append(bad));
    };
    refused([](RoutingTable& t) { t.expert_ids.pop_back(); });
    refused([](RoutingTable& t) { t.expert_ids[3] = 8; });
    refused([](RoutingTable& t) { t.gates.pop_back(); });
    refused([](RoutingTable& t) { t.kept.pop_back(); });
    refused([](RoutingTable& t) { t.sample_T.pop_back(); });
    refused([](RoutingTable& t) { t.probs_TE.pop_back(); });
    refused([](RoutingTable& t) { t.router.k = 0; });
    refused([](RoutingTable& t) { t.router.layout = RoutingLayout::kRagged; });
    must(writer->append(good));
    must(writer->close());
    const auto reader = must(RoutingFileReader::open(scratch_ / "refused.h5", false));
    ASSERT_EQ(reader->units().size(), 1u);
    test::expectSameTable(good, must(reader->read(reader->units()[0])));
}

TEST_F(RoutingFile, GrowsWhileItIsRead) {
    const auto path = scratch_ / "live.h5";
    auto writer = must(RoutingFileWriter::create(path, {}, test::twoRouters(), true));
    for (std::int64_t step = 0; step < 5; ++step) {
        must(writer->append(randomTable(routerInfo(0), step, 200, 9)));
        must(writer->flush());
        const auto reader = must(RoutingFileReader::open(path, true));
        ASSERT_EQ(reader->units().size(), static_cast<std::size_t>(step + 1));
        test::expectSameTable(randomTable(routerInfo(0), step, 200, 9), must(reader->read(reader->units().back())));
    }
    must(writer->close());
    EXPECT_TRUE(RoutingFileReader::open(path, false));
}

TEST_F(RoutingFile, FilesFromBeforePlacesWereRecordedAreRead) {
    {
        // Rows of units as they were: every field but those of places and slots.
        const H5File file(H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT));
        ASSERT_TRUE(file.valid());
        const H5Type now = unitType();
        std::vector<Field> fields;
        for (int i = 0; i < H5Tget_nmembers(now.get()); ++i) {
            char* name = H5Tget_member_name(now.get(), static_cast<unsigned>(i));
            const std::string text = name;
            H5free_memory(name);
            if (text.starts_with("place") || text.starts_with("slots")) continue;
            fields.push_back({unitFieldNames_.emplace_back(text).c_str(), H5Tget_member_offset(now.get(), static_cast<unsigned>(i)),
                              H5Tget_member_type(now.get(), static_cast<unsigned>(i))});
        }
        ASSERT_EQ(fields.size(), 16u);
        const H5Type then = compoundType(sizeof(UnitRow), fields);
        std::vector<UnitRow> rows = must(ReadColumn::open(file.get(), "units", path_.string())).readAll<UnitRow>(now.get()).value();
        ASSERT_GE(H5Ldelete(file.get(), "units", H5P_DEFAULT), 0);
        ASSERT_TRUE(writeDataset(file.get(), "units", then.get(), rows.data(), rows.size()));
        for (const Field& field : fields) H5Tclose(field.type);
    }
    const auto reader = must(RoutingFileReader::open(path_, false));
    ASSERT_EQ(reader->units().size(), tables_.size());
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        tables_[i].place.clear();
        tables_[i].slots_T.clear();
        test::expectSameTable(tables_[i], must(reader->read(reader->units()[i])));
    }
}

TEST_F(RoutingFile, SelectingAndJoiningTokens) {
    for (const RouterInfo& router : allLayouts()) {
        const RoutingTable table = randomTable(router, 4, 60, 2);
        std::vector<std::uint8_t> even(60), odd(60);
        for (std::size_t t = 0; t < 60; ++t) (t % 2 == 0 ? even : odd)[t] = 1;
        const RoutingTable evens = selectTokens(table, even);
        ASSERT_EQ(evens.tokens, 30);
        ASSERT_TRUE(checkTable(evens));
        RoutingTable joined = evens;
        appendTokens(joined, selectTokens(table, odd));
        ASSERT_TRUE(checkTable(joined)) << checkTable(joined).error().message();
        ASSERT_EQ(joined.tokens, 60);
        // Token 2 of the evens was token 4; token 31 of the join was token 3.
        std::vector<std::pair<int, float>> original, picked;
        RoutingView(table).forEachAssignmentOf(4, [&](auto, ExpertIndex e, float mass, bool) { original.emplace_back(e.value, mass); });
        RoutingView(table).forEachAssignmentOf(3, [&](auto, ExpertIndex e, float mass, bool) { original.emplace_back(e.value, mass); });
        RoutingView(joined).forEachAssignmentOf(2, [&](auto, ExpertIndex e, float mass, bool) { picked.emplace_back(e.value, mass); });
        RoutingView(joined).forEachAssignmentOf(31, [&](auto, ExpertIndex e, float mass, bool) { picked.emplace_back(e.value, mass); });
        EXPECT_EQ(picked, original);
        if (table.slots_T.empty()) continue;
        EXPECT_EQ(joined.place[RoutingView(joined).firstAssignmentOf(31)], table.place[RoutingView(table).firstAssignmentOf(3)]);
        RoutingTable without = selectTokens(table, odd);
        without.place.clear();
        without.slots_T.clear();
        appendTokens(joined, std::move(without));
        EXPECT_TRUE(joined.place.empty() && joined.slots_T.empty());
        EXPECT_TRUE(checkTable(joined)) << checkTable(joined).error().message();
    }
}

TEST_F(RoutingFile, FirstChoice) {
    RoutingTable table;
    table.router = routerInfo(0, 4, 0, RoutingLayout::kDenseMass);
    table.tokens = 2;
    table.gates = {0.1f, 0.4f, 0.4f, 0.1f, 0, 0, 0, 0};
    EXPECT_EQ(RoutingView(table).firstChoice(0), ExpertIndex(1));
    EXPECT_FALSE(RoutingView(table).firstChoice(1).valid());
}

/// Reads all that a damaged file gives. Whatever comes must be consistent.
void readEverything(const std::filesystem::path& path) {
    for (const bool live : {false, true}) {
        const auto reader = RoutingFileReader::open(path, live);
        if (!reader) continue;
        for (const UnitRow& unit : (*reader)->units())
            if (const auto table = (*reader)->read(unit)) {
                EXPECT_TRUE(checkTable(*table));
            }
    }
}

template <class Read>
void fuzz(const std::filesystem::path& good, const std::filesystem::path& path, std::uint64_t seed, Read read) {
    const std::string bytes = must(readFile(good));
    RandomStream random(seed, RandomPurpose::kSynthetic);
    for (int round = 0; round < 100; ++round) {
        std::string wild = bytes;
        const std::uint32_t flips = 1 + random.below(12);
        for (std::uint32_t i = 0; i < flips; ++i) {
            // Most of a small file is data; its metadata, at the start, deserve as much attention.
            const std::uint32_t reach =
                random.below(2) == 0 ? std::min<std::uint32_t>(8192, static_cast<std::uint32_t>(wild.size())) : static_cast<std::uint32_t>(wild.size());
            wild[random.below(reach)] = static_cast<char>(random.nextU32());
        }
        if (round % 10 == 0) wild.resize(random.below(static_cast<std::uint32_t>(wild.size())));
        std::ofstream(path, std::ios::binary | std::ios::trunc) << wild;
        read(path);
    }
}

TEST_F(RoutingFile, DamagedFilesGiveErrorsNotCrashes) { fuzz(path_, scratch_ / "wild.h5", 21, readEverything); }

TEST(SampleFile, DamagedFilesGiveErrorsNotCrashes) {
    test::ScratchFolder scratch;
    auto writer = must(SampleFileWriter::create(scratch / "samples.h5", "uuid"));
    for (std::uint64_t hash = 0; hash < 20; ++hash) writer->append(test::sampleRecord(hash));
    must(writer->close());
    fuzz(scratch / "samples.h5", scratch / "wild.h5", 22, [](const auto& path) {
        const auto reader = SampleFileReader::open(path);
        if (!reader) return;
        (void)(*reader)->list();
        for (std::size_t row = 0; row < std::min<std::size_t>((*reader)->rows().size(), 100); ++row) (void)(*reader)->read(row);
    });
}

TEST(EvaluationFile, ComesBackAndSurvivesDamage) {
    test::ScratchFolder scratch;
    const Evaluation written = test::evaluation(300);
    must(writeEvaluation(scratch / "e.h5", written, "uuid"));
    const Evaluation back = must(readEvaluation(scratch / "e.h5"));
    EXPECT_EQ(back.step, 300);
    EXPECT_EQ(back.split, Split::kValidation);
    ASSERT_EQ(back.rows.size(), written.rows.size());
    for (std::size_t i = 0; i < back.rows.size(); ++i) {
        EXPECT_EQ(back.rows[i].sample, written.rows[i].sample);
        EXPECT_EQ(back.rows[i].objective, written.rows[i].objective);
        EXPECT_EQ(back.rows[i].mask_seed, written.rows[i].mask_seed);
        EXPECT_EQ(back.rows[i].loss, written.rows[i].loss);
        EXPECT_EQ(back.rows[i].trivial_loss, written.rows[i].trivial_loss);
        EXPECT_EQ(back.rows[i].targets, written.rows[i].targets);
        EXPECT_EQ(std::isnan(back.rows[i].accuracy), std::isnan(written.rows[i].accuracy));
        EXPECT_EQ(back.rows[i].variant, written.rows[i].variant);
    }
    must(writeEvaluation(scratch / "empty.h5", {1, Split::kTest, {}}, "uuid"));
    EXPECT_TRUE(must(readEvaluation(scratch / "empty.h5")).rows.empty());
    fuzz(scratch / "e.h5", scratch / "wild.h5", 23, [](const auto& path) { (void)readEvaluation(path); });
}

TEST(RoutingFileErrors, NotHdf5AndMissing) {
    test::ScratchFolder scratch;
    std::ofstream(scratch / "html.h5") << "<html>not found</html>";
    std::ofstream(scratch / "empty.h5").flush();
    for (const char* name : {"html.h5", "empty.h5", "missing.h5"}) {
        const auto reader = RoutingFileReader::open(scratch / name, true);
        ASSERT_FALSE(reader) << name;
        EXPECT_EQ(reader.error().kind, ErrorKind::kBadInput);
        EXPECT_NE(reader.error().path.find(name), std::string::npos);
    }
}

}  // namespace
}  // namespace es::store
