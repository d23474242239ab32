// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFont>

#include "views/theme/theme.h"

namespace es::views {

/// Room that an axis takes beside its plot for its title and its tick labels, in logical pixels.
inline constexpr int kTitleRow = 16, kTickRow = 18;

/// What plots are drawn with. Lengths are in the painter's units; `unit` is one logical pixel in them.
struct PlotStyle {
    ThemeColors colors;
    QFont axis_font, label_font, strong_font;
    double unit = 1;
    double curve = 1.5, raw = 1, axis = 1;  ///< pen widths
    double raw_opacity = 0.25, band_opacity = 0.18;

    [[nodiscard]] static PlotStyle screen(const Theme& theme) {
        PlotStyle style;
        style.colors = theme.colors();
        style.axis_font = theme.font(Theme::FontRole::kAxis);
        style.label_font = theme.font(Theme::FontRole::kAxis);
        style.label_font.setPixelSize(12);
        style.strong_font = style.label_font;
        style.strong_font.setWeight(QFont::DemiBold);
        return style;
    }
};

}  // namespace es::views
