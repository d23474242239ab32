// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAbstractButton>
#include <QLabel>
#include <QLayout>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>

#include "gui_test.h"
#include "views/widgets/chip.h"
#include "views/widgets/choice_box.h"
#include "views/widgets/controls.h"
#include "views/widgets/elided_label.h"
#include "views/widgets/flow_layout.h"
#include "views/widgets/key_value_table.h"
#include "views/widgets/panel_frame.h"
#include "views/widgets/search_field.h"
#include "views/widgets/segmented_control.h"

namespace es::views {
namespace {

using test::gui;

TEST(SegmentedControl, ArrowKeysChooseAndSkipWhatIsDisabled) {
    SegmentedControl control(gui->theme.get());
    control.setChoices({QStringLiteral("Expert"), QStringLiteral("Weight"), QStringLiteral("Entropy"), QStringLiteral("Margin")},
                       {QStringLiteral("e"), QStringLiteral("w"), QStringLiteral("h"), QStringLiteral("m")});
    EXPECT_EQ(control.value(), QStringLiteral("e"));
    control.setChoiceDisabled(QStringLiteral("w"), QStringLiteral("not recorded"));
    QSignalSpy spy(&control, &SegmentedControl::chosen);
    QTest::keyClick(&control, Qt::Key_Right);
    EXPECT_EQ(control.value(), QStringLiteral("h"));
    QTest::keyClick(&control, Qt::Key_End);
    EXPECT_EQ(control.value(), QStringLiteral("m"));
    QTest::keyClick(&control, Qt::Key_Right);
    EXPECT_EQ(control.value(), QStringLiteral("m"));
    QTest::keyClick(&control, Qt::Key_Home);
    EXPECT_EQ(control.value(), QStringLiteral("e"));
    ASSERT_EQ(spy.count(), 3);
    EXPECT_EQ(spy.at(0).at(0).toString(), QStringLiteral("h"));
}

TEST(SegmentedControl, MouseChoosesOnlyWhatCanBeChosen) {
    SegmentedControl control(gui->theme.get());
    control.setChoices({QStringLiteral("a"), QStringLiteral("b"), QStringLiteral("c")});
    control.setChoiceDisabled(QStringLiteral("b"), QStringLiteral("why"));
    control.resize(control.sizeHint());
    QSignalSpy spy(&control, &SegmentedControl::chosen);
    QTest::mouseClick(&control, Qt::LeftButton, {}, control.segmentRect(1).center());
    EXPECT_EQ(control.index(), 0);
    QTest::mouseClick(&control, Qt::LeftButton, {}, control.segmentRect(2).center());
    EXPECT_EQ(control.value(), QStringLiteral("c"));
    EXPECT_EQ(spy.count(), 1);
    control.setValue(QStringLiteral("a"));
    EXPECT_EQ(spy.count(), 1) << "setting is not choosing";
}

TEST(SegmentedControl, KeepsItsValueWhenTheChoicesChange) {
    SegmentedControl control(gui->theme.get());
    control.setChoices({QStringLiteral("0"), QStringLiteral("2"), QStringLiteral("4")});
    control.setValue(QStringLiteral("4"));
    control.setChoices({QStringLiteral("2"), QStringLiteral("4")});
    EXPECT_EQ(control.value(), QStringLiteral("4"));
    control.setChoices({QStringLiteral("6")});
    EXPECT_EQ(control.value(), QStringLiteral("6"));
}

TEST(Controls, DisabledOnesSayWhy) {
    std::unique_ptr<QPushButton> button(makeButton(gui->theme.get(), QStringLiteral("Stop")));
    button->setToolTip(QStringLiteral("Stop after this step"));
    setDisabledReason(button.get(), QStringLiteral("Nothing is being trained"));
    EXPECT_FALSE(button->isEnabled());
    EXPECT_EQ(button->toolTip(), QStringLiteral("Nothing is being trained"));
    setDisabledReason(button.get(), {});
    EXPECT_TRUE(button->isEnabled());
    EXPECT_EQ(button->toolTip(), QStringLiteral("Stop after this step"));
}

TEST(PanelFrame, HasFourDesignedStates) {
    PanelFrame frame(gui->theme.get(), QStringLiteral("Loss"));
    frame.resize(420, 260);
    auto* content = new QLabel(QStringLiteral("data"));
    frame.setContent(content);
    frame.show();

    bool acted = false;
    frame.showEmpty(QStringLiteral("No runs yet"), QStringLiteral("Train one"), {QStringLiteral("New run"), [&acted] { acted = true; }});
    EXPECT_EQ(frame.stateName(), QStringLiteral("empty"));
    EXPECT_FALSE(content->isVisible());
    QPushButton* action = nullptr;
    for (QPushButton* button : frame.findChildren<QPushButton*>())
        if (button->isVisible()) action = button;
    ASSERT_NE(action, nullptr);
    EXPECT_EQ(action->text(), QStringLiteral("New run"));
    QTest::mouseClick(action, Qt::LeftButton);
    EXPECT_TRUE(acted);

    frame.showLoading(QStringLiteral("Opening…"));
    EXPECT_EQ(frame.stateName(), QStringLiteral("loading"));
    EXPECT_EQ(frame.stateWords(), QStringLiteral("Opening…"));

    frame.showReady();
    EXPECT_TRUE(content->isVisible());
    frame.showLoading();
    EXPECT_TRUE(content->isVisible()) << "what was shown stays while the new is being read";

    frame.setNotes({QStringLiteral("drawn as 800 of 10 000 points")});
    frame.showPartial(QStringLiteral("2 files are missing"));
    EXPECT_EQ(frame.stateName(), QStringLiteral("partial"));
    bool said = false;
    for (const ElidedLabel* label : frame.findChildren<ElidedLabel*>())
        said |= label->isVisible() && label->fullText().contains(QStringLiteral("2 files are missing")) && label->fullText().contains(QStringLiteral("800 of"));
    EXPECT_TRUE(said);

    frame.showFailed({ErrorKind::kBadInput, "Cannot open the run", "run.toml is missing", "Copy the whole folder", "/tmp/x"});
    EXPECT_EQ(frame.stateName(), QStringLiteral("failed"));
    EXPECT_EQ(frame.stateWords(), QStringLiteral("Cannot open the run"));
    EXPECT_FALSE(content->isVisible());
}

TEST(PanelFrame, SendsItsQueryToFigures) {
    PanelFrame frame(gui->theme.get(), QStringLiteral("Load"));
    frame.setContent(new QLabel(QStringLiteral("x")));
    frame.showReady();
    const auto send = [&frame] { return frame.panelMenu()->actions().first(); };
    EXPECT_FALSE(send()->isEnabled());
    EXPECT_FALSE(send()->toolTip().isEmpty());
    frame.setPanelQuery(analysis::PanelQuery{"load", {{"router", "1.v"}}, {"runs/a"}, ""});
    std::optional<analysis::PanelQuery> sent;
    QObject::connect(&frame, &PanelFrame::sendToFiguresRequested, &frame, [&sent](const analysis::PanelQuery& query) { sent = query; });
    QAction* action = send();
    ASSERT_TRUE(action->isEnabled());
    action->trigger();
    ASSERT_TRUE(sent.has_value());
    EXPECT_EQ(sent->parameters.at("router"), "1.v");
}

TEST(PanelFrame, PaintsHeaderAndPanelInTheThemesColours) {
    PanelFrame frame(gui->theme.get(), QStringLiteral("Loss"));
    frame.resize(300, 200);
    frame.setContent(new QWidget);
    frame.showReady();
    for (const ThemeMode mode : {ThemeMode::kDark, ThemeMode::kLight}) {
        gui->theme->setMode(mode);
        const QImage image = frame.grab().toImage();
        const qreal ratio = image.devicePixelRatio();
        EXPECT_EQ(image.pixelColor(QPoint(150, 120) * ratio), gui->theme->colors().panel);
        EXPECT_EQ(image.pixelColor(QPoint(200, 4) * ratio), gui->theme->colors().panelHeader);
    }
}

TEST(ElidedLabel, BreaksIntoAFewLinesAndSaysTheRestInItsTooltip) {
    const QString text = QStringLiteral("base rate 0.275: the middle of the scale; patches of pictures with the commonest grid, hatched where no token lies");
    ElidedLabel label(text);
    label.setMostLines(2);
    const int one = label.fontMetrics().lineSpacing();
    EXPECT_EQ(label.heightForWidth(4000), one);
    EXPECT_EQ(label.heightForWidth(200), 2 * one) << "no more than two";
    label.resize(200, 2 * one);
    label.show();
    const QStringList lines = label.text().split(QLatin1Char('\n'));
    ASSERT_EQ(lines.size(), 2);
    EXPECT_TRUE(text.startsWith(lines[0]));
    EXPECT_TRUE(lines[1].endsWith(QChar(0x2026)));
    for (const QString& line : lines) EXPECT_LE(label.fontMetrics().horizontalAdvance(line), 200);
    EXPECT_EQ(label.toolTip(), text);
    label.resize(4000, one);
    EXPECT_EQ(label.text(), text);
    EXPECT_TRUE(label.toolTip().isEmpty());
}

TEST(SearchField, WaitsUntilTypingPausesAndEscapeClears) {
    SearchField field(gui->theme.get(), QStringLiteral("Search runs"));
    QSignalSpy spy(&field, &SearchField::searched);
    QTest::keyClicks(&field, QStringLiteral("moe"));
    EXPECT_EQ(spy.count(), 0);
    ASSERT_TRUE(test::waitFor([&spy] { return spy.count() == 1; }, 1000));
    EXPECT_EQ(spy.at(0).at(0).toString(), QStringLiteral("moe"));
    QTest::keyClick(&field, Qt::Key_Return);
    EXPECT_EQ(spy.count(), 2);
    QTest::keyClick(&field, Qt::Key_Escape);
    EXPECT_TRUE(field.text().isEmpty());
}

TEST(FlowLayout, WrapsAndItsHeightFollows) {
    QWidget widget;
    auto* flow = new FlowLayout(&widget, 6, 6);
    for (int i = 0; i < 6; ++i) {
        auto* box = new QWidget;
        box->setFixedSize(50, 20);
        flow->addWidget(box);
    }
    EXPECT_EQ(flow->heightForWidth(400), 20);
    EXPECT_EQ(flow->heightForWidth(170), 46);  // three a row
    EXPECT_EQ(flow->heightForWidth(50), 6 * 20 + 5 * 6);
}

TEST(Chip, DeleteKeyAsksToRemove) {
    Chip chip(gui->theme.get(), QStringLiteral("seed 1"), analysis::ColorRole{analysis::ColorRole::Kind::kRun, 0});
    chip.setRemovable(true);
    QSignalSpy spy(&chip, &Chip::removeRequested);
    QTest::keyClick(&chip, Qt::Key_Delete);
    EXPECT_EQ(spy.count(), 1);
}

TEST(KeyValueTable, ShowsValuesAndReplacesThem) {
    KeyValueTable table(gui->theme.get());
    table.setRows({{QStringLiteral("parameters"), QStringLiteral("3 M")}, {QStringLiteral("router"), QStringLiteral("softmax_topk")}});
    table.setRows({{QStringLiteral("parameters"), QStringLiteral("4 M")}, {QStringLiteral("router"), QStringLiteral("softmax_topk")}});
    bool shown = false;
    for (const ElidedLabel* label : table.findChildren<ElidedLabel*>()) shown |= label->fullText() == QStringLiteral("4 M");
    EXPECT_TRUE(shown);
    table.setRows({});
    EXPECT_TRUE(table.findChildren<ElidedLabel*>().isEmpty());
}

TEST(ChoiceBox, KeepsItsValueAndSignalsOnlyForTheUser) {
    ChoiceBox box(QStringLiteral("Router"), true);
    box.setChoices({QStringLiteral("layer 1"), QStringLiteral("layer 2")}, {QStringLiteral("0"), QStringLiteral("2")});
    QSignalSpy spy(&box, &ChoiceBox::chosen);
    box.setValue(QStringLiteral("2"));
    box.setChoices({QStringLiteral("layer 2"), QStringLiteral("layer 3")}, {QStringLiteral("2"), QStringLiteral("4")});
    EXPECT_EQ(box.value(), QStringLiteral("2"));
    EXPECT_EQ(spy.count(), 0);
    box.setFocus();
    QTest::keyClick(&box, Qt::Key_Down);
    EXPECT_EQ(box.value(), QStringLiteral("4"));
}

}  // namespace
}  // namespace es::views
