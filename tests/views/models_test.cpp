// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <cmath>

#include "gui_test.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"
#include "views/models/latest_job.h"
#include "views/models/run_feed.h"
#include "views/models/run_table_model.h"
#include "views/models/selection_model.h"

namespace es::views {
namespace {

using test::QueuedJobs;

TEST(SelectionModel, UndoAndRedoRestoreEveryField) {
    SelectionModel model;
    std::vector<Selection> heard;
    QObject::connect(&model, &SelectionModel::changed, &model, [&heard](const Selection& now, const Selection&) { heard.push_back(now); });
    Selection a = model.current();
    a.run = QStringLiteral("/runs/a");
    a.expert = ExpertIndex(5);
    a.sample = 42;
    model.change(a, QStringLiteral("Select expert 5"));
    Selection b = a;
    b.step = 300;
    b.workspace = QStringLiteral("inspect");
    model.change(b, QStringLiteral("Select step 300"));
    EXPECT_EQ(model.undoStack()->undoText(), QStringLiteral("Select step 300"));
    model.undoStack()->undo();
    EXPECT_EQ(model.current(), a);
    model.undoStack()->undo();
    EXPECT_EQ(model.current(), Selection{});
    model.undoStack()->redo();
    model.undoStack()->redo();
    EXPECT_EQ(model.current(), b);
    EXPECT_EQ(heard.size(), 6u);
    model.change(b, QStringLiteral("nothing"));
    EXPECT_EQ(model.undoStack()->count(), 2) << "a change to the same is none";
}

TEST(SelectionModel, DraggingIsOneStep) {
    SelectionModel model;
    for (int step = 0; step <= 500; step += 100) {
        Selection next = model.current();
        next.step = step;
        model.change(next, QStringLiteral("Select step"), 7);
    }
    EXPECT_EQ(model.undoStack()->count(), 1);
    model.undoStack()->undo();
    EXPECT_EQ(model.current().step, -1);
    model.reset({});
    EXPECT_FALSE(model.undoStack()->canRedo());
}

store::RunSummary summary(const char* name, std::int64_t seed, double loss, store::RunState state = store::RunState::kFinished) {
    store::RunSummary run;
    run.folder = std::string("/runs/") + name;
    run.name = name;
    run.seed = seed;
    run.validation_loss = loss;
    run.state = state;
    return run;
}

TEST(RunTableModel, HoldsQtsContractWhileRunsComeAndGo) {
    RunTableModel model;
    RunFilterModel filter;
    filter.setSourceModel(&model);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Warning);  // a warning fails the test
    QAbstractItemModelTester filtered(&filter, QAbstractItemModelTester::FailureReportingMode::Warning);
    model.setRuns({summary("a", 1, 1.8), summary("b", 2, 1.9)}, {0, 0});
    const QPersistentModelIndex b(model.index(1, 0));
    model.setRuns({summary("c", 1, 2.0), summary("b", 2, 1.7)}, {1, 0});
    ASSERT_TRUE(b.isValid());
    EXPECT_EQ(b.data(RunTableModel::kFolderRole).toString(), QStringLiteral("/runs/b"));
    EXPECT_EQ(model.rowCount(), 2);
    EXPECT_EQ(model.index(b.row(), RunTableModel::kLoss).data().toString(), QStringLiteral("1.700"));
    model.setRuns({}, {});
    EXPECT_EQ(model.rowCount(), 0);
    EXPECT_EQ(model.rowOf(QStringLiteral("/runs/a")), -1);
}

TEST(RunTableModel, SortsByValueAndFiltersByWords) {
    RunTableModel model;
    model.setRuns({summary("sparse-10", 10, 1.8, store::RunState::kTraining), summary("sparse-2", 2, std::nan("")), summary("dense", 1, 11.5)}, {0, 0, 1});
    RunFilterModel filter;
    filter.setSourceModel(&model);
    filter.sort(RunTableModel::kLoss);
    EXPECT_EQ(filter.index(0, RunTableModel::kLoss).data().toString(), QStringLiteral("1.800"));
    EXPECT_EQ(filter.index(1, RunTableModel::kLoss).data().toString(), QStringLiteral("11.500")) << "by number, not by letter";
    EXPECT_EQ(filter.index(2, RunTableModel::kLoss).data().toString(), QStringLiteral("—")) << "what has no loss comes last";
    filter.sort(RunTableModel::kSeed);
    EXPECT_EQ(filter.index(2, RunTableModel::kSeed).data().toString(), QStringLiteral("10"));
    filter.setNeedle(QStringLiteral("SPARSE train"));
    ASSERT_EQ(filter.rowCount(), 1);
    EXPECT_EQ(filter.index(0, RunTableModel::kSeed).data().toString(), QStringLiteral("10"));
}

TEST(RunTableModel, ABrokenRunSaysWhy) {
    RunTableModel model;
    store::RunSummary broken = summary("x", 1, 1);
    broken.problem = "run.toml is missing";
    model.setRuns({broken}, {0});
    EXPECT_EQ(model.index(0, RunTableModel::kState).data().toString(), QStringLiteral("unreadable"));
    EXPECT_EQ(model.index(0, 0).data(Qt::ToolTipRole).toString(), QStringLiteral("run.toml is missing"));
}

TEST(LatestJob, MergesWhatComesWhileItRuns) {
    QueuedJobs jobs;
    jobs.hold = true;
    QObject owner;
    std::vector<int> answers;
    LatestJob<int> job(&jobs, &owner, QStringLiteral("slot"), QStringLiteral("test"), [&answers](Result<int> result) { answers.push_back(*result); });
    for (int i = 0; i < 5; ++i) job.request([i](JobContext&) -> Result<int> { return i; }, false);
    EXPECT_FALSE(job.idle());
    jobs.hold = false;
    jobs.pump();
    ASSERT_TRUE(test::waitFor([&job] { return job.idle(); }, 1000));
    EXPECT_EQ(answers, (std::vector<int>{0, 4})) << "the one under way and the newest";
    job.request([](JobContext&) -> Result<int> { return 7; }, false);
    job.request([](JobContext&) -> Result<int> { return 8; }, true);
    ASSERT_TRUE(test::waitFor([&job] { return job.idle(); }, 1000));
    EXPECT_EQ(answers.back(), 8);
    EXPECT_EQ(answers.size(), 3u) << "an urgent question drops the one before it";
}

TEST(RunFeedHub, ListsOpensAndFollowsRuns) {
    const es::test::ScratchFolder scratch;
    for (const std::int64_t seed : {1, 2}) {
        es::test::SyntheticRunOptions options;
        options.seed = seed;
        options.steps = 40;
        options.samples = 8;
        ASSERT_TRUE(es::test::writeSyntheticRun(scratch / ("sparse-" + std::to_string(seed)), options));
    }
    es::test::SyntheticRunOptions dense;
    dense.ffn = "dense";
    dense.name = "dense";
    dense.steps = 40;
    dense.samples = 8;
    ASSERT_TRUE(es::test::writeSyntheticRun(scratch / "dense", dense));
    QueuedJobs jobs;
    RunFeedHub hub(&jobs);
    hub.setFolders({QString::fromStdString(scratch.path().string())});
    ASSERT_TRUE(test::waitFor([&hub] { return hub.listed(); }));
    ASSERT_EQ(hub.runs().size(), 3u);
    const auto folder = [&](const char* name) { return QString::fromStdString((scratch / name).string()); };
    EXPECT_EQ(hub.colorGroup(folder("sparse-1")), hub.colorGroup(folder("sparse-2"))) << "seeds share a colour";
    EXPECT_NE(hub.colorGroup(folder("sparse-1")), hub.colorGroup(folder("dense")));

    RunFeed* feed = hub.feed(folder("sparse-1"));
    EXPECT_EQ(feed, hub.feed(folder("sparse-1") + QStringLiteral("/")));
    ASSERT_TRUE(test::waitFor([feed] { return feed->state() != RunFeed::State::kOpening; }));
    ASSERT_EQ(feed->state(), RunFeed::State::kOpen) << feed->error().message();
    EXPECT_EQ(feed->reader()->routers().size(), 4u);

    RunFeed* missing = hub.feed(folder("nothing-here"));
    ASSERT_TRUE(test::waitFor([missing] { return missing->state() != RunFeed::State::kOpening; }));
    EXPECT_EQ(missing->state(), RunFeed::State::kFailed);
    EXPECT_FALSE(missing->error().why.empty());
}

}  // namespace
}  // namespace es::views
