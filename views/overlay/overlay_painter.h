// SPDX-License-Identifier: GPL-3.0-or-later
// Draws experts on a picture. Free functions on a painter: the screen and the page use the same.
// Everything but the picture itself is vector output.
#pragma once

#include <QFont>
#include <QImage>
#include <QPainter>
#include <QRectF>
#include <QString>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "views/theme/theme.h"

namespace es::views {

/// How an overlay is drawn. Lengths are in `unit`s.
struct OverlayStyle {
    ThemeColors colors = Theme::lightColors();
    QFont font;             ///< family and weight of numbers and words; sizes are set by the painter
    double unit = 1;        ///< length of one logical pixel in the painter's coordinates: 1 on screen, the paper's scale on a page
    double word_px = 13;    ///< size of words on chips, in units
    double number_px = 11;  ///< smallest size of a number; a cell too small for it carries none
    double opacity = 0.5;   ///< of the tint over the picture, 0 to 1
    bool grid = true;
    bool numbers = true;
    int numbered_expert = -1;    ///< only cells of this expert carry a number, one in each connected region; -1: all do
    int selected = -1;           ///< patch or chip with the selection outline
    std::vector<int> also = {};  ///< more of them, selected besides
    int hovered = -1;
    int highlighted_expert = -1;    ///< others fade; -1: none fades
    bool smooth = true;             ///< interpolate the picture; false shows its pixels
    const QImage* image = nullptr;  ///< the panel's picture, where the caller keeps it; null: made of the panel's anew
};

/// Cells of a grid over a picture drawn in `picture`.
struct OverlayGrid {
    QRectF picture;
    int columns = 0, rows = 0;
    [[nodiscard]] QRectF cell(int index) const;
    /// Cell under a point; -1 outside.
    [[nodiscard]] int at(const QPointF& point) const;
};

/// Largest rectangle of the picture's shape (or the grid's, without a picture) centred in `target`.
[[nodiscard]] QRectF fitPicture(const analysis::OverlayPanel& panel, const QRectF& target);

/// Draws picture, tint, hatching of masked cells, crosses of dropped ones, grid, numbers and outlines into `picture`.
void paintOverlay(QPainter& painter, const QRectF& picture, const analysis::OverlayPanel& panel, const OverlayStyle& style);

/// Tint of a cell at full strength; invalid when there is nothing to show (no expert, value missing).
[[nodiscard]] QColor cellColor(const analysis::OverlayPanel::Cell& cell, const analysis::OverlayPanel& panel, const ThemeColors& colors);

/// What a cell carries on top: its experts' numbers ("5", "5·2", changed ones "3→5", with its share "5 27%" where routing is soft), or its value
/// ("0.58"). Empty when there is nothing.
[[nodiscard]] QString cellLabel(const analysis::OverlayPanel::Cell& cell, const analysis::OverlayPanel& panel);

/// Diagonal lines over `area`, `spacing` apart: "masked" or "missing", never a colour of a scale.
void paintHatching(QPainter& painter, const QRectF& area, const QColor& color, double spacing, double width);

/// One line of text of `px` painter units, also where a unit is finer or coarser than a pixel.
void paintText(QPainter& painter, const QRectF& area, Qt::Alignment alignment, const QString& text, QFont font, double px);
[[nodiscard]] double textWidth(const QString& text, QFont font, double px);

}  // namespace es::views
