// SPDX-License-Identifier: GPL-3.0-or-later
// The overlay's modes, comparisons, several tokens and predicted words, by mouse and keys.
#include <gtest/gtest.h>

#include <QLabel>
#include <QPushButton>
#include <QShortcut>

#include "tests/views/inspect_fixture.h"
#include "views/inspect/near_tokens.h"
#include "views/inspect/overlay_bar.h"
#include "views/overlay/picture_image.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

void chooseMode(InspectBench& bench, const char* control, const char* mode) {
    auto* modes = bench.find<SegmentedControl>(control);
    bench.click(modes, modes->segmentRect(static_cast<int>(modes->values().indexOf(QLatin1String(mode)))).center());
}

QJsonObject cellOf(InspectBench& bench, const char* list, int index) { return bench.data("overlay").value(QLatin1String(list)).toArray().at(index).toObject(); }

TEST(InspectOverlay, AttentionIsAskedOfTheEngineOnce) {
    InspectBench bench(madeRun("run", smallRun()));
    chooseMode(bench, "overlayModes", "attention");
    EXPECT_EQ(bench.engine_calls, 1);
    EXPECT_TRUE(bench.asked.attention);
    EXPECT_EQ(bench.asked.checkpoint, 600);
    EXPECT_NEAR(cellOf(bench, "patches", 7).value(QStringLiteral("value")).toDouble(), 2.0 * 40 / 41, 1e-4);
    EXPECT_NEAR(cellOf(bench, "patches", 8).value(QStringLiteral("value")).toDouble(), 40.0 / 41, 1e-4);
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("value_title")).toString(), QStringLiteral("attention received ÷ even share"));
    auto* layers = bench.find<SegmentedControl>("layerControl");
    bench.click(layers, layers->segmentRect(1).center());
    chooseMode(bench, "overlayModes", "expert");
    chooseMode(bench, "overlayModes", "attention");
    EXPECT_EQ(bench.engine_calls, 1) << "one answer holds all layers and is kept";
    // At a step whose checkpoint is gone the mode says why it cannot be shown.
    auto* scrubber = bench.find<ScrubberView>();
    bench.click(scrubber, {scrubber->xOf(200), scrubber->plotArea().center().y()});
    EXPECT_EQ(bench.engine_calls, 1);
    EXPECT_TRUE(bench.workspace->model()->missing(analysis::OverlayMode::kAttention).contains(QStringLiteral("checkpoint of step 200 is gone")));
}

TEST(InspectOverlay, AnEngineThatFailsIsTold) {
    InspectBench bench(madeRun("run", smallRun()));
    bench.engine_error = Error{ErrorKind::kJobFailed, "Cannot run the sample", "the checkpoint is damaged", "Choose another", {}};
    chooseMode(bench, "overlayModes", "attention");
    bool told = false;
    for (const auto& note : bench.data("overlay").value(QStringLiteral("notes")).toArray())
        told = told || note.toString().contains(QStringLiteral("the checkpoint is damaged"));
    EXPECT_TRUE(told);
}

TEST(InspectOverlay, OneExpertIsItsProbability) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* map = bench.find<ExpertMap>();
    bench.click(map, map->cellRect(0, 3).center());
    chooseMode(bench, "overlayCompareModes", "probability");
    const auto table = bench.workspace->model()->reader()->probe({600, "trained"}, RouterId(0));
    int compared = 0;
    for (std::size_t t = 0; t < static_cast<std::size_t>(table->tokens); ++t) {
        if (table->sample_T[t] != *bench.workspace->model()->shown().sample || table->objective_T[t] != Objective::kPairImage) continue;
        EXPECT_NEAR(cellOf(bench, "patches", table->position_T[t]).value(QStringLiteral("value")).toDouble(), table->probs_TE[t * 8 + 3], 1e-6);
        ++compared;
    }
    EXPECT_EQ(compared, 36);
}

TEST(InspectOverlay, ChangedIsAgainstTheCheckpointChosen) {
    InspectBench bench(madeRun("run", smallRun()));
    chooseMode(bench, "overlayCompareModes", "changed");
    auto* compared = bench.find<ChoiceBox>("overlayCompared");
    ASSERT_TRUE(compared->isVisible());
    EXPECT_EQ(compared->value(), QStringLiteral("before"));
    const auto expectAgainst = [&](std::int64_t step) {
        const auto& model = *bench.workspace->model();
        const auto sample = *model.shown().sample;
        const auto now = model.reader()->probe({600, "trained"}, RouterId(0)), before = model.reader()->probe({step, "trained"}, RouterId(0));
        int changed = 0;
        for (std::size_t t = 0; t < static_cast<std::size_t>(now->tokens); ++t) {
            if (now->sample_T[t] != sample || now->objective_T[t] != Objective::kPairImage) continue;
            const QJsonObject cell = cellOf(bench, "patches", now->position_T[t]);
            EXPECT_EQ(cell.value(QStringLiteral("changed")).toBool(), now->expert_ids[t] != before->expert_ids[t]);
            EXPECT_EQ(cell.value(QStringLiteral("before")).toInt(-1), before->expert_ids[t]);
            changed += now->expert_ids[t] != before->expert_ids[t];
        }
        return changed;
    };
    expectAgainst(500);
    compared->setCurrentIndex(compared->findData(QStringLiteral("step 0")));
    Q_EMIT compared->activated(compared->currentIndex());
    bench.settle();
    EXPECT_GT(expectAgainst(0), 0) << "an untrained router sends patches elsewhere";
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("change_title")).toString(), QStringLiteral("changed since step 0"));
    // The first checkpoint has none before it.
    auto* scrubber = bench.find<ScrubberView>();
    scrubber->setFocus();
    bench.key(scrubber, Qt::Key_Home);
    EXPECT_FALSE(bench.workspace->model()->missing(analysis::OverlayMode::kChanged).isEmpty());
}

TEST(InspectOverlay, AnotherRunIsComparedWithItsExpertsMatched) {
    auto other = smallRun();
    other.name = "other";
    other.seed = 2;
    const auto run = madeRun("run", smallRun()), there = madeRun("other", other);
    InspectBench bench(run);
    OverlayChoices choices = bench.workspace->model()->overlayChoices();
    choices.mode = analysis::OverlayMode::kChanged;
    choices.compared = {OverlayComparison::Kind::kRun, -1, QString::fromStdString(there.string())};
    bench.workspace->model()->setOverlayChoices(choices);
    bench.settle();
    bench.settle();
    ASSERT_NE(bench.workspace->model()->otherRouting(), nullptr) << bench.workspace->model()->otherError().message();
    const auto direct =
        analysis::routingElsewhere(*bench.workspace->model()->reader(), 600, **store::RunReader::open(there), 600, *bench.workspace->model()->shown().sample);
    ASSERT_TRUE(direct);
    EXPECT_EQ(bench.workspace->model()->otherRouting()->routing[0].expert_ids, direct->routing[0].expert_ids);
    EXPECT_EQ(toText(comparisonFromText(toText(choices.compared))), toText(choices.compared));
}

TEST(InspectOverlay, SideBySideDrawsBothAndZoomsThemTogether) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* both = bench.find<QPushButton>("overlaySideBySide");
    QTest::mouseClick(both, Qt::LeftButton);
    bench.settle();
    auto* now = bench.find<OverlayWidget>("overlay");
    auto* before = bench.find<OverlayWidget>("overlayBefore");
    ASSERT_TRUE(before->isVisible());
    const auto& model = *bench.workspace->model();
    const auto old = analysis::sampleRouting(*model.reader(), *model.shown().sample, 500);
    const auto expected = analysis::overlay(*old, {.layer = LayerIndex(1)});
    for (std::size_t i = 0; i < 36; ++i) {
        EXPECT_EQ(before->panel().patches[i].expert, std::get<analysis::OverlayPanel>(expected->content).patches[i].expert);
        EXPECT_EQ(before->panel().patches[i].changed, now->panel().patches[i].changed) << "the same patches are outlined on both sides";
        EXPECT_EQ(before->panel().patches[i].before, -1) << "what became of it stands at the right";
    }
    now->setView(2, {0.4, 0.6});
    EXPECT_EQ(before->zoom(), 2);
    before->setView(3, {0.5, 0.5});
    EXPECT_EQ(now->zoom(), 3);
    bench.click(before, before->patchRect(14).center());
    EXPECT_EQ(bench.selection.current().token, TokenIndex(14));
    EXPECT_EQ(now->selected(), 14);
    QTest::mouseClick(both, Qt::LeftButton);
    bench.settle();
    EXPECT_FALSE(before->isVisible());
}

TEST(InspectOverlay, ShiftAddsToASelectionOfTokens) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* overlay = bench.find<OverlayWidget>("overlay");
    bench.click(overlay, overlay->patchRect(14).center());
    const auto shiftClick = [&](int patch) {
        QTest::mouseClick(overlay, Qt::LeftButton, Qt::ShiftModifier, overlay->patchRect(patch).center().toPoint());
        bench.settle();
    };
    shiftClick(20);
    shiftClick(3);
    EXPECT_EQ(bench.selection.current().token, TokenIndex(3));
    EXPECT_EQ(bench.selection.current().more_tokens, (std::vector<TokenIndex>{TokenIndex(14), TokenIndex(20)}));
    const auto distribution = bench.data("token").value(QStringLiteral("distribution")).toObject();
    EXPECT_EQ(distribution.value(QStringLiteral("title")).toString(), QStringLiteral("3 patches"));
    shiftClick(14);
    EXPECT_EQ(bench.selection.current().more_tokens, std::vector<TokenIndex>{TokenIndex(20)}) << "once more lets it go";
    shiftClick(3);
    EXPECT_EQ(bench.selection.current().token, TokenIndex(20));
    EXPECT_TRUE(bench.selection.current().more_tokens.empty());
    QTest::keyClick(overlay, Qt::Key_Right, Qt::ShiftModifier);
    bench.settle();
    EXPECT_EQ(bench.selection.current().token, TokenIndex(21));
    EXPECT_EQ(bench.selection.current().more_tokens, std::vector<TokenIndex>{TokenIndex(20)});
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_EQ(bench.selection.current().token, TokenIndex(20));
    bench.click(overlay, overlay->patchRect(5).center());
    EXPECT_TRUE(bench.selection.current().more_tokens.empty());
    // A word begins a selection of words.
    auto* chips = bench.find<TokenChips>();
    QTest::mouseClick(chips, Qt::LeftButton, Qt::ShiftModifier, chips->chipRect(1).center().toPoint());
    bench.settle();
    EXPECT_EQ(bench.selection.current().token_modality, Modality::kText);
    EXPECT_TRUE(bench.selection.current().more_tokens.empty());
}

TEST(InspectOverlay, AWordUnderThePointerIsPredicted) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* chips = bench.find<TokenChips>();
    EXPECT_TRUE(chips->readout(2).contains(QStringLiteral("predicting")));
    QTest::mouseMove(chips, chips->chipRect(2).center().toPoint());
    bench.settle();
    EXPECT_EQ(bench.engine_calls, 1);
    EXPECT_EQ(bench.asked.masked_words, std::vector<std::int32_t>{2}) << "an unmasked word is hidden alone";
    EXPECT_TRUE(chips->readout(2).contains(QStringLiteral("goat 0.61, sheep 0.1"))) << chips->readout(2).toStdString();
    QTest::mouseMove(chips, chips->chipRect(1).center().toPoint());
    bench.settle();
    QTest::mouseMove(chips, chips->chipRect(2).center().toPoint());
    bench.settle();
    EXPECT_EQ(bench.engine_calls, 2) << "answers are kept";
    bench.click(chips, chips->chipRect(2).center());
    EXPECT_EQ(bench.engine_calls, 2);
    EXPECT_TRUE(bench.find<QLabel>("predictedWords")->text().contains(QStringLiteral("goat")));
}

TEST(InspectOverlay, TheTokensMostAlikeAreOfOtherSamplesAndLeadThere) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* overlay = bench.find<OverlayWidget>("overlay");
    bench.click(overlay, overlay->patchRect(14).center());
    auto* near = bench.find<NearTokens>("nearTokens");
    ASSERT_EQ(near->tokens().size(), 8u);
    const auto& model = *bench.workspace->model();
    const auto table = model.reader()->probe({600, "trained"}, RouterId(0));
    analysis::NearOptions options;
    options.except = *model.shown().sample;
    options.modality = Modality::kVision;
    const auto expected = analysis::nearestTokens(*table, model.path().front().probabilities_E, options);
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(near->tokens()[i].sample, expected.tokens[i].sample);
        EXPECT_EQ(near->tokens()[i].token, expected.tokens[i].token);
        EXPECT_NE(near->tokens()[i].sample, *model.shown().sample);
    }
    const auto wanted = near->tokens()[2];
    auto* button = near->findChildren<QAbstractButton*>().at(2);
    QTest::mouseClick(button, Qt::LeftButton);
    bench.settle();
    EXPECT_EQ(bench.selection.current().sample, wanted.sample);
    EXPECT_EQ(bench.selection.current().token, wanted.token);
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_EQ(bench.selection.current().token, TokenIndex(14)) << "one step took sample and token";
}

TEST(InspectOverlay, PagesChangeByKeyAndAreKept) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* pages = bench.find<SegmentedControl>("inspectPages");
    ASSERT_TRUE(pages->values().contains(QStringLiteral("sheet")));
    EXPECT_EQ(bench.workspace->page(), QStringLiteral("sample"));
    const auto number = pages->values().indexOf(QStringLiteral("sheet")) + 1;
    QTest::keyClick(bench.workspace.get(), static_cast<Qt::Key>(Qt::Key_0 + number), Qt::AltModifier);
    bench.settle();
    EXPECT_EQ(bench.workspace->page(), QStringLiteral("sheet"));
    const QJsonObject state = bench.workspace->saveState();
    EXPECT_FALSE(bench.workspace->showPage(QStringLiteral("nowhere")));
    EXPECT_EQ(bench.workspace->page(), QStringLiteral("sheet"));
    InspectBench next(madeRun("run", smallRun()));
    next.workspace->restoreState(state);
    next.settle();
    EXPECT_EQ(next.workspace->page(), QStringLiteral("sheet"));
}

TEST(InspectOverlay, OwnSamplesAreFoundAgainInTheNextSession) {
    QJsonObject state;
    {
        InspectBench bench(madeRun("run", smallRun()));
        QImage picture(48, 48, QImage::Format_RGBA8888);
        picture.fill(Qt::green);
        session::SampleRequest request;
        request.picture = toPicture(picture);
        request.caption = "my own";
        bench.workspace->model()->runOwn(request);
        bench.settle();
        EXPECT_EQ(bench.workspace->model()->ownSamples().size(), 1u);
        state = bench.workspace->saveState();
    }
    InspectBench bench(madeRun("run", smallRun()));
    bench.workspace->restoreState(state);
    bench.settle();
    ASSERT_EQ(bench.workspace->model()->ownSamples().size(), 1u);
    const OwnSample& own = bench.workspace->model()->ownSamples().front();
    EXPECT_EQ(own.record.caption, "my own");
    EXPECT_EQ(toImage(own.record.picture).pixelColor(20, 20), QColor(Qt::green));
    EXPECT_EQ(bench.engine_calls, 0) << "nothing runs before it is looked at";
    bench.workspace->model()->chooseSample(own.record.hash);
    bench.settle();
    EXPECT_EQ(bench.engine_calls, 1);
    EXPECT_EQ(bench.data("overlay").value(QStringLiteral("caption")).toString(), QStringLiteral("my own"));
    EXPECT_EQ(bench.panel("overlay").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    InspectBench damaged(madeRun("run", smallRun()));
    damaged.workspace->model()->restoreOwn({QJsonObject{{QStringLiteral("run"), QStringLiteral("x")}, {QStringLiteral("hash"), QStringLiteral("12")}},
                                            QJsonObject{{QStringLiteral("run"), damaged.workspace->model()->shown().run},
                                                        {QStringLiteral("hash"), QStringLiteral("12")},
                                                        {QStringLiteral("png"), QStringLiteral("bm90IGEgcGljdHVyZQ==")}}});
    EXPECT_TRUE(damaged.workspace->model()->ownSamples().empty());
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
