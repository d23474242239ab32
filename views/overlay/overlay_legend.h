// SPDX-License-Identifier: GPL-3.0-or-later
// The experts of an overlay with their shares, or the colour bar of its values: for the screen and for the page.
#pragma once

#include <QPainter>
#include <QRectF>
#include <QString>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "views/overlay/overlay_painter.h"

namespace es::views {

struct LegendEntry {
    int expert = 0;
    double share = 0;  ///< of the tokens counted
    QString text;      ///< "expert 5 · 19 %"
};

/// First choices among the patches (without a picture: among the words), largest share first, ties by number. Tokens without expert count
/// in the whole but have no entry.
[[nodiscard]] std::vector<LegendEntry> legendOf(const analysis::OverlayPanel& panel);

struct LegendLayout {
    std::vector<QRectF> boxes;
    double height = 0;
    [[nodiscard]] int at(const QPointF& point) const;
};
[[nodiscard]] LegendLayout layoutLegend(const std::vector<LegendEntry>& entries, const QPointF& origin, double width, const OverlayStyle& style);
/// style.hovered is an entry index here; the highlighted expert's entry is outlined.
void paintLegend(QPainter& painter, const LegendLayout& layout, const std::vector<LegendEntry>& entries, const OverlayStyle& style);

/// A horizontal colour bar with its ends and title ("entropy (nats)"), in an area of at least 40 x 26 units.
void paintValueBar(QPainter& painter, const QRectF& area, const analysis::OverlayPanel& panel, const OverlayStyle& style);

}  // namespace es::views
