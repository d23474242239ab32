// SPDX-License-Identifier: GPL-3.0-or-later
// Sizes and colours of a page, from its settings. A page is paper: always the light colours.
#pragma once

#include "analysis/figures/figure_recipe.h"
#include "views/export/page_canvas.h"
#include "views/theme/theme.h"

namespace es::views::page {

/// Lengths in points.
struct PageStyle {
    ThemeColors colors = Theme::lightColors();
    double text_pt = 8;   ///< titles of axes, words
    double small_pt = 7;  ///< ticks, legends
    double note_pt = 6;   ///< notes below a panel
    double min_pt = 6;    ///< nothing is set smaller
    double title_pt = 8;  ///< "(a) title"
    double line = 0.9, axis = 0.5, grid = 0.35;
    bool show_grid = true;
    double gap = 4;  ///< between things that belong together

    [[nodiscard]] TextStyle text(Anchor anchor = Anchor::kStart) const { return {text_pt, colors.text, false, false, anchor}; }
    [[nodiscard]] TextStyle small(Anchor anchor = Anchor::kStart) const { return {small_pt, colors.text, false, false, anchor}; }
    [[nodiscard]] Stroke axisStroke() const { return {colors.muted, axis, analysis::LineStyle::kSolid}; }
    [[nodiscard]] Stroke gridStroke() const { return {colors.line, grid, analysis::LineStyle::kDashed}; }
    [[nodiscard]] QColor color(const analysis::ColorRole& role) const { return Theme::color(role, colors); }
    /// The role's colour, darkened until it reads as text on white.
    [[nodiscard]] QColor ink(const analysis::ColorRole& role) const;

    /// The preset's smallest size is kept; venues that ask for no background grid get none.
    [[nodiscard]] static PageStyle of(const analysis::PageSettings& page);
};

}  // namespace es::views::page
