// SPDX-License-Identifier: GPL-3.0-or-later
// Inspect driven by mouse and keys on a made-up run; what is shown is compared with the store.
#include "views/inspect/inspect_workspace.h"

#include <gtest/gtest.h>

#include <QAction>
#include <QClipboard>
#include <QListView>
#include <QMenu>
#include <QTest>
#include <QToolButton>

#include "engine/store/run_writer.h"
#include "tests/views/inspect_fixture.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

/// First choice of a token at a step, straight from the store: of the pair.
int storedExpert(const store::RunReader& run, std::int64_t step, RouterId router, std::uint64_t sample, int position) {
    const auto table = run.probe({step, "trained"}, router);
    EXPECT_TRUE(table);
    int expert = -1;
    for (std::size_t t = 0; t < static_cast<std::size_t>(table->tokens); ++t)
        if (table->sample_T[t] == sample && table->position_T[t] == position &&
            (table->objective_T[t] == Objective::kPairImage || table->objective_T[t] == Objective::kPairText))
            expert = table->expert_ids[t * static_cast<std::size_t>(table->router.k)];
    return expert;
}

int shownExpert(const QJsonObject& overlay, const char* list, int index) {
    return overlay.value(QLatin1String(list)).toArray().at(index).toObject().value(QStringLiteral("expert")).toInt();
}

TEST(Inspect, ShowsTheFirstSampleAsTheStoreHasIt) {
    InspectBench bench(madeRun("run", smallRun()));
    const auto overlay = bench.data("overlay");
    const auto& model = *bench.workspace->model();
    EXPECT_EQ(bench.panel("overlay").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    EXPECT_EQ(overlay.value(QStringLiteral("step")).toInt(), 600);
    ASSERT_EQ(overlay.value(QStringLiteral("patches")).toArray().size(), 36);
    const auto hash = model.contents().samples.front().hash;
    for (int patch = 0; patch < 36; ++patch)
        EXPECT_EQ(shownExpert(overlay, "patches", patch), storedExpert(*model.reader(), 600, RouterId(0), hash, patch)) << patch;
    for (int word = 0; word < 4; ++word) EXPECT_EQ(shownExpert(overlay, "words", word), storedExpert(*model.reader(), 600, RouterId(1), hash, word)) << word;
    EXPECT_TRUE(bench.selection.undoStack()->isClean()) << "showing defaults is no step to undo";
    EXPECT_FALSE(bench.selection.undoStack()->canUndo());
}

TEST(Inspect, AClickOnAPatchSelectsItAndUndoTakesItBack) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* overlay = bench.find<OverlayWidget>();
    bench.click(overlay, overlay->patchRect(14).center());
    EXPECT_EQ(bench.selection.current().token, TokenIndex(14));
    EXPECT_EQ(bench.selection.current().token_modality, Modality::kVision);
    EXPECT_EQ(bench.selection.undoStack()->undoText(), QStringLiteral("Select patch (2, 2)"));
    EXPECT_EQ(overlay->selected(), 14);
    const auto token = bench.data("token");
    const auto path = token.value(QStringLiteral("path")).toArray();
    ASSERT_EQ(path.size(), 2) << "one reading for each router of patches";
    const auto hash = *bench.selection.current().sample;
    for (int i = 0; i < 2; ++i) {
        const auto reading = path.at(i).toObject();
        EXPECT_EQ(reading.value(QStringLiteral("choices")).toArray().at(0).toObject().value(QStringLiteral("expert")).toInt(),
                  storedExpert(*bench.workspace->model()->reader(), 600, RouterId(2 * i), hash, 14));
        double sum = 0;
        for (const auto& p : reading.value(QStringLiteral("probabilities")).toArray()) sum += p.toDouble();
        EXPECT_NEAR(sum, 1, 1e-3);
    }
    bench.key(overlay, Qt::Key_Right);
    EXPECT_EQ(bench.selection.current().token, TokenIndex(15));
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_EQ(overlay->selected(), 14);
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_FALSE(bench.selection.current().token.valid());
    EXPECT_EQ(overlay->selected(), 21) << "before any choice, the middle of the picture";
    EXPECT_EQ(bench.panel("token").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    bench.selection.undoStack()->redo();
    bench.settle();
    EXPECT_EQ(overlay->selected(), 14);
}

TEST(Inspect, AWordMovesTheRouterToTheTextBranch) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* chips = bench.find<TokenChips>();
    bench.click(chips, chips->chipRect(0).center());
    EXPECT_EQ(bench.selection.current().token_modality, Modality::kText);
    EXPECT_EQ(bench.selection.current().router, RouterId(1));
    EXPECT_EQ(bench.selection.undoStack()->undoText(), QStringLiteral("Select word “red”"));
    bench.key(chips, Qt::Key_Right);
    EXPECT_EQ(bench.selection.current().token, TokenIndex(1));
    EXPECT_EQ(bench.data("token").value(QStringLiteral("path")).toArray().size(), 2);
}

TEST(Inspect, LayerModeAndLegend) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* layers = bench.find<SegmentedControl>("layerControl");
    bench.click(layers, layers->segmentRect(1).center());
    EXPECT_EQ(bench.selection.current().router, RouterId(2));
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("layer")).toInt(), 2);
    auto* modes = bench.find<SegmentedControl>("overlayModes");
    bench.click(modes, modes->segmentRect(2).center());
    const auto overlay = bench.data("overlay");
    EXPECT_EQ(overlay.value(QStringLiteral("mode")).toString(), QStringLiteral("entropy"));
    const auto table = bench.workspace->model()->reader()->probe({600, "trained"}, RouterId(2));
    for (std::size_t t = 0; t < static_cast<std::size_t>(table->tokens); ++t) {
        if (table->sample_T[t] != *bench.workspace->model()->shown().sample || table->objective_T[t] != Objective::kPairImage) continue;
        double entropy = 0;
        for (int e = 0; e < 8; ++e)
            if (const double p = table->probs_TE[t * 8 + static_cast<std::size_t>(e)]; p > 0) entropy -= p * std::log(p);
        EXPECT_NEAR(overlay.value(QStringLiteral("patches")).toArray().at(table->position_T[t]).toObject().value(QStringLiteral("value")).toDouble(), entropy,
                    2e-3);
    }
    bench.click(modes, modes->segmentRect(0).center());
    auto* legend = bench.find<ExpertLegend>("expertLegend");
    ASSERT_FALSE(legend->entries().empty());
    const int expert = legend->entries().front().expert;
    bench.click(legend, legend->entryRect(0).center());
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(expert));
    bench.click(legend, legend->entryRect(0).center());
    EXPECT_FALSE(bench.selection.current().expert.valid()) << "a second click lets go";
}

TEST(Inspect, TheMapSelectsRouterAndExpert) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* map = bench.find<ExpertMap>();
    ASSERT_EQ(map->routers().size(), 4u);
    bench.click(map, map->cellRect(2, 5).center());
    EXPECT_EQ(bench.selection.current().router, RouterId(2));
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(5));
    EXPECT_EQ(bench.selection.undoStack()->undoText(), QStringLiteral("Select expert 5, layer 2 · V-router"));
    // Shares of each row add up to one.
    const auto values = bench.data("expert_map").value(QStringLiteral("values")).toArray();
    for (int row = 0; row < 4; ++row) {
        double sum = 0;
        for (int e = 0; e < 8; ++e) sum += values.at(row * 8 + e).toDouble();
        EXPECT_NEAR(sum, 1, 1e-6);
    }
}

TEST(Inspect, TheScrubberFollowsMouseAndKeysAndDraggingIsOneStep) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* overlay = bench.find<OverlayWidget>();
    bench.click(overlay, overlay->patchRect(14).center());
    auto* scrubber = bench.find<ScrubberView>();
    ASSERT_EQ(scrubber->steps().size(), 7u);
    const double y = scrubber->plotArea().center().y();
    bench.click(scrubber, {scrubber->xOf(200), y});
    EXPECT_EQ(bench.selection.current().step, 200);
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("step")).toInt(), 200);
    const auto hash = *bench.selection.current().sample;
    EXPECT_EQ(shownExpert(bench.data("overlay"), "patches", 14), storedExpert(*bench.workspace->model()->reader(), 200, RouterId(0), hash, 14));
    bench.key(scrubber, Qt::Key_Right);
    EXPECT_EQ(bench.selection.current().step, 300);
    bench.key(scrubber, Qt::Key_Home);
    EXPECT_EQ(bench.selection.current().step, 0);
    bench.key(scrubber, Qt::Key_End);
    EXPECT_EQ(bench.selection.current().step, -1) << "the last checkpoint follows the run";
    const auto history = bench.data("scrubber").value(QStringLiteral("history")).toObject().value(QStringLiteral("expert")).toArray();
    ASSERT_EQ(history.size(), 7);
    for (int i = 0; i < 7; ++i) EXPECT_EQ(history.at(i).toInt(), storedExpert(*bench.workspace->model()->reader(), i * 100, RouterId(0), hash, 14));
    const int before = bench.selection.undoStack()->count();
    QTest::mousePress(scrubber, Qt::LeftButton, {}, QPointF(scrubber->xOf(100), y).toPoint());
    for (const int step : {200, 300, 400}) {
        const QPointF at(scrubber->xOf(step), y);
        QMouseEvent move(QEvent::MouseMove, at, scrubber->mapToGlobal(at), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(scrubber, &move);
    }
    QTest::mouseRelease(scrubber, Qt::LeftButton, {}, QPointF(scrubber->xOf(400), y).toPoint());
    bench.settle();
    EXPECT_EQ(bench.selection.current().step, 400);
    EXPECT_EQ(bench.selection.undoStack()->count(), before + 1);
}

TEST(Inspect, ChurnIsTheShareOfChangedFirstChoices) {
    InspectBench bench(madeRun("run", smallRun()));
    const auto curve = bench.data("scrubber").value(QStringLiteral("curves")).toObject().value(QStringLiteral("curves")).toArray().at(0).toObject();
    const auto x = curve.value(QStringLiteral("x")).toArray(), y = curve.value(QStringLiteral("y")).toArray();
    const auto& reader = *bench.workspace->model()->reader();
    int compared = 0;
    for (int i = 0; i < x.size(); ++i) {
        const auto step = static_cast<std::int64_t>(x.at(i).toDouble());
        if (step < 100 || y.at(i).isNull()) continue;
        const auto now = reader.probe({step, "trained"}, RouterId(0)), before = reader.probe({step - 100, "trained"}, RouterId(0));
        ASSERT_TRUE(now && before);
        double changed = 0;
        for (std::size_t t = 0; t < now->expert_ids.size(); ++t) changed += now->expert_ids[t] != before->expert_ids[t];
        EXPECT_NEAR(y.at(i).toDouble(), changed / static_cast<double>(now->expert_ids.size()), 1e-6);
        ++compared;
    }
    EXPECT_EQ(compared, 6);
}

TEST(Inspect, PlayRunsToTheEndAndIsOneStepToUndo) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* scrubber = bench.find<ScrubberView>();
    bench.click(scrubber, {scrubber->xOf(400), scrubber->plotArea().center().y()});
    const int before = bench.selection.undoStack()->count();
    auto* play = bench.find<QToolButton>("scrubberPlay");
    QTest::mouseClick(play, Qt::LeftButton);
    QTest::qWait(2200);
    bench.settle();
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("step")).toInt(), 600);
    EXPECT_EQ(bench.selection.undoStack()->count(), before + 1);
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("step")).toInt(), 400);
}

TEST(Inspect, AnOwnPictureRunsIsKeptAndFollowsTheScrubber) {
    InspectBench bench(madeRun("run", smallRun()));
    QImage picture(48, 48, QImage::Format_RGBA8888);
    picture.fill(Qt::blue);
    const QString file = QString::fromStdString((madeRun("run", smallRun()).parent_path() / "blue.png").string());
    ASSERT_TRUE(picture.save(file));
    EXPECT_FALSE(bench.workspace->takeDrop({QStringLiteral("/nowhere/notes.txt")}));
    EXPECT_TRUE(bench.workspace->takeDrop({file}));
    bench.settle();
    auto* bar = bench.find<OwnPictureBar>();
    ASSERT_TRUE(bar->isVisible());
    QTest::keyClicks(bar->captionField(), QStringLiteral("a blue square"));
    bench.key(bar->captionField(), Qt::Key_Return);
    EXPECT_EQ(bench.engine_calls, 1);
    EXPECT_FALSE(bar->isVisible());
    const auto overlay = bench.data("overlay");
    EXPECT_EQ(overlay.value(QStringLiteral("caption")).toString(), QStringLiteral("a blue square"));
    EXPECT_EQ(overlay.value(QStringLiteral("step")).toInt(), 600);
    const auto rows = bench.data("samples").value(QStringLiteral("rows")).toArray();
    EXPECT_EQ(rows.size(), 25);
    EXPECT_TRUE(rows.at(0).toObject().value(QStringLiteral("own")).toBool());
    auto* scrubber = bench.find<ScrubberView>();
    EXPECT_EQ(scrubber->steps(), (std::vector<std::int64_t>{400, 500, 600})) << "the checkpoints that are still there";
    scrubber->setFocus();
    bench.key(scrubber, Qt::Key_Home);
    EXPECT_EQ(bench.engine_calls, 2);
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("step")).toInt(), 400);
    bench.key(scrubber, Qt::Key_End);
    EXPECT_EQ(bench.engine_calls, 2) << "answers are kept";
    bench.selection.undoStack()->undo();
    bench.selection.undoStack()->undo();
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("caption")).toString(), QStringLiteral("red circle , fruit"));
    EXPECT_EQ(bench.data("samples").value(QStringLiteral("rows")).toArray().size(), 25) << "the own sample stays in the list";
}

TEST(Inspect, ASampleWithoutProbeRunsThroughTheCheckpoint) {
    auto options = smallRun();
    options.name = "unprobed";
    const auto run = madeRun("unprobed", options);
    auto evaluated = es::test::syntheticSample(5, options);
    evaluated.hash = 0xE7A1;
    evaluated.caption = "evaluated, not probed";
    {
        auto writer = store::RunWriter::resume(run, 601, {});
        ASSERT_TRUE(writer) << writer.error().message();
        ASSERT_TRUE((*writer)->samples({evaluated}));
        ASSERT_TRUE((*writer)->finish(true, ""));
    }
    InspectBench bench(run);
    auto* list = bench.find<QListView>("sampleList");
    list->setFocus();
    bench.key(list, Qt::Key_End);
    EXPECT_EQ(bench.engine_calls, 1);
    EXPECT_EQ(bench.panel("overlay").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    const auto overlay = bench.data("overlay");
    EXPECT_EQ(overlay.value(QStringLiteral("caption")).toString(), QStringLiteral("evaluated, not probed")) << "the stored record, not the engine's";
    EXPECT_EQ(overlay.value(QStringLiteral("step")).toInt(), 600);
    auto* scrubber = bench.find<ScrubberView>();
    EXPECT_EQ(scrubber->steps(), (std::vector<std::int64_t>{400, 500, 600})) << "the checkpoints that are still there";
    scrubber->setFocus();
    bench.key(scrubber, Qt::Key_Home);
    EXPECT_EQ(bench.engine_calls, 2);
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("step")).toInt(), 400);
    // With an engine that cannot, the sample is still shown and the reason told.
    bench.engine_error = Error{ErrorKind::kJobFailed, "Cannot run the sample", "no engine", "Build it", {}};
    bench.key(scrubber, Qt::Key_Right);
    EXPECT_EQ(bench.panel("overlay").value(QStringLiteral("state")).toString(), QStringLiteral("partial"));
}

TEST(Inspect, AnEngineErrorIsToldBesideThePicture) {
    InspectBench bench(madeRun("run", smallRun()));
    bench.engine_error = Error{ErrorKind::kBadInput, "Cannot read the picture", "the file ends before the picture does", "Replace the file", "cat.png"};
    QImage picture(8, 8, QImage::Format_RGBA8888);
    picture.fill(Qt::red);
    QApplication::clipboard()->setImage(picture);
    QTest::keySequence(bench.find<OverlayWidget>(), QKeySequence::Paste);
    auto* bar = bench.find<OwnPictureBar>();
    ASSERT_TRUE(bar->isVisible());
    bench.click(bar->runButton(), bar->runButton()->rect().center());
    EXPECT_TRUE(bar->isVisible());
    bool told = false;
    for (const auto* label : bar->findChildren<QLabel*>())
        told = told || (label->isVisible() && label->text().contains(QStringLiteral("ends before the picture does")));
    EXPECT_TRUE(told);
    EXPECT_EQ(bench.data("samples").value(QStringLiteral("rows")).toArray().size(), 24);
}

TEST(Inspect, SendsQueriesThatMakeThePanelAgain) {
    const auto run = madeRun("run", smallRun());
    InspectBench bench(run);
    auto* overlay = bench.find<OverlayWidget>();
    bench.click(overlay, overlay->patchRect(14).center());
    for (auto* frame : bench.workspace->findChildren<PanelFrame*>())
        for (QAction* action : frame->panelMenu()->actions())
            if (action->isEnabled() && action->text().startsWith(QStringLiteral("Send"))) action->trigger();
    ASSERT_EQ(bench.sent.size(), 4u);
    for (const auto& query : bench.sent) {
        const auto panel = analysis::makePanel(query, std::filesystem::path());
        EXPECT_TRUE(panel) << query.kind << ": " << (panel ? "" : panel.error().message());
    }
}

TEST(Inspect, DenseRunsShowTheSampleAndSayWhyThereIsNoRouting) {
    auto options = smallRun();
    options.ffn = "dense";
    options.name = "dense";
    InspectBench bench(madeRun("dense", options));
    EXPECT_EQ(bench.panel("overlay").value(QStringLiteral("state")).toString(), QStringLiteral("partial"));
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("caption")).toString(), QStringLiteral("red circle , fruit"));
    EXPECT_EQ(bench.panel("scrubber").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    auto* overlay = bench.find<OverlayWidget>();
    bench.key(overlay, Qt::Key_Right);
    EXPECT_FALSE(bench.workspace->grab().isNull());
}

TEST(Inspect, SeveralExpertsATokenAreRankedAndSplit) {
    auto options = smallRun();
    options.k = 2;
    options.name = "top2";
    InspectBench bench(madeRun("top2", options));
    auto* ranks = bench.find<SegmentedControl>("rankControl");
    ASSERT_TRUE(ranks->isVisible());
    const auto first = bench.data("overlay");
    bench.click(ranks, ranks->segmentRect(1).center());
    const auto second = bench.data("overlay");
    const auto table = bench.workspace->model()->reader()->probe({600, "trained"}, RouterId(0));
    for (std::size_t t = 0; t < static_cast<std::size_t>(table->tokens); ++t) {
        if (table->sample_T[t] != *bench.workspace->model()->shown().sample || table->objective_T[t] != Objective::kPairImage) continue;
        EXPECT_EQ(shownExpert(first, "patches", table->position_T[t]), table->expert_ids[2 * t]);
        EXPECT_EQ(shownExpert(second, "patches", table->position_T[t]), table->expert_ids[2 * t + 1]);
    }
    bench.click(ranks, ranks->segmentRect(2).center());
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("patches")).toArray().at(0).toObject().value(QStringLiteral("choices")).toArray().size(), 2);
}

TEST(Inspect, WithoutARunItSaysWhatToDo) {
    InspectBench bench({});
    for (const char* name : {"samples", "overlay", "token", "scrubber"})
        EXPECT_EQ(bench.panel(name).value(QStringLiteral("state")).toString(), QStringLiteral("empty")) << name;
}

TEST(Inspect, ARunThatCannotBeOpenedFailsInItsPanels) {
    InspectBench bench("/nowhere/at/all");
    EXPECT_EQ(bench.panel("overlay").value(QStringLiteral("state")).toString(), QStringLiteral("failed"));
    EXPECT_EQ(bench.panel("samples").value(QStringLiteral("state")).toString(), QStringLiteral("failed"));
}

TEST(Inspect, LayoutZoomAndFilterAreFoundAgain) {
    const auto run = madeRun("run", smallRun());
    QJsonObject state;
    {
        InspectBench bench(run);
        auto* overlay = bench.find<OverlayWidget>();
        overlay->setView(2.5, {0.3, 0.6});
        auto* modes = bench.find<SegmentedControl>("overlayModes");
        bench.click(modes, modes->segmentRect(3).center());
        QTest::keyClicks(bench.find<QLineEdit>("sampleSearch"), QStringLiteral("green"));
        bench.key(bench.find<QLineEdit>("sampleSearch"), Qt::Key_Return);
        state = bench.workspace->saveState();
    }
    InspectBench bench(run);
    bench.workspace->restoreState(state);
    bench.settle();
    auto* overlay = bench.find<OverlayWidget>();
    EXPECT_DOUBLE_EQ(overlay->zoom(), 2.5);
    EXPECT_NEAR(overlay->center().x(), 0.3, 1e-9);
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("mode")).toString(), QStringLiteral("margin"));
    EXPECT_EQ(bench.data("samples").value(QStringLiteral("rows")).toArray().size(), 6);
}

TEST(Inspect, ThePaletteFindsSamplesExpertsAndLayers) {
    InspectBench bench(madeRun("run", smallRun()));
    const auto entries = bench.workspace->paletteEntries();
    const auto run = [&](const QString& title) {
        for (const auto& entry : entries)
            if (entry.title == title) {
                entry.run();
                bench.settle();
                return true;
            }
        return false;
    };
    EXPECT_TRUE(run(QStringLiteral("Expert 6, layer 2 · V-router")));
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(6));
    EXPECT_TRUE(run(QStringLiteral("Layer 1")));
    EXPECT_EQ(bench.selection.current().router, RouterId(0));
    EXPECT_TRUE(run(QStringLiteral("green circle , fruit")));
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("caption")).toString(), QStringLiteral("green circle , fruit"));
}

TEST(Inspect, TheNewestAnswerWins) {
    InspectBench bench(madeRun("run", smallRun()));
    const auto& samples = bench.workspace->model()->contents().samples;
    std::vector<std::uint64_t> hashes;
    for (const auto& sample : samples) hashes.push_back(sample.hash);
    for (const auto hash : hashes) bench.workspace->model()->chooseSample(hash);  // faster than any can be read
    bench.settle();
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("sample")).toString(), bench.data("samples").value(QStringLiteral("selected")).toString());
    EXPECT_EQ(bench.workspace->model()->record()->hash, hashes.back());
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
