// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/annotations.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <thread>

#include "support/scratch_folder.h"

namespace es::store {
namespace {

KeptResult example(std::int64_t checkpoint = 300) {
    KeptResult result;
    result.purpose = "panel";
    result.checkpoint = checkpoint;
    result.interventions = {"ban 1.v:3,5@patch 7", "force 2.t:0"};
    result.sample = 0xFEDCBA9876543210u;
    result.masked_words = {1, 4};
    result.masked_patches = {0, 7};
    result.set = "ünïcode \"set\"";
    result.run_uuid = "a-b-c";
    result.program_version = "0.1.0";
    result.created_s = 1.25e9;
    result.rows = {{0xFEDCBA9876543210u, Objective::kPairText, -3, 2, 1.5, std::numeric_limits<double>::infinity()},
                   {7, Objective::kMatching, 1, 1, 0.1, 0.25}};
    EffectRouter router;
    router.router = {RouterId(2), LayerIndex(1), Branch::kVision, "softmax_topk", 8, 2, RoutingLayout::kRagged};
    router.tokens = 36;
    router.rerouted = 2;
    router.rows = {3, 14};
    result.routers = {router};
    result.words = {{1, "goat \xF0\x9F\x90\x90", "sheep", 0.61, -1}};
    result.picture_file = "/home/a/\xC3\xBC.png";
    result.names = {{7, "animals", "a goat"}, {0xFEDCBA9876543210u, "", "ein Bär"}};
    return result;
}

void run(const std::filesystem::path& file, const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
}

class AnnotationsFile : public ::testing::Test {
protected:
    test::ScratchFolder folder_;
    Annotations annotations_{folder_.path()};
};

TEST_F(AnnotationsFile, ReadingMakesNoFileAndFindsNothing) {
    EXPECT_EQ(annotations_.file(), folder_ / kAnnotationsFile);
    EXPECT_TRUE(annotations_.namedSets()->empty());
    EXPECT_TRUE(annotations_.results()->empty());
    EXPECT_TRUE(annotations_.similarities(1)->empty());
    EXPECT_TRUE(annotations_.removeResult(3));
    EXPECT_FALSE(std::filesystem::exists(annotations_.file()));
}

TEST_F(AnnotationsFile, AResultComesBackAsItWas) {
    KeptResult result = example();
    const auto id = annotations_.keepResult(result);
    ASSERT_TRUE(id) << id.error().message();
    result.id = *id;
    KeptResult plain = example(600);
    plain.purpose = "causal";
    plain.sample.reset();
    plain.names.clear();
    plain.id = *annotations_.keepResult(plain);
    EXPECT_GT(plain.id, result.id);
    // Another process reads what this one wrote; names of samples are shared by all results.
    const auto read = Annotations(folder_.path()).results();
    ASSERT_TRUE(read) << read.error().message();
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ(read->front(), result);
    plain.names = result.names;
    EXPECT_EQ(read->back(), plain);
    EXPECT_EQ(annotations_.results("causal")->size(), 1u);
    ASSERT_TRUE(annotations_.removeResult(result.id));
    EXPECT_EQ(annotations_.results()->size(), 1u);
    // What was removed comes back under its number (undo); a new one never gets the number of a removed one.
    ASSERT_EQ(*annotations_.keepResult(result), result.id);
    EXPECT_EQ(annotations_.results()->front(), result);
    ASSERT_TRUE(annotations_.removeResult(plain.id));
    EXPECT_GT(*annotations_.keepResult(example()), plain.id);
}

TEST_F(AnnotationsFile, NamedSetsAreReplacedByName) {
    ASSERT_TRUE(annotations_.keepSet({"blue", "color = blue", 5}));
    ASSERT_TRUE(annotations_.keepSet({"a'b\"c", "x", 6}));
    ASSERT_TRUE(annotations_.keepSet({"blue", "color = blue and word = car", 7}));
    EXPECT_EQ(*annotations_.namedSets(), (std::vector<NamedSet>{{"a'b\"c", "x", 6}, {"blue", "color = blue and word = car", 7}}));
    ASSERT_TRUE(annotations_.removeSet("a'b\"c"));
    ASSERT_TRUE(annotations_.removeSet("never there"));
    EXPECT_EQ(annotations_.namedSets()->size(), 1u);
    const auto nameless = annotations_.keepSet({"", "x", 1});
    ASSERT_FALSE(nameless);
    EXPECT_EQ(nameless.error().kind, ErrorKind::kWrongCall);
}

TEST_F(AnnotationsFile, SimilaritiesKeepTheirNumbersToTheBit) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    ExpertSimilarity weights{600, RouterId(1), "weights", 2, 0, {1, -0.25, -0.25, 1}, "0.1.0", "a", 9};
    const ExpertSimilarity outputs{600, RouterId(0), "outputs", 2, 128, {1, nan, nan, 1}, "0.1.0", "a", 9};
    ASSERT_TRUE(annotations_.keepSimilarities({weights, outputs}));
    weights.values_EE[1] = weights.values_EE[2] = 1.0 / 3;
    ASSERT_TRUE(annotations_.keepSimilarities({weights}));
    const auto read = annotations_.similarities(600);
    ASSERT_TRUE(read) << read.error().message();
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ(read->at(0).measure, "outputs");
    EXPECT_TRUE(std::isnan(read->at(0).values_EE[1]));
    EXPECT_EQ(read->at(0).tokens, 128);
    EXPECT_EQ(read->at(1).values_EE, weights.values_EE);
    EXPECT_EQ(*annotations_.similaritySteps(), std::vector<std::int64_t>{600});
    EXPECT_TRUE(annotations_.similarities(300)->empty());
}

TEST_F(AnnotationsFile, ProcessesWriteAtTheSameTimeAndNothingIsLost) {
    constexpr int kEach = 25;
    std::vector<pid_t> children;
    for (int child = 0; child < 3; ++child) {
        const pid_t id = ::fork();
        if (id == 0) {
            bool good = true;
            for (int i = 0; i < kEach && good; ++i) {
                const auto kept = Annotations(folder_.path()).keepResult(example(child * 1000 + i));
                good = kept.has_value();
                if (!good) std::fprintf(stderr, "%s\n", kept.error().message().c_str());
            }
            ::_exit(good ? 0 : 1);
        }
        children.push_back(id);
    }
    for (const pid_t id : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(id, &status, 0), id);
        EXPECT_EQ(status, 0) << "a process could not write";
    }
    EXPECT_EQ(annotations_.results()->size(), 3u * kEach);
}

TEST_F(AnnotationsFile, ThreadsThatKeepSomethingFirstAllSucceed) {
    // The tables are made by whoever comes first; nobody may see them half made.
    for (int round = 0; round < 20; ++round) {
        const auto run = folder_ / std::to_string(round);
        std::filesystem::create_directories(run);
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([run, t] {
                const Status kept = Annotations(run).keepSet({std::to_string(t), "x", 1});
                EXPECT_TRUE(kept) << kept.error().message();
            });
        threads.clear();
        EXPECT_EQ(Annotations(run).namedSets()->size(), 4u);
    }
}

TEST_F(AnnotationsFile, ADamagedFileIsNamedAndNotTouched) {
    std::ofstream(annotations_.file()) << "this is no database, whatever its name says, and it is long enough to be looked at";
    for (const Error& error : {annotations_.results().error(), annotations_.keepResult(example()).error(), annotations_.keepSet({"a", "b", 1}).error()}) {
        EXPECT_EQ(error.kind, ErrorKind::kBadInput);
        EXPECT_NE(error.remedy.find("nothing else of the run is lost"), std::string::npos) << error.message();
        EXPECT_EQ(error.path, annotations_.file().string());
    }
    std::string text;
    std::getline(std::ifstream(annotations_.file()), text);
    EXPECT_EQ(text.rfind("this is no database", 0), 0u);
}

TEST_F(AnnotationsFile, ADamagedRowCostsItselfAlone) {
    const std::int64_t whole = *annotations_.keepResult(example(1)), damaged = *annotations_.keepResult(example(2));
    const std::string where = " WHERE id = " + std::to_string(damaged);
    for (const char* damage :
         {"effects = x'0011'", "effects = zeroblob(38)", "interventions = '{]'", "interventions = '[1,2]'", "interventions = '[]', sample = 'zzz'"}) {
        ASSERT_TRUE(annotations_.removeResult(damaged));
        KeptResult again = example(2);
        again.id = damaged;
        ASSERT_TRUE(annotations_.keepResult(again));
        EXPECT_TRUE(annotations_.kept()->unreadable.empty());
        run(annotations_.file(), ("UPDATE results SET " + std::string(damage) + where).c_str());
        const auto read = annotations_.kept();
        ASSERT_TRUE(read) << damage;
        EXPECT_EQ(read->unreadable, std::vector<std::int64_t>{damaged}) << damage;
        ASSERT_EQ(read->results.size(), 1u) << damage;
        EXPECT_EQ(read->results.front().id, whole);
    }
    EXPECT_TRUE(*annotations_.removeResult(damaged)) << "what cannot be read can be removed";
    EXPECT_FALSE(*annotations_.removeResult(damaged));
    EXPECT_TRUE(annotations_.kept()->unreadable.empty());
    ASSERT_TRUE(annotations_.keepSimilarities({{600, RouterId(1), "weights", 2, 0, {1, 0, 0, 1}, "", "", 9}}));
    run(annotations_.file(), "UPDATE similarities SET experts = 3");
    EXPECT_FALSE(annotations_.similarities(600));
}

TEST_F(AnnotationsFile, AWordWithoutProbabilityComesBack) {
    KeptResult result = example();
    result.words = {{1, "goat", "sheep", std::numeric_limits<double>::quiet_NaN(), 0.5}};
    ASSERT_TRUE(annotations_.keepResult(result));
    const auto read = annotations_.kept();
    ASSERT_EQ(read->results.size(), 1u);
    EXPECT_TRUE(std::isnan(read->results.front().words.front().before_p));
    EXPECT_EQ(read->results.front().words.front().after_p, 0.5);
}

TEST_F(AnnotationsFile, WhatIsKeptIsOfOnePurposeAndOneTraining) {
    KeptResult other = example();
    other.purpose = "causal";
    other.run_uuid = "d-e-f";
    ASSERT_TRUE(annotations_.keepResult(example()));
    ASSERT_TRUE(annotations_.keepResult(other));
    EXPECT_EQ(annotations_.kept()->results.size(), 2u);
    EXPECT_EQ(annotations_.kept({"causal", "", ""})->results.size(), 1u);
    EXPECT_EQ(annotations_.kept({"", "causal", ""})->results.front().purpose, "panel");
    EXPECT_EQ(annotations_.kept({"", "", "d-e-f"})->results.front().purpose, "causal");
    EXPECT_TRUE(annotations_.kept({"panel", "", "d-e-f"})->results.empty());
    ASSERT_TRUE(annotations_.keepSimilarities({{600, RouterId(1), "weights", 1, 0, {1}, "", "a", 9}, {300, RouterId(1), "weights", 1, 0, {1}, "", "", 9}}));
    EXPECT_EQ(annotations_.similarities(600, "a")->size(), 1u);
    EXPECT_TRUE(annotations_.similarities(600, "b")->empty());
    EXPECT_EQ(annotations_.similarities(300, "b")->size(), 1u) << "of an older file, which does not say";
    EXPECT_EQ(*annotations_.similaritySteps("b"), std::vector<std::int64_t>{300});
}

TEST_F(AnnotationsFile, OneOfTheFirstVersionIsReadAndBroughtUpToDate) {
    ASSERT_TRUE(annotations_.keepResult(example()));
    ASSERT_TRUE(annotations_.keepSimilarities({{600, RouterId(1), "weights", 1, 0, {1}, "", "a", 9}}));
    run(annotations_.file(), "ALTER TABLE results DROP COLUMN picture; ALTER TABLE similarities DROP COLUMN run_uuid; PRAGMA user_version = 1");
    EXPECT_EQ(annotations_.kept()->results.front().picture_file, "");
    EXPECT_EQ(annotations_.similarities(600, "b")->size(), 1u);
    EXPECT_EQ(annotations_.similaritySteps("b")->size(), 1u);
    ASSERT_TRUE(annotations_.keepResult(example(2)));
    EXPECT_EQ(annotations_.kept()->results.back().picture_file, example().picture_file);
    EXPECT_EQ(annotations_.similarities(600)->front().run_uuid, "");
}

TEST_F(AnnotationsFile, ANewerVersionAndAnotherProgramsFileAreRefused) {
    ASSERT_TRUE(annotations_.keepSet({"a", "b", 1}));
    run(annotations_.file(), "PRAGMA user_version = 99");
    const auto newer = annotations_.namedSets();
    ASSERT_FALSE(newer);
    EXPECT_NE(newer.error().message().find("version 99"), std::string::npos) << newer.error().message();
    EXPECT_FALSE(annotations_.keepSet({"c", "d", 1}));
    run(annotations_.file(), "PRAGMA user_version = 1; PRAGMA application_id = 5");
    EXPECT_NE(annotations_.namedSets().error().message().find("another program"), std::string::npos);
}

TEST(AnnotationsElsewhere, BeginAsACopyOnceAndLeaveTheRunAsItIs) {
    const test::ScratchFolder folder;
    const auto run = folder / "run", file = folder / "cache" / "deep" / "a.sqlite";
    std::filesystem::create_directories(run);
    ASSERT_TRUE(Annotations(run).keepSet({"shipped", "x", 1}));
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t)
        threads.emplace_back([run, file, t] {
            EXPECT_TRUE(Annotations(run, file).keepSet({"mine " + std::to_string(t), "y", 2}));
            EXPECT_TRUE(Annotations(run, file).namedSets());
        });
    threads.clear();
    EXPECT_EQ(Annotations(run, file).namedSets()->size(), 7u) << "nobody's copy replaced what another had kept";
    EXPECT_EQ(Annotations(run).namedSets()->size(), 1u) << "the run itself was not changed";
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(file.parent_path()), {}), 1) << "parts are left behind";
}

TEST(AnnotationsElsewhere, AnUncommittedChangeOfTheOwnerIsNotCopied) {
    const test::ScratchFolder folder;
    const auto run = folder / "run", file = folder / "a.sqlite";
    std::filesystem::create_directories(run);
    ASSERT_TRUE(Annotations(run).keepSet({"shipped", "x", 1}));
    sqlite3* owner = nullptr;
    ASSERT_EQ(sqlite3_open(Annotations(run).file().c_str(), &owner), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(owner, "BEGIN IMMEDIATE; INSERT INTO named_sets VALUES('half', 'x', 1)", nullptr, nullptr, nullptr), SQLITE_OK);
    const auto read = Annotations(run, file).namedSets();
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->size(), 1u);
    sqlite3_close(owner);
}

TEST(AnnotationsElsewhere, ARunThatCannotBeWrittenIsAnnotatedInTheCache) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
    const test::ScratchFolder folder;
    const auto run = folder / "run";
    std::filesystem::create_directories(run);
    std::filesystem::permissions(run, std::filesystem::perms::owner_write, std::filesystem::perm_options::remove);
    EXPECT_NE(Annotations(run).file().parent_path(), run);
    std::filesystem::permissions(run, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    EXPECT_EQ(Annotations(run).file().parent_path(), run);
}

}  // namespace
}  // namespace es::store
