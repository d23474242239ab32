// SPDX-License-Identifier: GPL-3.0-or-later
// What goes wrong around a run: other writers, wrong folders, newer formats, half copies, read-only and full disks.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

class RunDamage : public RunTest {};

TEST_F(RunDamage, ASecondWriterIsRefused) {
    auto writer = create(folder_);
    const auto second = RunWriter::resume(folder_, 0, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(second.error().message().find(std::to_string(getpid())), std::string::npos) << second.error().message();
    const auto again = RunWriter::create(folder_, {}, {}, {});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind, ErrorKind::kBadInput);
    must(writer->finish(true, ""));
    EXPECT_FALSE(RunWriter::create(folder_, {}, {}, {}));  // holds a run now
    EXPECT_TRUE(RunWriter::resume(folder_, 0, {}));
}

TEST_F(RunDamage, OnlyEmptyFoldersBecomeRuns) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "thesis.tex") << "x";
    const auto writer = RunWriter::create(folder_, {}, {}, {});
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().kind, ErrorKind::kBadInput);
    EXPECT_FALSE(fs::exists(folder_ / kConfigFile));
    EXPECT_FALSE(RunWriter::resume(folder_, 0, {}));
    EXPECT_FALSE(RunWriter::resume(scratch_ / "nowhere", 0, {}));
}

TEST_F(RunDamage, WhatIsNoRunIsRefusedWithTheReason) {
    fs::create_directories(folder_);
    std::ofstream(scratch_ / "file") << "x";
    for (const fs::path& path : {folder_, scratch_ / "nowhere", scratch_ / "file"}) {
        const auto reader = RunReader::open(path);
        ASSERT_FALSE(reader) << path;
        EXPECT_EQ(reader.error().kind, ErrorKind::kBadInput);
        EXPECT_FALSE(reader.error().remedy.empty());
        EXPECT_EQ(reader.error().path, path.string());
    }
}

TEST_F(RunDamage, ANewerFormatIsRefused) {
    must(create(folder_)->finish(true, ""));
    fs::remove(folder_ / kIndexFile);
    const fs::path journal = folder_ / "journal" / journalFileName({1, 0});
    {
        auto writer = must(JournalWriter::create(journal));
        writer.append(encodeRecord(AttemptHeader{kFormatVersion + 1, 1, 0, 5, 0, 0, "", ""}));
        must(writer.write());
    }
    const auto reader = RunReader::open(folder_);
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(reader.error().message().find("Update ExpertScope"), std::string::npos);
    EXPECT_FALSE(RunWriter::resume(folder_, 0, {}));
    const auto runs = must(listRuns(scratch_.path()));
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_FALSE(runs[0].problem.empty());
}

TEST_F(RunDamage, HalfCopiedRunsOpenWithWarnings) {
    auto writer = create(folder_);
    must(writer->samples({test::sampleRecord(1000)}));
    for (std::int64_t step = 1; step <= 20; ++step) writeStep(*writer, step);
    must(writer->probe(probe(20, "trained")));
    must(writer->evaluation(test::evaluation(20)));
    must(writer->finish(true, ""));
    const auto copy = [&](const std::string& name) {
        fs::copy(folder_, scratch_ / name, fs::copy_options::recursive);
        return scratch_ / name;
    };
    {
        const auto folder = copy("no routing");
        fs::remove_all(folder / "routing");
        const auto reader = must(RunReader::open(folder));
        EXPECT_TRUE(test::anyContains(reader->status().warnings, "is missing"));
        EXPECT_EQ(must(reader->scalars("train/loss")).points, 20);
        EXPECT_FALSE(reader->probe({20, "trained"}, RouterId(0)));
        EXPECT_FALSE(reader->trace({RouterId(0), 0, -1, {}, -1}));
        EXPECT_EQ(reader->tracedSteps().size(), 4u);
    }
    {
        const auto folder = copy("no toml");
        fs::remove(folder / kConfigFile);
        fs::remove(folder / kProvenanceFile);
        fs::remove(folder / "samples.h5");
        const auto reader = must(RunReader::open(folder));
        EXPECT_EQ(reader->status().warnings.size(), 3u);
        EXPECT_EQ(reader->provenance().run_uuid, must(RunReader::open(folder_))->provenance().run_uuid);
        EXPECT_TRUE(must(reader->sampleList()).empty());
    }
    {
        const auto folder = copy("no journal");
        fs::remove_all(folder / "journal");
        const auto reader = must(RunReader::open(folder));
        EXPECT_EQ(reader->status().state, RunState::kEmpty);
        EXPECT_TRUE(test::anyContains(reader->status().warnings, "no journal"));
    }
    {
        const auto folder = copy("cut");
        const auto journal = folder / "journal" / journalFileName({0, 0});
        fs::resize_file(journal, fs::file_size(journal) / 2);
        const auto reader = must(RunReader::open(folder));
        EXPECT_EQ(reader->status().state, RunState::kInterrupted);
        EXPECT_TRUE(test::anyContains(reader->status().warnings, "middle of a record"));
        const auto points = must(reader->scalars("train/loss")).points;
        EXPECT_GT(points, 5);
        EXPECT_LT(points, 15);
    }
    {
        const auto folder = copy("cut segment");
        fs::resize_file(folder / segmentPath({0, 0}, 0), 3000);
        const auto reader = must(RunReader::open(folder));
        EXPECT_FALSE(reader->trace({RouterId(0), 0, -1, {}, -1}));
        EXPECT_TRUE(test::anyContains(reader->status().warnings, "trace-00"));
        EXPECT_EQ(must(reader->scalars("train/loss")).points, 20);
    }
    {
        const auto folder = copy("damaged");
        {
            std::fstream journal(folder / "journal" / journalFileName({0, 0}), std::ios::in | std::ios::out | std::ios::binary);
            journal.seekp(1500);
            journal << "XXXX";
        }
        {
            const auto reader = must(RunReader::open(folder));
            EXPECT_TRUE(test::anyContains(reader->status().warnings, "damaged bytes"));
        }
        // Said again when opened from the index.
        EXPECT_TRUE(test::anyContains(must(RunReader::open(folder))->status().warnings, "damaged bytes"));
    }
    {
        const auto folder = copy("bad toml");
        std::ofstream(folder / kConfigFile, std::ios::app) << "\n[nonsense]\nx = 1\n";
        EXPECT_TRUE(test::anyContains(must(RunReader::open(folder))->status().warnings, "configuration cannot be read"));
    }
}

TEST_F(RunDamage, AReadOnlyRunOpensWithItsIndexElsewhere) {
    auto writer = create(folder_);
    for (std::int64_t step = 1; step <= 10; ++step) writeStep(*writer, step);
    must(writer->finish(true, ""));
    writer.reset();
    fs::remove(folder_ / kIndexFile);
    fs::create_directories(scratch_ / "cache");
    const auto all = fs::perms::owner_all | fs::perms::group_all | fs::perms::others_all;
    const auto readable =
        fs::perms::owner_read | fs::perms::owner_exec | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec;
    fs::permissions(scratch_ / "cache", all);
    fs::permissions(scratch_.path(), readable);
    for (const auto& entry : fs::recursive_directory_iterator(scratch_ / "Läufe")) fs::permissions(entry, readable);
    fs::permissions(scratch_ / "Läufe", readable);
    for (const bool cacheWritable : {true, false}) {
        if (!cacheWritable) fs::remove_all(scratch_ / "cache" / "expertscope");
        if (!cacheWritable) fs::permissions(scratch_ / "cache", fs::perms::none);
        const pid_t child = fork();
        if (child == 0) {
            // Permissions do not bind root: become somebody else.
            if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(3);
            const auto reader = RunReader::open(folder_);
            if (!reader) _exit(4);
            const auto loss = (*reader)->scalars("train/loss");
            if (!loss || loss->points != 10 || (*reader)->status().state != RunState::kFinished) _exit(5);
            if ((*reader)->trace({RouterId(0), 0, -1, {}, -1})->tokens != 200) _exit(6);
            if (RunWriter::resume(folder_, 1, {})) _exit(7);
            const_cast<std::shared_ptr<RunReader>&>(*reader).reset();
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 0);
        EXPECT_TRUE(!cacheWritable || fs::exists(scratch_ / "cache" / "expertscope" / "index"));
        EXPECT_FALSE(fs::exists(folder_ / kIndexFile));
    }
    fs::permissions(scratch_.path(), all);
    fs::permissions(scratch_ / "cache", all);
    for (const auto& entry : fs::recursive_directory_iterator(scratch_ / "Läufe")) fs::permissions(entry, all);
}

TEST_F(RunDamage, AFullDiskIsToldAndOutlived) {
    const pid_t child = fork();
    if (child == 0) {
        // A limit on the size of files stands in for a full disk.
        signal(SIGXFSZ, SIG_IGN);
        rlimit limit{};
        getrlimit(RLIMIT_FSIZE, &limit);
        RunWriterOptions options;
        options.flush_steps = 20;
        auto writer = RunWriter::create(folder_, {}, {}, test::twoRouters(), options);
        const rlimit small{60000, limit.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
        bool told = false;
        for (std::int64_t step = 1; step <= 400; ++step) {
            if (step == 350) setrlimit(RLIMIT_FSIZE, &limit);
            const Status status = (*writer)->scalars(step, {{"train/loss", static_cast<double>(step)}});
            told = told || !status;
            if (const Status load = (*writer)->load({test::loadRecord(step, 0), test::loadRecord(step, 1)}); !load) told = true;
            if (const Status traced = (*writer)->trace(step, trace(step)); !traced) told = true;
            usleep(200);
        }
        if (!told) _exit(3);
        (void)(*writer)->flush();
        if (!(*writer)->flush()) _exit(4);
        if (!(*writer)->finish(true, "")) _exit(5);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 0);
    const auto reader = must(RunReader::open(folder_));
    const auto loss = must(reader->scalars("train/loss"));
    ASSERT_EQ(loss.points, 400);
    EXPECT_EQ(loss.value[299], 300.0);
    EXPECT_EQ(must(reader->loadRecords(RouterId(0))).size(), 400u);
    const auto events = reader->events();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const Event& event) { return event.kind == "disk_error" && event.severity == Severity::kError; }));
    EXPECT_EQ(reader->status().state, RunState::kFinished);
}

}  // namespace
}  // namespace es::store
