// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/theme/theme.h"

#include <QDir>
#include <QFontInfo>
#include <QFontMetrics>
#include <set>

#include "gui_test.h"
#include "views/theme/color_math.h"
#include "views/theme/style_sheet.h"

namespace es::views {
namespace {

using test::gui;

TEST(ColorMath, ContrastIsTheOneOfWcag) {
    EXPECT_NEAR(contrast(Qt::black, Qt::white), 21.0, 1e-9);
    EXPECT_NEAR(contrast(QColor(119, 119, 119), Qt::white), 4.478, 0.001);
    EXPECT_NEAR(contrast(Qt::red, Qt::red), 1.0, 1e-12);
}

TEST(ColorMath, OklchComesBack) {
    for (const QRgb rgb : {0xFF0072B2u, 0xFFE69F00u, 0xFF123456u, 0xFFFFFFFFu, 0xFF000000u}) {
        const QColor color(rgb), back = fromOklch(toOklch(color));
        EXPECT_NEAR(color.red(), back.red(), 1);
        EXPECT_NEAR(color.green(), back.green(), 1);
        EXPECT_NEAR(color.blue(), back.blue(), 1);
    }
    EXPECT_NEAR(toOklch(Qt::red).lightness, 0.628, 0.001);  // Ottosson's own table
    EXPECT_NEAR(toOklch(Qt::red).hue_deg, 29.23, 0.05);
}

TEST(ThemeColors, TextCanBeReadOnEveryGround) {
    for (const ThemeColors* c : {&Theme::lightColors(), &Theme::darkColors()}) {
        for (const QColor& ground : {c->panel, c->panelHeader, c->accentGround, c->ground}) EXPECT_GE(contrast(c->text, ground), 7) << c->dark;
        for (const QColor& ground : {c->panel, c->panelHeader}) EXPECT_GE(contrast(c->muted, ground), 4.3) << c->dark;
        EXPECT_GE(contrast(c->textOnAccent, c->accent), 4.5);
        for (const QColor& color : {c->good, c->warn, c->bad, c->accent, c->faint}) EXPECT_GE(contrast(Theme::legible(color, c->panel), c->panel), 4.5);
    }
    EXPECT_EQ(Theme::lightColors().accent, QColor(0x1F, 0x5F, 0xC8));
    EXPECT_EQ(Theme::darkColors().panel, QColor(0x1B, 0x20, 0x27));
}

TEST(ThemeColors, NumbersOnExpertsHaveContrast) {
    for (const ThemeColors* c : {&Theme::lightColors(), &Theme::darkColors()})
        for (int expert = 0; expert < 256; ++expert) {
            const QColor color = Theme::expertColor(expert, *c);
            EXPECT_GE(contrast(Theme::inkOn(color), color), 4.5) << "expert " << expert;
        }
    for (int i = 0; i <= 100; ++i) {
        const QColor color = Theme::mapColor(analysis::ColorMap::kCividis, i / 100.0);
        EXPECT_GE(contrast(Theme::inkOn(color), color), 4.5);
    }
}

TEST(ThemeColors, FirstExpertsAreOkabeIto) {
    EXPECT_EQ(Theme::expertColor(0, Theme::lightColors()).name(), QStringLiteral("#0072b2"));
    EXPECT_EQ(Theme::expertColor(5, Theme::lightColors()).name(), QStringLiteral("#d55e00"));
    EXPECT_EQ(Theme::expertColor(6, Theme::lightColors()).name(), QStringLiteral("#555555"));
    EXPECT_EQ(Theme::expertColor(6, Theme::darkColors()).name(), QStringLiteral("#9aa0a6"));
}

TEST(ThemeColors, ExpertsDifferFromEachOther) {
    std::set<QRgb> seen;
    for (int expert = 0; expert < 64; ++expert) EXPECT_TRUE(seen.insert(Theme::expertColor(expert, Theme::lightColors()).rgb()).second) << expert;
    for (int expert = 8; expert < 16; ++expert) {
        const Oklch first = toOklch(Theme::expertColor(expert - 8, Theme::lightColors())), second = toOklch(Theme::expertColor(expert, Theme::lightColors()));
        EXPECT_GE(std::abs(first.lightness - second.lightness), 0.1) << expert;
        if (first.chroma < 0.03) continue;  // grey has no hue
        const double turn = std::abs(std::remainder(first.hue_deg - second.hue_deg, 360));
        EXPECT_LE(turn, 8) << expert;
    }
}

TEST(ThemeColors, MapsRunFromDarkToLightAndThroughWhite) {
    double before = -1;
    for (int i = 0; i <= 64; ++i) {
        const double now = luminance(Theme::mapColor(analysis::ColorMap::kCividis, i / 64.0));
        EXPECT_GT(now, before);
        before = now;
    }
    EXPECT_EQ(Theme::mapColor(analysis::ColorMap::kDiverging, 0.5), QColor(255, 255, 255));
    EXPECT_GT(Theme::mapColor(analysis::ColorMap::kDiverging, 0.0).blue(), Theme::mapColor(analysis::ColorMap::kDiverging, 0.0).red());
    EXPECT_GT(Theme::mapColor(analysis::ColorMap::kDiverging, 1.0).red(), Theme::mapColor(analysis::ColorMap::kDiverging, 1.0).blue());
}

TEST(Theme, ShipsItsFontsAndFiguresAreTabular) {
    for (const auto role : {Theme::FontRole::kBody, Theme::FontRole::kTitle, Theme::FontRole::kSecondary})
        EXPECT_EQ(QFontInfo(gui->theme->font(role)).family(), QStringLiteral("Inter"));
    EXPECT_EQ(QFontInfo(gui->theme->font(Theme::FontRole::kMono)).family(), QStringLiteral("JetBrains Mono"));
    EXPECT_EQ(QFontInfo(QFont(QStringLiteral("Latin Modern Roman"))).family(), QStringLiteral("Latin Modern Roman"));
    for (const auto role : {Theme::FontRole::kTabular, Theme::FontRole::kAxis}) {
        const QFontMetricsF metrics(gui->theme->font(role));
        for (const char digit : {'1', '4', '8'}) EXPECT_DOUBLE_EQ(metrics.horizontalAdvance(QLatin1Char(digit)), metrics.horizontalAdvance(QLatin1Char('0')));
        EXPECT_GE(gui->theme->font(role).pixelSize(), 11);
    }
}

TEST(Theme, EveryIconDraws) {
    const QStringList names = QDir(QStringLiteral(":/icons")).entryList({QStringLiteral("*.svg")}, QDir::Files);
    EXPECT_GT(names.size(), 40);
    for (const QString& name : names) {
        const QImage image = gui->theme->icon(name.chopped(4), QColor(200, 30, 30)).toImage();
        int inked = 0;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x) inked += qAlpha(image.pixel(x, y)) > 60;
        EXPECT_GE(inked, 6) << name.toStdString();
        EXPECT_LE(inked, 16 * 16 * 8 / 10) << name.toStdString();
    }
}

TEST(Theme, ModesChangeThePaletteAndTellViews) {
    int told = 0;
    const auto connection = QObject::connect(gui->theme.get(), &Theme::changed, [&told] { ++told; });
    gui->theme->setMode(ThemeMode::kDark);
    EXPECT_EQ(told, 1);
    EXPECT_TRUE(gui->theme->colors().dark);
    EXPECT_EQ(QApplication::palette().color(QPalette::Window), Theme::darkColors().ground);
    gui->theme->setMode(ThemeMode::kDark);
    EXPECT_EQ(told, 1);
    gui->theme->setMode(ThemeMode::kLight);
    EXPECT_EQ(told, 2);
    EXPECT_EQ(QApplication::palette().color(QPalette::Window), Theme::lightColors().ground);
    QObject::disconnect(connection);
}

TEST(StyleSheet, EveryTokenIsKnown) {
    for (const ThemeColors* c : {&Theme::lightColors(), &Theme::darkColors()}) {
        const QString sheet = makeStyleSheet(*c, {});
        EXPECT_FALSE(sheet.contains(QColor(Qt::magenta).name())) << "a token of the template has no colour";
        EXPECT_FALSE(sheet.contains(QLatin1Char('@')));
        EXPECT_EQ(sheet.count(QLatin1Char('{')), sheet.count(QLatin1Char('}')));
    }
}

}  // namespace
}  // namespace es::views
