// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/theme/color_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace es::views {
namespace {

double toLinear(double encoded) { return encoded <= 0.04045 ? encoded / 12.92 : std::pow((encoded + 0.055) / 1.055, 2.4); }
double toEncoded(double linear) { return linear <= 0.0031308 ? linear * 12.92 : 1.055 * std::pow(linear, 1 / 2.4) - 0.055; }

using Triple = std::array<double, 3>;

Triple toOklab(const QColor& color) {
    const double r = toLinear(color.redF()), g = toLinear(color.greenF()), b = toLinear(color.blueF());
    const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s, 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

Triple oklabToLinear(const Triple& lab) {
    const double l = std::pow(lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2], 3);
    const double m = std::pow(lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2], 3);
    const double s = std::pow(lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2], 3);
    return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

QColor fromLinear(const Triple& rgb) {
    const auto channel = [](double v) { return static_cast<float>(std::clamp(toEncoded(std::clamp(v, 0.0, 1.0)), 0.0, 1.0)); };
    return QColor::fromRgbF(channel(rgb[0]), channel(rgb[1]), channel(rgb[2]));
}

bool fits(const Triple& rgb) {
    return std::all_of(rgb.begin(), rgb.end(), [](double v) { return v >= -1e-4 && v <= 1 + 1e-4; });
}

Triple labOf(const Oklch& c) {
    const double hue = c.hue_deg * std::numbers::pi / 180;
    return {c.lightness, c.chroma * std::cos(hue), c.chroma * std::sin(hue)};
}

}  // namespace

double luminance(const QColor& color) { return 0.2126 * toLinear(color.redF()) + 0.7152 * toLinear(color.greenF()) + 0.0722 * toLinear(color.blueF()); }

double contrast(const QColor& a, const QColor& b) {
    const double la = luminance(a), lb = luminance(b);
    return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

Oklch toOklch(const QColor& color) {
    const Triple lab = toOklab(color);
    double hue = std::atan2(lab[2], lab[1]) * 180 / std::numbers::pi;
    if (hue < 0) hue += 360;
    return {lab[0], std::hypot(lab[1], lab[2]), hue};
}

QColor fromOklch(const Oklch& color) {
    Triple rgb = oklabToLinear(labOf(color));
    if (fits(rgb)) return fromLinear(rgb);
    double low = 0, high = color.chroma;
    for (int i = 0; i < 24; ++i) {
        const double middle = (low + high) / 2;
        rgb = oklabToLinear(labOf({color.lightness, middle, color.hue_deg}));
        (fits(rgb) ? low : high) = middle;
    }
    return fromLinear(oklabToLinear(labOf({color.lightness, low, color.hue_deg})));
}

QColor mix(const QColor& a, const QColor& b, double t) {
    const Triple la = toOklab(a), lb = toOklab(b);
    QColor mixed = fromLinear(oklabToLinear({std::lerp(la[0], lb[0], t), std::lerp(la[1], lb[1], t), std::lerp(la[2], lb[2], t)}));
    mixed.setAlphaF(static_cast<float>(std::lerp(a.alphaF(), b.alphaF(), static_cast<float>(t))));
    return mixed;
}

QColor legibleOn(const QColor& color, const QColor& ground, double ratio) {
    if (contrast(color, ground) >= ratio) return color;
    Oklch c = toOklch(color);
    const double step = luminance(ground) > 0.18 ? -0.01 : 0.01;
    QColor shown = color;
    while (c.lightness > 0 && c.lightness < 1) {
        c.lightness += step;
        shown = fromOklch(c);
        if (contrast(shown, ground) >= ratio) break;
    }
    return shown;
}

}  // namespace es::views
