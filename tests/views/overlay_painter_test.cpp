// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/overlay_painter.h"

#include <gtest/gtest.h>

#include <QApplication>
#include <QBuffer>
#include <QImage>
#include <QPainter>
#include <QSvgGenerator>
#include <cmath>

#include "tests/views/inspect_fixture.h"
#include "views/overlay/overlay_chips.h"
#include "views/overlay/overlay_legend.h"
#include "views/overlay/picture_image.h"
#include "views/theme/color_math.h"

namespace es::views {
namespace {

using analysis::OverlayPanel;

store::Picture solid(int width, int height, QColor color) {
    QImage image(width, height, QImage::Format_RGBA8888);
    image.fill(color);
    return toPicture(image);
}

/// A white picture of 4 x 2 patches; patch i goes to expert i.
OverlayPanel gridPanel() {
    OverlayPanel panel;
    panel.picture = solid(32, 16, Qt::white);
    panel.grid_width = 4;
    panel.grid_height = 2;
    panel.experts = 8;
    for (int i = 0; i < 8; ++i) panel.patches.push_back({.expert = i, .mass = 0.5f, .value = static_cast<float>(i) / 8});
    return panel;
}

OverlayStyle plainStyle() {
    OverlayStyle style;
    style.opacity = 1;
    style.grid = style.numbers = false;
    return style;
}

QImage drawn(const OverlayPanel& panel, const OverlayStyle& style, QSize size = {320, 160}) {
    QImage image(size, QImage::Format_RGB32);
    image.fill(Qt::magenta);
    QPainter painter(&image);
    paintOverlay(painter, QRectF(QPointF(), QSizeF(size)), panel, style);
    return image;
}

TEST(OverlayGrid, CellsTileThePictureAndPointsFindThem) {
    const OverlayGrid grid{QRectF(10, 20, 400, 200), 4, 2};
    double area = 0;
    for (int i = 0; i < 8; ++i) {
        area += grid.cell(i).width() * grid.cell(i).height();
        EXPECT_EQ(grid.at(grid.cell(i).center()), i);
        EXPECT_EQ(grid.at(grid.cell(i).topLeft()), i);
    }
    EXPECT_DOUBLE_EQ(area, 400.0 * 200.0);
    EXPECT_EQ(grid.at({9, 100}), -1);
    EXPECT_EQ(grid.at({410, 100}), -1);
    EXPECT_TRUE(grid.cell(8).isNull());
    EXPECT_TRUE((OverlayGrid{QRectF(0, 0, 10, 10), 0, 0}.cell(0).isNull()));
}

TEST(OverlayPainter, EachCellHasItsExpertsColour) {
    const OverlayPanel panel = gridPanel();
    const QImage image = drawn(panel, plainStyle());
    const OverlayGrid grid{QRectF(0, 0, 320, 160), 4, 2};
    for (int i = 0; i < 8; ++i) {
        const QPoint middle = grid.cell(i).center().toPoint();
        EXPECT_EQ(image.pixelColor(middle).rgb(), Theme::expertColor(i, Theme::lightColors()).rgb()) << "patch " << i;
    }
}

TEST(OverlayPainter, OpacityLetsThePictureThrough) {
    OverlayPanel panel = gridPanel();
    OverlayStyle style = plainStyle();
    style.opacity = 0;
    EXPECT_EQ(drawn(panel, style).pixelColor(40, 40), QColor(Qt::white));
    style.opacity = 0.5;
    const QColor half = drawn(panel, style).pixelColor(40, 40), full = Theme::expertColor(0, Theme::lightColors());
    EXPECT_NEAR(half.red(), (255 + full.red()) / 2.0, 2);
    EXPECT_NEAR(half.blue(), (255 + full.blue()) / 2.0, 2);
}

TEST(OverlayPainter, TransparentPicturesLieOnWhite) {
    OverlayPanel panel = gridPanel();
    panel.picture = solid(32, 16, Qt::transparent);
    OverlayStyle style = plainStyle();
    style.opacity = 0;
    EXPECT_EQ(drawn(panel, style).pixelColor(100, 100), QColor(Qt::white));
}

TEST(OverlayPainter, CellsSayWhatChangedAndWhatNobodyTook) {
    OverlayPanel panel = gridPanel();
    OverlayPanel::Cell& cell = panel.patches[5];
    EXPECT_EQ(cellLabel(cell, panel), QStringLiteral("5"));
    cell.changed = true;
    cell.before = 2;
    EXPECT_EQ(cellLabel(cell, panel), QStringLiteral("2→5"));
    cell.changed = false;
    panel.show_mass = true;
    EXPECT_EQ(cellLabel(cell, panel), QStringLiteral("5 50%"));
    panel.show_mass = false;
    // An outline of the warning colour where a token changed, none where nothing is compared.
    const auto edge = [&] { return drawn(panel, plainStyle(), {160, 80}).pixelColor(42, 60).rgb(); };
    const QRgb plain = edge();
    panel.patches[5].changed = true;
    EXPECT_EQ(edge(), plain);
    panel.change_title = "changed since step 100";
    EXPECT_NE(edge(), plain);
    // A value of almost nothing has no sign.
    panel.show_values = true;
    panel.patches[5].value = -0.001f;
    EXPECT_EQ(cellLabel(panel.patches[5], panel), QStringLiteral("0.00"));
    panel.patches[5].value = -0.25f;
    EXPECT_EQ(cellLabel(panel.patches[5], panel), QStringLiteral("−0.25"));
}

TEST(OverlayPainter, ASplitCellIsDividedByMass) {
    OverlayPanel panel = gridPanel();
    panel.grid_width = panel.grid_height = 1;
    panel.patches = {{.expert = 3, .mass = 0.75f, .value = 0, .choices = {{3, 0.75f}, {5, 0.25f}}}};
    const QImage image = drawn(panel, plainStyle(), {100, 100});
    EXPECT_EQ(image.pixelColor(50, 70).rgb(), Theme::expertColor(3, Theme::lightColors()).rgb());
    EXPECT_EQ(image.pixelColor(50, 80).rgb(), Theme::expertColor(5, Theme::lightColors()).rgb());
}

TEST(OverlayPainter, TheHighlightedExpertStandsOut) {
    const OverlayPanel panel = gridPanel();
    OverlayStyle style = plainStyle();
    style.highlighted_expert = 1;
    const QImage image = drawn(panel, style);
    EXPECT_EQ(image.pixelColor(120, 40).rgb(), Theme::expertColor(1, Theme::lightColors()).rgb());
    EXPECT_LT(contrast(image.pixelColor(40, 40), Qt::white), contrast(Theme::expertColor(0, Theme::lightColors()), Qt::white) / 2);
}

TEST(OverlayPainter, ValuesUseTheMapAndMissingIsNoColourOfIt) {
    OverlayPanel panel = gridPanel();
    panel.show_values = true;
    panel.patches[0].value = 0;
    panel.patches[1].value = 1;
    panel.patches[2].value = std::numeric_limits<float>::quiet_NaN();
    const QImage image = drawn(panel, plainStyle());
    EXPECT_EQ(image.pixelColor(40, 40).rgb(), Theme::mapColor(analysis::ColorMap::kCividis, 0).rgb());
    EXPECT_EQ(image.pixelColor(120, 40).rgb(), Theme::mapColor(analysis::ColorMap::kCividis, 1).rgb());
    EXPECT_FALSE(cellColor(panel.patches[2], panel, Theme::lightColors()).isValid());
    EXPECT_TRUE(cellLabel(panel.patches[2], panel).isEmpty());
    EXPECT_EQ(cellLabel(panel.patches[1], panel), QStringLiteral("1.00"));
}

TEST(OverlayPainter, NumbersReadOnTheirPlatesAndGoWhenCellsAreTooSmall) {
    OverlayPanel panel = gridPanel();
    for (auto& cell : panel.patches) cell.expert = 7;  // yellow: black ink
    OverlayStyle style = plainStyle();
    style.font = QApplication::font();
    style.numbers = true;
    const auto darkest = [](const QImage& image) {
        int dark = 255;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) dark = std::min(dark, qGray(image.pixel(x, y)));
        return dark;
    };
    EXPECT_LT(darkest(drawn(panel, style)), 90);
    EXPECT_GT(darkest(drawn(panel, style, {32, 16})), 150);  // 8 px cells
    style.numbers = false;
    EXPECT_GT(darkest(drawn(panel, style)), 150);
}

TEST(OverlayPainter, UnitsScaleEverythingButTheCells) {
    OverlayPanel panel = gridPanel();
    OverlayStyle style = plainStyle();
    style.font = QApplication::font();
    style.numbers = true;
    const auto inked = [&](double unit) {
        style.unit = unit;
        const QImage image = drawn(panel, style, QSize(320, 160) * unit), bare = drawn(panel, plainStyle(), QSize(320, 160) * unit);
        int count = 0;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) count += image.pixel(x, y) != bare.pixel(x, y);
        return count / (unit * unit);
    };
    EXPECT_NEAR(inked(3) / inked(1), 1, 0.25);  // a page of three times as many dots shows the same picture
}

TEST(OverlayPainter, MaskedCellsAreHatchedAndDroppedOnesCrossed) {
    OverlayPanel panel = gridPanel();
    const QImage before = drawn(panel, plainStyle());
    panel.patches[0].masked = true;
    panel.patches[5].dropped = true;
    const QImage after = drawn(panel, plainStyle());
    const auto differing = [&](int cell) {
        const QRect area = OverlayGrid{QRectF(0, 0, 320, 160), 4, 2}.cell(cell).toRect();
        int count = 0;
        for (int y = area.top(); y < area.bottom(); ++y)
            for (int x = area.left(); x < area.right(); ++x) count += before.pixel(x, y) != after.pixel(x, y);
        return count;
    };
    EXPECT_GT(differing(0), 300);
    EXPECT_GT(differing(5), 150);
    EXPECT_EQ(differing(2), 0);
    EXPECT_EQ(after.pixelColor(120, 120).rgb(), Theme::lightColors().bad.rgb());  // the middle of the cross
}

TEST(OverlayPainter, OnlyThePictureIsNotVector) {
    OverlayPanel panel = gridPanel();
    panel.patches[1].masked = panel.patches[2].dropped = true;
    QByteArray svg;
    QBuffer buffer(&svg);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize({320, 160});
    OverlayStyle style;
    style.font = QApplication::font();
    QPainter painter(&generator);
    paintOverlay(painter, QRectF(0, 0, 320, 160), panel, style);
    painter.end();
    EXPECT_EQ(svg.count("<image"), 1);
    for (int expert = 0; expert < 8; ++expert) EXPECT_TRUE(svg.contains(">" + QByteArray::number(expert) + "</text>")) << expert;
}

TEST(OverlayPainter, DamagedPanelsDrawNothingWrong) {
    OverlayPanel panel = gridPanel();
    panel.patches.resize(3);  // fewer than the grid has
    panel.picture.rgba.resize(7);
    EXPECT_FALSE(drawn(panel, plainStyle()).isNull());
    EXPECT_FALSE(drawn({}, plainStyle()).isNull());
}

TEST(Pictures, RoundTripAndPatches) {
    const store::Picture picture = solid(48, 24, QColor(1, 2, 3, 4));
    const store::Picture again = toPicture(toImage(picture));
    EXPECT_EQ(again.rgba, picture.rgba);
    EXPECT_EQ(patchPixels(picture, 6, 3, 7), QRect(8, 8, 8, 8));
    EXPECT_TRUE(patchPixels(picture, 6, 3, 18).isEmpty());
    EXPECT_TRUE(patchPixels({}, 6, 3, 0).isEmpty());
    const QImage small = thumbnail(picture, 20, 2);
    EXPECT_EQ(small.size(), QSize(40, 40));
    EXPECT_EQ(small.pixelColor(20, 2), QColor(Qt::white));  // above the wide picture
}

TEST(Chips, WrapAndWalkBetweenLines) {
    OverlayPanel panel;
    for (const char* word : {"a", "mountain", "goat", "standing", "on", "a", "rock"}) panel.words.push_back({word, {.expert = 5, .mass = 0.5f, .value = 0}, 0});
    OverlayStyle style;
    style.font = QApplication::font();
    const ChipLayout layout = layoutChips(panel, {0, 0}, 160, style);
    ASSERT_EQ(layout.boxes.size(), 7u);
    EXPECT_GT(layout.boxes.back().top(), layout.boxes.front().top());
    for (std::size_t i = 0; i < layout.boxes.size(); ++i) {
        EXPECT_LE(layout.boxes[i].right(), 160.5);
        EXPECT_EQ(layout.at(layout.boxes[i].center()), static_cast<int>(i));
    }
    const int below = layout.lineStep(0, 1);
    EXPECT_GT(layout.boxes[static_cast<std::size_t>(below)].top(), layout.boxes[0].top());
    EXPECT_EQ(layout.lineStep(0, -1), 0);
    EXPECT_LT(layout.height, layoutChips(panel, {0, 0}, 60, style).height);
}

TEST(Legend, CountsFirstChoicesLargestFirst) {
    OverlayPanel panel = gridPanel();
    for (auto& cell : panel.patches) cell.expert = 2;
    panel.patches[0].expert = 5;
    panel.patches[1].expert = -1;  // dropped: part of the whole, no entry
    const auto entries = legendOf(panel);
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[0].expert, 2);
    EXPECT_DOUBLE_EQ(entries[0].share, 6.0 / 8);
    EXPECT_EQ(entries[0].text, QStringLiteral("expert 2 · 75 %"));
    EXPECT_DOUBLE_EQ(entries[1].share, 1.0 / 8);
}

TEST(Legend, SoftRoutingIsToldByWeightNotByWhoLeads) {
    OverlayPanel panel = gridPanel();
    for (auto& cell : panel.patches) cell.expert = 6;  // leads everywhere, by little
    panel.show_mass = true;
    panel.share_E = {0.12, 0.12, 0.12, 0.12, 0.12, 0.12, 0.16, 0.12};
    const auto entries = legendOf(panel);
    ASSERT_EQ(entries.size(), 8u);
    EXPECT_EQ(entries[0].text, QStringLiteral("expert 6 · 16 %"));
    EXPECT_DOUBLE_EQ(entries[7].share, 0.12);
}

TEST(Overlay, NumbersOfExpertsThatStepBackCanBeRead) {
    OverlayPanel panel = gridPanel();
    for (const bool dark : {false, true}) {
        OverlayStyle style;
        style.colors = dark ? Theme::darkColors() : Theme::lightColors();
        style.font = QFont(QStringLiteral("Inter"));
        style.highlighted_expert = 0;
        const QImage image = drawn(panel, style, {640, 320});
        // The plate of expert 3, top right: its lightest and darkest pixels are ground and ink.
        const QRect plate(3 * 160 + 1, 1, 14, 14);
        double low = 1, high = 0;
        for (int y = plate.top(); y < plate.bottom(); ++y)
            for (int x = plate.left(); x < plate.right(); ++x) {
                low = std::min(low, luminance(image.pixelColor(x, y)));
                high = std::max(high, luminance(image.pixelColor(x, y)));
            }
        EXPECT_GE((high + 0.05) / (low + 0.05), 4.5) << (dark ? "dark" : "light");
    }
}

TEST(Overlay, OneExpertAloneMayCarryNumbersOneARegion) {
    OverlayPanel panel = gridPanel();
    for (const std::size_t i : {2, 3, 7, 4}) panel.patches[i].expert = 2;  // patches 2, 3 and 7 touch; 4 is the other row's first
    OverlayStyle style = plainStyle();
    const QImage without = drawn(panel, style);
    style.font = QFont(QStringLiteral("Inter"));
    style.numbers = true;
    style.numbered_expert = 2;
    const QImage one = drawn(panel, style);
    const auto same = [&](int patch) {
        const QRect cell(patch % 4 * 80, patch / 4 * 80, 80, 80);
        return without.copy(cell) == one.copy(cell);
    };
    for (const int patch : {2, 4}) EXPECT_FALSE(same(patch)) << patch;
    for (const int patch : {0, 1, 3, 5, 6, 7}) EXPECT_TRUE(same(patch)) << patch;
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
