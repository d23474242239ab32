// SPDX-License-Identifier: GPL-3.0-or-later
// The list of samples, the cache of probe tables, own samples: what Inspect keeps.
#include <gtest/gtest.h>

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QListView>
#include <QTest>

#include "tests/views/inspect_fixture.h"
#include "views/inspect/caching_reader.h"
#include "views/inspect/own_samples.h"
#include "views/inspect/sample_list_model.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

TEST(SampleList, KeepsTheRulesOfItemModelsWhileFiltered) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* view = bench.find<QListView>("sampleList");
    auto* model = qobject_cast<SampleListModel*>(view->model());
    ASSERT_NE(model, nullptr);
    QAbstractItemModelTester tester(model, QAbstractItemModelTester::FailureReportingMode::Warning);
    EXPECT_EQ(model->rowCount(), 24);
    model->setFilter(QStringLiteral("RED"), {});
    EXPECT_EQ(model->rowCount(), 6);
    for (int row = 0; row < model->rowCount(); ++row) EXPECT_TRUE(model->index(row).data().toString().startsWith(QStringLiteral("red")));
    model->setFilter(QStringLiteral("circle red"), QStringLiteral("animal"));
    ASSERT_EQ(model->rowCount(), 1);
    EXPECT_EQ(model->index(0).data().toString(), QStringLiteral("red circle , animal"));
    model->setFilter(QStringLiteral("nothing like it"), {});
    EXPECT_EQ(model->rowCount(), 0);
    model->setFilter({}, {});
    model->setSamples(bench.workspace->model()->contents(), {});
    EXPECT_EQ(model->rowCount(), 24);
    bench.settle();
    EXPECT_FALSE(model->index(0).data(Qt::DecorationRole).value<QPixmap>().isNull());
    EXPECT_TRUE(model->index(0).data(SampleListModel::kDetail).toString().startsWith(QStringLiteral("loss ")));
}

TEST(SampleList, TypingSearchesAndClickingShowsTheSample) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* search = bench.find<QLineEdit>("sampleSearch");
    QTest::keyClicks(search, QStringLiteral("blue square"));
    bench.key(search, Qt::Key_Return);
    auto* view = bench.find<QListView>("sampleList");
    ASSERT_GT(view->model()->rowCount(), 0);
    EXPECT_EQ(bench.data("samples").value(QStringLiteral("rows")).toArray().size(), view->model()->rowCount());
    const QModelIndex first = view->model()->index(0, 0);
    bench.click(view->viewport(), view->visualRect(first).center());
    ASSERT_TRUE(bench.selection.current().sample);
    EXPECT_EQ(*bench.selection.current().sample, first.data(SampleListModel::kHash).toULongLong());
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("caption")).toString(), first.data().toString());
    EXPECT_EQ(bench.selection.undoStack()->undoText(), QStringLiteral("Show sample “%1”").arg(first.data().toString()));
}

TEST(SampleList, ACategoryIsChosenFromTheBox) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* box = bench.find<QComboBox>("sampleCategory");
    EXPECT_EQ(box->count(), 3);  // all, fruit, animal
    box->setFocus();
    bench.key(box, Qt::Key_Down);
    EXPECT_EQ(bench.data("samples").value(QStringLiteral("category")).toString(), QStringLiteral("animal"));
    EXPECT_EQ(bench.data("samples").value(QStringLiteral("rows")).toArray().size(), 8);
}

TEST(CachingReader, KeepsWithinItsBoundAndAnswersTheSame) {
    auto reader = store::RunReader::open(madeRun("run", smallRun()));
    ASSERT_TRUE(reader) << reader.error().message();
    ASSERT_TRUE((*reader)->refresh());
    CachingReader cache(*reader, std::size_t{400} << 10);
    for (int round = 0; round < 2; ++round)
        for (const auto& key : (*reader)->probes())
            for (const auto& router : (*reader)->routers()) {
                const auto kept = cache.probe(key, router.id), fresh = (*reader)->probe(key, router.id);
                ASSERT_TRUE(kept && fresh);
                EXPECT_EQ(kept->expert_ids, fresh->expert_ids);
                EXPECT_EQ(kept->probs_TE, fresh->probs_TE);
                EXPECT_LE(cache.cachedBytes(), std::size_t{400} << 10);
            }
    EXPECT_GT(cache.cachedBytes(), 0u);
    EXPECT_FALSE(cache.probe({99999, "trained"}, RouterId(0)));
    cache.clear();
    EXPECT_EQ(cache.cachedBytes(), 0u);
}

TEST(OwnSamples, ChooseACheckpointThatIsThere) {
    std::vector<store::CheckpointInfo> checkpoints;
    for (const auto& [step, present] : {std::pair{0, false}, std::pair{100, true}, std::pair{200, true}, std::pair{300, false}}) {
        store::CheckpointInfo info;
        info.step = step;
        info.present = present;
        checkpoints.push_back(info);
    }
    EXPECT_EQ(checkpointFor(checkpoints, -1), 200);
    EXPECT_EQ(checkpointFor(checkpoints, 150), 100);
    EXPECT_EQ(checkpointFor(checkpoints, 0), 100);
    EXPECT_EQ(checkpointFor(checkpoints, 300), 200);
    EXPECT_EQ(checkpointFor({}, 100), std::nullopt);
}

TEST(RunContents, FindsRoutersAndSteps) {
    InspectBench bench(madeRun("run", smallRun()));
    const RunContents& contents = bench.workspace->model()->contents();
    EXPECT_EQ(contents.steps, (std::vector<std::int64_t>{0, 100, 200, 300, 400, 500, 600}));
    EXPECT_EQ(contents.probedStep(-1), 600);
    EXPECT_EQ(contents.probedStep(250), 200);
    EXPECT_EQ(contents.probedStep(100), 100);
    ASSERT_NE(contents.routerOf(LayerIndex(2), Modality::kText), nullptr);
    EXPECT_EQ(contents.routerOf(LayerIndex(2), Modality::kText)->id, RouterId(3));
    EXPECT_EQ(contents.routerOf(LayerIndex(0), Modality::kText), nullptr);
    EXPECT_EQ(contents.layers().size(), 2u);
    // Sum over the objectives of the newest evaluation.
    const auto evaluation = bench.workspace->model()->reader()->evaluation(600);
    ASSERT_TRUE(evaluation);
    double expected = 0;
    for (const auto& row : evaluation->rows)
        if (row.sample == contents.samples[0].hash && row.variant.empty()) expected += row.loss;
    EXPECT_NEAR(contents.losses.at(contents.samples[0].hash), expected, 1e-9);
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
