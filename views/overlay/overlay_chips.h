// SPDX-License-Identifier: GPL-3.0-or-later
// Draws words as chips in their experts' colours with the expert's number below the line, for the screen and for the page.
#pragma once

#include <QPainter>
#include <QRectF>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "views/overlay/overlay_painter.h"

namespace es::views {

/// Places of chips, one a word of the panel, and the height they need.
struct ChipLayout {
    std::vector<QRectF> boxes;
    double height = 0;
    /// Chip under a point; -1 where there is none.
    [[nodiscard]] int at(const QPointF& point) const;
    /// Nearest chip one line above (-1) or below (+1) of chip `from`; `from` itself at the edge.
    [[nodiscard]] int lineStep(int from, int direction) const;
};

/// Lays the chips of `panel.words` in lines within [left, left + width). A chip wider than the line is cut to it.
[[nodiscard]] ChipLayout layoutChips(const analysis::OverlayPanel& panel, const QPointF& origin, double width, const OverlayStyle& style);

/// style.selected and style.hovered are word indices here.
void paintChips(QPainter& painter, const ChipLayout& layout, const analysis::OverlayPanel& panel, const OverlayStyle& style);

}  // namespace es::views
