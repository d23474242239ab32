// SPDX-License-Identifier: GPL-3.0-or-later
#include <QJsonArray>
#include <QSignalSpy>
#include <algorithm>
#include <cmath>

#include "gui_test.h"
#include "views/models/panel_json.h"
#include "views/plots/axis_text.h"
#include "views/plots/heatmap_plot.h"
#include "views/plots/label_layout.h"
#include "views/plots/line_plot.h"
#include "views/plots/plot_panel.h"
#include "views/plots/reduction.h"

namespace es::views {
namespace {

using analysis::ColorRole;
using analysis::Curve;
using analysis::LinePanel;
using test::gui;

TEST(ReduceCurve, KeepsExtremesEndsAndOrder) {
    std::vector<double> x, y;
    for (int i = 0; i < 100000; ++i) {
        x.push_back(i);
        y.push_back(std::sin(i * 0.001));
    }
    y[31337] = 50;  // one step wide: what must not be lost
    y[77777] = -50;
    const ReducedCurve reduced = reduceCurve(x, y, 0, 1e6, 400);
    EXPECT_TRUE(reduced.reduced);
    EXPECT_LE(reduced.x.size(), 2 * 400 + 4u);
    EXPECT_TRUE(std::is_sorted(reduced.x.begin(), reduced.x.end()));
    EXPECT_EQ(*std::max_element(reduced.y.begin(), reduced.y.end()), 50);
    EXPECT_EQ(*std::min_element(reduced.y.begin(), reduced.y.end()), -50);
    EXPECT_EQ(reduced.x.front(), 0);
    EXPECT_EQ(reduced.x.back(), 99999);
}

TEST(ReduceCurve, TakesOnePointBeyondTheViewAndKeepsHoles) {
    const std::vector<double> x{0, 1, 2, 3, 4, 5}, y{0, 1, 2, analysis::kMissing, 4, 5};
    const ReducedCurve part = reduceCurve(x, y, 2, 3, 100);
    EXPECT_EQ(part.x, (std::vector<double>{1, 2, 3, 4}));
    EXPECT_FALSE(part.reduced);
    EXPECT_TRUE(std::isnan(part.y[2]));

    std::vector<double> many_x, many_y;
    for (int i = 0; i < 5000; ++i) {
        many_x.push_back(i);
        many_y.push_back(i == 2500 ? analysis::kMissing : 1);
    }
    const ReducedCurve holed = reduceCurve(many_x, many_y, 0, 5000, 50);
    EXPECT_EQ(std::count_if(holed.y.begin(), holed.y.end(), [](double v) { return std::isnan(v); }), 1) << "a gap stays a gap";
    EXPECT_TRUE(reduceCurve({}, {}, 0, 1, 10).x.empty());
}

TEST(SpreadLabels, MovesNothingThatDoesNotTouch) { EXPECT_EQ(spreadLabels({100, 20, 60}, 15, 0, 200), (std::vector<double>{100, 20, 60})); }

TEST(SpreadLabels, SeparatesWithinTheBounds) {
    const std::vector<double> placed = spreadLabels({50, 52, 51, 199}, 15, 0, 200);
    ASSERT_EQ(placed.size(), 4u);
    std::vector<double> sorted = placed;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 1; i < sorted.size(); ++i) EXPECT_GE(sorted[i] - sorted[i - 1], 15 - 1e-9);
    EXPECT_GE(sorted.front(), 7.5);
    EXPECT_LE(sorted.back(), 192.5);
    EXPECT_LT(placed[0], placed[2]);  // the order of the curves' ends
    EXPECT_LT(placed[2], placed[1]);
    EXPECT_TRUE(spreadLabels(std::vector<double>(20, 5), 15, 0, 200).empty()) << "what does not fit is not squeezed in";
}

std::shared_ptr<LinePanel> twoCurves() {
    auto panel = std::make_shared<LinePanel>();
    panel->x.title = "step";
    panel->y.title = "loss";
    for (int c = 0; c < 2; ++c) {
        Curve curve;
        curve.label = c == 0 ? "sparse" : "dense";
        curve.color = {ColorRole::Kind::kSeries, c};
        for (int i = 0; i <= 600; ++i) {
            curve.x.push_back(i);
            curve.y.push_back(5 * std::exp(-i / 150.0) + 1 + 0.3 * c);
        }
        panel->curves.push_back(std::move(curve));
    }
    return panel;
}

TEST(LinePlot, DrawsCurvesInTheirColoursInsideTheAxes) {
    LinePlot plot(gui->theme.get());
    plot.resize(500, 260);
    plot.setPanel(twoCurves());
    plot.show();
    ASSERT_TRUE(test::waitFor([&] { return plot.dataArea().width() > 200 && plot.toPixel(600, 1).x() <= 500; }, 1000));
    QTest::qWait(30);
    const QImage image = plot.grab().toImage();
    EXPECT_GT(test::countPixels(image, QColor(0x00, 0x72, 0xB2), 40), 150);
    EXPECT_GT(test::countPixels(image, QColor(0xE6, 0x9F, 0x00), 40), 150);
    const QRectF area = plot.dataArea();
    for (const double step : {0.0, 300.0, 600.0}) {
        EXPECT_GE(plot.toPixel(step, 1.2).x(), area.left() - 1);
        EXPECT_LE(plot.toPixel(step, 1.2).x(), area.right() + 1);
    }
    EXPECT_GE(plot.toPixel(0, 6.3).y(), area.top() - 1) << "the largest value is on the plot";
    EXPECT_LT(area.right(), plot.width() - 30) << "names stand beside the curves";
}

TEST(LinePlot, HeldOutPointsShareTheNameOfTheirLine) {
    LinePlot alone(gui->theme.get()), with_points(gui->theme.get());
    auto panel = twoCurves();
    alone.resize(500, 260);
    alone.setPanel(panel);
    auto more = std::make_shared<LinePanel>(*panel);
    Curve points = panel->curves[0];
    points.label += " (held out)";
    points.points = true;
    points.x = {0, 300, 600};
    points.y = {6, 2, 1};
    more->curves.push_back(points);
    with_points.resize(500, 260);
    with_points.setPanel(more);
    alone.show();
    with_points.show();
    QTest::qWait(30);
    EXPECT_NEAR(alone.dataArea().right(), with_points.dataArea().right(), 1) << "no second name takes room";
    const QRect key = with_points.dataArea().toRect().adjusted(static_cast<int>(with_points.dataArea().width()) - 70, 0, 0,
                                                               -static_cast<int>(with_points.dataArea().height()) + 20);
    EXPECT_GT(test::countPixels(with_points.grab(key).toImage(), gui->theme->colors().muted, 40), 20) << "a key says what the points are";
}

TEST(LinePlot, ANameStandsAtTheRightEndOfACurveThatRunsBackwards) {
    LinePlot plot(gui->theme.get());
    plot.resize(500, 260);
    auto panel = std::make_shared<LinePanel>();
    Curve curve;
    curve.label = "in time";
    curve.color = {ColorRole::Kind::kSeries, 0};
    curve.x = {3, 2.5, 2};
    curve.y = {1, 4, 9};
    panel->curves.push_back(curve);
    plot.setPanel(panel);
    plot.show();
    QTest::qWait(30);
    const QRectF area = plot.dataArea();
    const int y = static_cast<int>(plot.toPixel(3, 1).y());
    const QImage beside = plot.grab(QRect(static_cast<int>(area.right()) + 6, y - 10, plot.width() - static_cast<int>(area.right()) - 6, 20)).toImage();
    EXPECT_GT(test::countPixels(beside, QColor(0x00, 0x72, 0xB2), 60), 20);
}

TEST(LinePlot, WheelZoomsKeysPanAndDoubleClickShowsAll) {
    LinePlot plot(gui->theme.get());
    plot.resize(500, 260);
    plot.setPanel(twoCurves());
    plot.show();
    QTest::qWait(30);
    const double before = plot.toPixel(400, 1).x() - plot.toPixel(200, 1).x();
    QTest::keyClick(&plot, Qt::Key_Plus);
    QTest::qWait(20);
    EXPECT_TRUE(plot.zoomed());
    EXPECT_NEAR(plot.toPixel(400, 1).x() - plot.toPixel(200, 1).x(), before / 0.8, 2);
    const QJsonObject state = plot.viewState();
    const double left = plot.toPixel(300, 1).x();
    QTest::keyClick(&plot, Qt::Key_Right, Qt::ShiftModifier);
    QTest::qWait(20);
    EXPECT_LT(plot.toPixel(300, 1).x(), left);
    plot.setPanel(twoCurves());
    QTest::qWait(20);
    EXPECT_TRUE(plot.zoomed()) << "new data do not take the zoom away";
    QTest::keyClick(&plot, Qt::Key_Home);
    QTest::qWait(20);
    EXPECT_FALSE(plot.zoomed());
    plot.restoreViewState(state);
    EXPECT_TRUE(plot.zoomed());
    QTest::mouseDClick(plot.childAt(200, 100), Qt::LeftButton, {}, QPoint(200, 100));
    EXPECT_FALSE(plot.zoomed());
}

TEST(LinePlot, ClickGivesTheValueUnderTheMouse) {
    LinePlot plot(gui->theme.get());
    plot.resize(500, 260);
    plot.setPanel(twoCurves());
    plot.show();
    QTest::qWait(30);
    QSignalSpy spy(&plot, &LinePlot::clicked);
    const QPoint at(qRound(plot.toPixel(300, 1).x()), qRound(plot.dataArea().center().y()));
    QTest::mouseClick(plot.childAt(at), Qt::LeftButton, {}, at);
    ASSERT_EQ(spy.count(), 1);
    EXPECT_NEAR(spy.at(0).at(0).toDouble(), 300, 2);
}

TEST(LinePlot, BearsEmptyBrokenAndLogarithmicData) {
    LinePlot plot(gui->theme.get());
    plot.resize(300, 200);
    plot.show();
    auto panel = std::make_shared<LinePanel>();
    plot.setPanel(panel);
    QTest::qWait(10);
    panel = twoCurves();
    panel->y.scale = analysis::Scale::kLog;
    panel->curves[0].y[5] = 0;
    panel->curves[0].y[6] = analysis::kMissing;
    panel->curves[1].y.assign(panel->curves[1].y.size(), -1);
    panel->markers.push_back({100, "spike at step 100", {}});
    panel->lines.push_back({2, "uniform"});
    plot.setPanel(panel);
    QTest::qWait(20);
    plot.grab();
    panel = std::make_shared<LinePanel>();
    Curve back;
    back.label = "ratio";
    back.x = {3, 2.5, 2};
    back.y = {1, 1.5, 2};
    back.low = {0.9, 1.4, 1.9};
    back.high = {1.1, 1.6, 2.1};
    panel->curves.push_back(back);
    Curve one = back;
    one.points = true;
    one.x = {2.2};
    one.y = {1.1};
    one.low = {1.0};
    one.high = {1.2};
    panel->curves.push_back(one);
    Curve zigzag;
    zigzag.x = {2, 3, 2.5};
    zigzag.y = {1, 2, 1};
    panel->curves.push_back(zigzag);
    plot.setPanel(panel);
    QTest::qWait(20);
    plot.grab();
}

std::shared_ptr<analysis::HeatmapPanel> map(int rows, int columns) {
    auto panel = std::make_shared<analysis::HeatmapPanel>();
    panel->x.title = "step";
    panel->y.title = "expert";
    panel->rows = rows;
    panel->columns = columns;
    panel->value_title = "share ÷ even share";
    panel->value_max = 2;
    for (int i = 0; i < rows * columns; ++i) panel->values.push_back(2.0 * i / (rows * columns - 1));
    return panel;
}

TEST(ScreenTicks, AShortAxisHasTwoNumbersAtLeast) {
    for (const double last : {60.0, 200.0, 399.0, 400.0, 2400.0, 24000.0})
        for (const double width : {40.0, 90.0, 130.0})
            EXPECT_GE(screenTicks({1, last, analysis::Scale::kLinear}, width, 66).at.size(), 2u) << last << " in " << width << " px";
}

TEST(HeatmapPlot, CellsHaveTheMapsColours) {
    HeatmapPlot plot(gui->theme.get());
    plot.resize(420, 240);
    plot.setPanel(map(4, 6));
    const QImage image = plot.grab().toImage();
    for (int row = 0; row < 4; ++row)
        for (int column = 0; column < 6; ++column) {
            const QColor expected = Theme::mapColor(analysis::ColorMap::kCividis, (row * 6 + column) / 23.0);
            EXPECT_EQ(image.pixelColor(plot.cellRect(row, column).center().toPoint()).rgb(), expected.rgb()) << row << ", " << column;
        }
}

TEST(HeatmapPlot, MissingCellsAreHatchedNotColoured) {
    HeatmapPlot plot(gui->theme.get());
    plot.resize(420, 240);
    auto panel = map(2, 3);
    panel->values[4] = analysis::kMissing;
    plot.setPanel(panel);
    const QImage cell = plot.grab().toImage().copy(plot.cellRect(1, 1).toRect().adjusted(3, 3, -3, -3));
    EXPECT_GT(test::countPixels(cell, gui->theme->colors().panelHeader, 4), cell.width() * cell.height() / 3);
    EXPECT_EQ(test::countPixels(cell, Theme::mapColor(analysis::ColorMap::kCividis, 0), 6), 0);
    EXPECT_TRUE(plot.cellText(1, 1).contains(QStringLiteral("not recorded")));
}

TEST(HeatmapPlot, KeysMoveTheCellAndReturnClicks) {
    HeatmapPlot plot(gui->theme.get());
    plot.resize(420, 240);
    plot.setPanel(map(3, 20));
    QSignalSpy clicked(&plot, &HeatmapPlot::cellClicked), hovered(&plot, &HeatmapPlot::cellHovered);
    QTest::keyClick(&plot, Qt::Key_Down);  // the first key finds the first cell
    QTest::keyClick(&plot, Qt::Key_Down);
    QTest::keyClick(&plot, Qt::Key_Right);
    QTest::keyClick(&plot, Qt::Key_PageDown);
    QTest::keyClick(&plot, Qt::Key_Return);
    ASSERT_EQ(clicked.count(), 1);
    EXPECT_EQ(clicked.at(0), (QList<QVariant>{1, 11}));
    EXPECT_EQ(hovered.count(), 4);
    QTest::keyClick(&plot, Qt::Key_End);
    QTest::keyClick(&plot, Qt::Key_Right);
    QTest::keyClick(&plot, Qt::Key_Return);
    EXPECT_EQ(clicked.at(1), (QList<QVariant>{1, 19}));
}

TEST(HeatmapPlot, ASpikeInALongHistoryIsSeen) {
    HeatmapPlot plot(gui->theme.get());
    plot.resize(300, 120);
    auto panel = map(1, 20000);
    panel->values.assign(20000, 1.0);
    panel->values[12345] = 2.0;
    for (int i = 0; i < 20000; ++i) panel->x_values.push_back(i);
    plot.setPanel(panel);
    const QImage row = plot.grab().toImage().copy(plot.cellRect(0, 0).toRect().adjusted(0, 4, static_cast<int>(plot.width()), -4));
    EXPECT_GE(test::countPixels(row, Theme::mapColor(analysis::ColorMap::kCividis, 1), 3), row.height() / 2);
}

TEST(PlotPanel, ShowsEveryKindAndDumpsIt) {
    PlotPanel frame(gui->theme.get(), QStringLiteral("any"), QStringLiteral("Any"));
    frame.resize(420, 260);
    frame.show();
    EXPECT_TRUE(frame.dump().value(QStringLiteral("data")).isNull());
    analysis::Panel panel;
    panel.title = "Loss";
    panel.notes = {"reduced"};
    panel.content = *twoCurves();
    frame.showPanel(std::make_shared<analysis::Panel>(panel));
    ASSERT_NE(frame.linePlot(), nullptr);
    const QJsonObject data = frame.dump().value(QStringLiteral("data")).toObject();
    EXPECT_EQ(data.value(QStringLiteral("kind")).toString(), QStringLiteral("line"));
    EXPECT_EQ(frame.title(), QStringLiteral("Loss"));
    EXPECT_EQ(frame.notes(), QStringList{QStringLiteral("reduced")});
    panel.content = *map(2, 2);
    frame.showPanel(std::make_shared<analysis::Panel>(panel));
    EXPECT_EQ(frame.linePlot(), nullptr);
    ASSERT_NE(frame.heatmapPlot(), nullptr);
    analysis::BarPanel bars;
    bars.bars = {{"a", 1, 0.5, 1.5, {}, true}, {"b", analysis::kMissing, analysis::kMissing, analysis::kMissing, {}, false}};
    panel.content = bars;
    frame.showPanel(std::make_shared<analysis::Panel>(panel));
    ASSERT_NE(frame.barPlot(), nullptr);
    EXPECT_TRUE(
        frame.dump().value(QStringLiteral("data")).toObject().value(QStringLiteral("bars")).toArray().at(1).toObject().value(QStringLiteral("value")).isNull());
    analysis::ForestPanel forest;
    forest.rows = {{"animals", -0.3, -0.4, -0.2, 80, {}}, {"food", 0.1, -0.1, 0.3, 20, {}}};
    panel.content = forest;
    frame.showPanel(std::make_shared<analysis::Panel>(panel));
    ASSERT_NE(frame.forestPlot(), nullptr);
    frame.grab();
    panel.content = analysis::TablePanel{{"loss", "value"}, {{"total", "1.8"}}, {0, 1}};
    frame.showPanel(std::make_shared<analysis::Panel>(panel));
    ASSERT_NE(frame.tableView(), nullptr);
    EXPECT_EQ(frame.tableView()->model()->index(0, 1).data().toString(), QStringLiteral("1.8"));
    EXPECT_EQ(toTabSeparated(panel), QStringLiteral("loss\tvalue\ntotal\t1.8\n"));
}

}  // namespace
}  // namespace es::views
