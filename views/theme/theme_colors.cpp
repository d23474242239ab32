// SPDX-License-Identifier: GPL-3.0-or-later
// The tokens themselves, and the series of colours for experts, runs, curves and maps.
#include <algorithm>
#include <array>
#include <cmath>

#include "views/theme/color_math.h"
#include "views/theme/theme.h"

namespace es::views {
namespace {

ThemeColors makeLight() {
    ThemeColors c;
    c.ground = QColor(0xEB, 0xEE, 0xF2);
    c.panel = QColor(0xFF, 0xFF, 0xFF);
    c.panelHeader = QColor(0xF7, 0xF8, 0xFA);
    c.line = QColor(0xD8, 0xDD, 0xE5);
    c.text = QColor(0x24, 0x2C, 0x38);
    c.muted = QColor(0x6B, 0x75, 0x85);
    c.faint = QColor(0x9A, 0xA3, 0xB0);
    c.accent = QColor(0x1F, 0x5F, 0xC8);
    c.accentGround = QColor(0xE3, 0xEC, 0xF9);
    c.good = QColor(0x2E, 0x9E, 0x6B);
    c.warn = QColor(0xC9, 0x73, 0x0A);
    c.bad = QColor(0xB4, 0x23, 0x18);
    c.gridLine = mix(c.panel, c.line, 0.5);
    c.textOnAccent = QColor(0xFF, 0xFF, 0xFF);
    return c;
}

ThemeColors makeDark() {
    ThemeColors c;
    c.ground = QColor(0x12, 0x16, 0x1C);
    c.panel = QColor(0x1B, 0x20, 0x27);
    c.panelHeader = QColor(0x20, 0x26, 0x2E);
    c.line = QColor(0x2E, 0x36, 0x40);
    c.text = QColor(0xDD, 0xE3, 0xEA);
    c.muted = QColor(0x98, 0xA3, 0xB1);
    c.faint = QColor(0x6B, 0x76, 0x84);
    c.accent = QColor(0x6A, 0xA5, 0xFF);
    c.accentGround = QColor(0x1E, 0x33, 0x50);
    c.good = QColor(0x45, 0xB8, 0x85);
    c.warn = QColor(0xE3, 0x9A, 0x3B);
    c.bad = QColor(0xF0, 0x68, 0x5C);
    c.gridLine = mix(c.panel, c.line, 0.5);
    c.textOnAccent = QColor(0x0B, 0x16, 0x26);
    c.dark = true;
    return c;
}

// Okabe and Ito's eight, in the order the design gives them.
constexpr std::array<QRgb, 8> kOkabeIto = {0xFF0072B2, 0xFFE69F00, 0xFF009E73, 0xFFCC79A7, 0xFF56B4E9, 0xFFD55E00, 0xFF555555, 0xFFF0E442};
constexpr QRgb kGreyOnDark = 0xFF9AA0A6;

// Runs: hues between the experts', so that neither is taken for the other.
constexpr std::array<QRgb, 8> kRunsLight = {0xFF1F6FD1, 0xFFD98200, 0xFF7A4CC2, 0xFF0F8F83, 0xFFC23B6E, 0xFF5B7F19, 0xFF8A5A34, 0xFF4D6078};
constexpr std::array<QRgb, 8> kRunsDark = {0xFF5AA2F5, 0xFFF0A63A, 0xFFA988E8, 0xFF3FBFB0, 0xFFEC7BA3, 0xFF9CC24E, 0xFFC79A70, 0xFF9FB1C8};

constexpr std::array<QRgb, 33> kCividis = {0x00224E, 0x00285B, 0x002E6A, 0x053371, 0x1A386F, 0x273E6E, 0x32436D, 0x3B496C, 0x434E6C, 0x4B546C, 0x535A6D,
                                           0x5A5F6E, 0x61656F, 0x686A71, 0x6F7073, 0x767676, 0x7D7C78, 0x838179, 0x8B8778, 0x928D78, 0x9A9376, 0xA29975,
                                           0xAAA073, 0xB3A670, 0xBBAD6D, 0xC3B369, 0xCCBA64, 0xD4C15F, 0xDDC858, 0xE6D051, 0xEFD748, 0xF8DF3C, 0xFEE838};

constexpr double kGoldenAngleDeg = 137.50776405003785;

QColor between(QRgb a, QRgb b, double t) {
    const auto channel = [t](int x, int y) { return static_cast<int>(std::lround(x + (y - x) * t)); };
    return QColor(channel(qRed(a), qRed(b)), channel(qGreen(a), qGreen(b)), channel(qBlue(a), qBlue(b)));
}

}  // namespace

const ThemeColors& Theme::lightColors() {
    static const ThemeColors colors = makeLight();
    return colors;
}

const ThemeColors& Theme::darkColors() {
    static const ThemeColors colors = makeDark();
    return colors;
}

QColor Theme::expertColor(int expert, const ThemeColors& colors) {
    if (expert < 0) return colors.faint;
    const auto base = [&](int index) {
        if (index == 6 && colors.dark) return QColor(kGreyOnDark);
        return QColor(kOkabeIto[static_cast<std::size_t>(index)]);
    };
    if (expert < 8) return base(expert);
    if (expert < 16) {
        Oklch c = toOklch(base(expert - 8));
        c.lightness += c.lightness > 0.6 ? -0.2 : 0.2;
        return fromOklch(c);
    }
    // Three lightnesses in turn keep neighbours apart where the hues come close.
    constexpr std::array<double, 3> kLightness = {0.62, 0.76, 0.50};
    const int beyond = expert - 16;
    return fromOklch({kLightness[static_cast<std::size_t>(beyond % 3)], 0.13, std::fmod(20 + beyond * kGoldenAngleDeg, 360)});
}

QColor Theme::runColor(int group, const ThemeColors& colors) {
    if (group < 0) return colors.faint;
    if (group < 8) return QColor((colors.dark ? kRunsDark : kRunsLight)[static_cast<std::size_t>(group)]);
    return fromOklch({colors.dark ? 0.74 : 0.55, 0.12, std::fmod(250 + group * kGoldenAngleDeg, 360)});
}

QColor Theme::color(const analysis::ColorRole& role, const ThemeColors& colors) {
    using Kind = analysis::ColorRole::Kind;
    switch (role.kind) {
        case Kind::kSeries:
        case Kind::kExpert: return expertColor(role.index, colors);
        case Kind::kRun: return runColor(role.index, colors);
        case Kind::kModality: return role.index == 0 ? QColor(kOkabeIto[2]) : role.index == 1 ? QColor(kOkabeIto[3]) : colors.muted;
        case Kind::kText: return colors.text;
        case Kind::kMuted: return colors.muted;
        case Kind::kGood: return colors.good;
        case Kind::kWarn: return colors.warn;
        case Kind::kBad: return colors.bad;
        case Kind::kAccent: return colors.accent;
    }
    return colors.text;
}

QColor Theme::inkOn(const QColor& ground) {
    const QColor black(0, 0, 0), white(255, 255, 255);
    return contrast(ground, white) >= 4.5 ? white : black;
}

QColor Theme::legible(const QColor& color, const QColor& ground) { return legibleOn(color, ground); }

QColor Theme::mapColor(analysis::ColorMap map, double t) {
    t = std::clamp(t, 0.0, 1.0);
    if (map == analysis::ColorMap::kDiverging) {
        const QColor middle(255, 255, 255);
        return t < 0.5 ? mix(QColor(0x00, 0x5A, 0x9C), middle, t * 2) : mix(middle, QColor(0xC7, 0x56, 0x00), t * 2 - 1);
    }
    const double at = t * (kCividis.size() - 1);
    const auto low = std::min(static_cast<std::size_t>(at), kCividis.size() - 2);
    return between(kCividis[low], kCividis[low + 1], at - static_cast<double>(low));
}

}  // namespace es::views
