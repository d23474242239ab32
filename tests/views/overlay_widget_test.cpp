// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/overlay_widget.h"

#include <gtest/gtest.h>

#include <QAccessible>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>

#include "tests/views/inspect_fixture.h"
#include "views/overlay/expert_legend.h"
#include "views/overlay/token_chips.h"

namespace es::views {
namespace {

analysis::OverlayPanel panelOf(int columns, int rows) {
    analysis::OverlayPanel panel;
    panel.picture.width = columns * 8;
    panel.picture.height = rows * 8;
    panel.picture.rgba.assign(static_cast<std::size_t>(columns * rows * 64 * 4), 200);
    panel.grid_width = columns;
    panel.grid_height = rows;
    panel.experts = 8;
    for (int i = 0; i < columns * rows; ++i) panel.patches.push_back({.expert = i % 8, .mass = 0.5f, .value = 0});
    for (const char* word : {"a", "mountain", "goat", "standing", "on", "a", "rock"})
        panel.words.push_back({word, {.expert = 3, .mass = 0.5f, .value = 0}, static_cast<std::int32_t>(panel.words.size())});
    return panel;
}

class OverlayWidgets : public testing::Test {
protected:
    void SetUp() override {
        overlay.resize(400, 400);
        overlay.setPanel(panelOf(6, 6));
        overlay.show();
        // A workspace would answer a click by selecting.
        QObject::connect(&overlay, &OverlayWidget::patchClicked, &overlay, &OverlayWidget::setSelected);
    }
    void wheel(const QPointF& at, int notches) {
        QWheelEvent event(at, overlay.mapToGlobal(at), {}, {0, 120 * notches}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
        QApplication::sendEvent(&overlay, &event);
    }
    Theme theme;
    OverlayWidget overlay{&theme};
};

TEST_F(OverlayWidgets, AClickSelectsThePatchUnderIt) {
    QSignalSpy clicked(&overlay, &OverlayWidget::patchClicked);
    for (const int patch : {0, 8, 35}) {
        QTest::mouseClick(&overlay, Qt::LeftButton, {}, overlay.patchRect(patch).center().toPoint());
        ASSERT_FALSE(clicked.isEmpty());
        EXPECT_EQ(clicked.takeLast().at(0).toInt(), patch);
        EXPECT_EQ(overlay.selected(), patch);
    }
    clicked.clear();
    QTest::mouseClick(&overlay, Qt::RightButton, {}, overlay.patchRect(3).center().toPoint());
    EXPECT_TRUE(clicked.isEmpty());
}

TEST_F(OverlayWidgets, ArrowKeysWalkAndStopAtTheEdge) {
    overlay.setSelected(7);
    QTest::keyClick(&overlay, Qt::Key_Right);
    EXPECT_EQ(overlay.selected(), 8);
    QTest::keyClick(&overlay, Qt::Key_Down);
    EXPECT_EQ(overlay.selected(), 14);
    QTest::keyClick(&overlay, Qt::Key_Left);
    QTest::keyClick(&overlay, Qt::Key_Up);
    QTest::keyClick(&overlay, Qt::Key_Up);
    EXPECT_EQ(overlay.selected(), 1);
    QSignalSpy clicked(&overlay, &OverlayWidget::patchClicked);
    QTest::keyClick(&overlay, Qt::Key_Up);
    EXPECT_TRUE(clicked.isEmpty());
}

TEST_F(OverlayWidgets, TheWheelZoomsAtThePointerDownToPixels) {
    const QPointF at = overlay.patchRect(8).center();
    wheel(at, 2);
    EXPECT_GT(overlay.zoom(), 1.5);
    EXPECT_NEAR(overlay.patchRect(8).center().x(), at.x(), overlay.patchRect(8).width() / 2) << "the patch stays below the pointer";
    wheel(at, 40);
    EXPECT_NEAR(overlay.patchRect(8).width() / 8, 40, 0.5) << "a pixel of the picture at most 40 wide";
    wheel(at, -80);
    EXPECT_DOUBLE_EQ(overlay.zoom(), 1);
}

TEST_F(OverlayWidgets, DraggingPansAndSelectsNothing) {
    wheel(overlay.patchRect(14).center(), 4);
    QSignalSpy clicked(&overlay, &OverlayWidget::patchClicked);
    const QPointF before = overlay.center();
    QTest::mousePress(&overlay, Qt::LeftButton, {}, {200, 200});
    for (int x = 200; x >= 120; x -= 20) {
        QMouseEvent move(QEvent::MouseMove, QPointF(x, 200), overlay.mapToGlobal(QPointF(x, 200)), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&overlay, &move);
    }
    QTest::mouseRelease(&overlay, Qt::LeftButton, {}, {120, 200});
    EXPECT_GT(overlay.center().x(), before.x());
    EXPECT_TRUE(clicked.isEmpty());
}

TEST_F(OverlayWidgets, WalkingBringsThePatchIntoView) {
    overlay.setSelected(0);
    overlay.setView(4, {0.9, 0.9});
    QTest::keyClick(&overlay, Qt::Key_Right);
    EXPECT_EQ(overlay.selected(), 1);
    EXPECT_GE(overlay.patchRect(1).left(), 0);
    EXPECT_GE(overlay.patchRect(1).top(), 0);
}

TEST_F(OverlayWidgets, KeysZoomAndFit) {
    QTest::keyClick(&overlay, Qt::Key_Plus);
    EXPECT_GT(overlay.zoom(), 1);
    QTest::keyClick(&overlay, Qt::Key_Minus);
    EXPECT_NEAR(overlay.zoom(), 1, 1e-9);
    QTest::keyClick(&overlay, Qt::Key_Plus);
    QTest::keyClick(&overlay, Qt::Key_0);
    EXPECT_DOUBLE_EQ(overlay.zoom(), 1);
    QSignalSpy cleared(&overlay, &OverlayWidget::highlightCleared);
    QTest::keyClick(&overlay, Qt::Key_Escape);
    EXPECT_EQ(cleared.size(), 1);
}

TEST_F(OverlayWidgets, ZoomStaysForAPictureOfTheSameShapeOnly) {
    overlay.setView(3, {0.5, 0.5});
    overlay.setPanel(panelOf(6, 6));
    EXPECT_DOUBLE_EQ(overlay.zoom(), 3);
    overlay.setPanel(panelOf(4, 6));
    EXPECT_DOUBLE_EQ(overlay.zoom(), 1);
}

TEST_F(OverlayWidgets, NumbersComeBackOnZoom) {
    overlay.setPanel(panelOf(32, 32));  // 12 px cells
    const auto dark = [&] {
        const QImage image = overlay.grab().toImage();
        int count = 0;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) count += qGray(image.pixel(x, y)) < 60;
        return count;
    };
    const int without = dark();
    overlay.setView(3, {0.5, 0.5});
    EXPECT_GT(dark(), without + 50);
}

TEST_F(OverlayWidgets, AssistiveTechnologyHearsTheSelection) {
    overlay.setReadout([](int patch) { return QStringLiteral("patch %1").arg(patch); });
    overlay.setSelected(9);
    EXPECT_TRUE(overlay.accessibleDescription().contains(QStringLiteral("patch 9")));
    EXPECT_FALSE(overlay.accessibleName().isEmpty());
}

TEST_F(OverlayWidgets, EmptyAndOddPanelsArePainted) {
    overlay.setPanel({});
    EXPECT_FALSE(overlay.grab().isNull());
    QTest::keyClick(&overlay, Qt::Key_Right);
    EXPECT_EQ(overlay.selected(), -1);
    analysis::OverlayPanel thin = panelOf(1, 40);
    overlay.setPanel(thin);
    EXPECT_FALSE(overlay.grab().isNull());
    EXPECT_TRUE(overlay.patchRect(39).isValid());
}

TEST_F(OverlayWidgets, ChipsAreClickedAndWalked) {
    TokenChips chips(&theme);
    chips.resize(220, 200);
    chips.setPanel(panelOf(6, 6));
    chips.show();
    QObject::connect(&chips, &TokenChips::wordClicked, &chips, &TokenChips::setSelected);
    QTest::mouseClick(&chips, Qt::LeftButton, {}, chips.chipRect(2).center().toPoint());
    EXPECT_EQ(chips.selected(), 2);
    QTest::keyClick(&chips, Qt::Key_Right);
    EXPECT_EQ(chips.selected(), 3);
    QTest::keyClick(&chips, Qt::Key_Home);
    EXPECT_EQ(chips.selected(), 0);
    QTest::keyClick(&chips, Qt::Key_Down);
    EXPECT_GT(chips.chipRect(chips.selected()).top(), chips.chipRect(0).top());
    QTest::keyClick(&chips, Qt::Key_End);
    EXPECT_EQ(chips.selected(), 6);
    EXPECT_GT(chips.heightForWidth(120), chips.heightForWidth(600));
}

TEST_F(OverlayWidgets, TheLegendLetsExpertsBeChosenByMouseAndKey) {
    ExpertLegend legend(&theme);
    legend.resize(500, 60);
    legend.setPanel(panelOf(6, 6));
    legend.show();
    ASSERT_EQ(legend.entries().size(), 8u);
    QSignalSpy clicked(&legend, &ExpertLegend::expertClicked);
    QTest::mouseClick(&legend, Qt::LeftButton, {}, legend.entryRect(2).center().toPoint());
    EXPECT_EQ(clicked.takeLast().at(0).toInt(), legend.entries()[2].expert);
    QTest::keyClick(&legend, Qt::Key_Right);
    QTest::keyClick(&legend, Qt::Key_Space);
    EXPECT_EQ(clicked.takeLast().at(0).toInt(), legend.entries()[3].expert);
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
