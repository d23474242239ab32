// SPDX-License-Identifier: GPL-3.0-or-later
// Colour arithmetic: contrast as WCAG 2 defines it, and mixing in OKLab, where equal steps look equal.
#pragma once

#include <QColor>

namespace es::views {

/// Relative luminance of an sRGB colour, 0 black to 1 white (WCAG 2).
[[nodiscard]] double luminance(const QColor& color);
/// Contrast ratio of two opaque colours, 1 to 21 (WCAG 2).
[[nodiscard]] double contrast(const QColor& a, const QColor& b);

/// OKLCH (Ottosson 2020): lightness 0..1, chroma 0..~0.37, hue in degrees.
struct Oklch {
    double lightness = 0, chroma = 0, hue_deg = 0;
};
[[nodiscard]] Oklch toOklch(const QColor& color);
/// Colours outside sRGB keep lightness and hue and lose chroma until they fit.
[[nodiscard]] QColor fromOklch(const Oklch& color);
/// From a (t = 0) to b (t = 1) through OKLab; alpha linearly.
[[nodiscard]] QColor mix(const QColor& a, const QColor& b, double t);
/// `color` made darker or lighter, hue kept, until its contrast with `ground` reaches `ratio`: for text in a curve's colour.
[[nodiscard]] QColor legibleOn(const QColor& color, const QColor& ground, double ratio = 4.5);

}  // namespace es::views
