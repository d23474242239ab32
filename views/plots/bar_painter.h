// SPDX-License-Identifier: GPL-3.0-or-later
// Draws analysis::BarPanel and analysis::ForestPanel. Free functions on a painter.
#pragma once

#include <QPainter>
#include <QRectF>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "views/plots/axis_text.h"
#include "views/plots/plot_style.h"

namespace es::views {

struct BarGeometry {
    QRectF frame, area;
    page::AxisRange y;
    std::vector<QRectF> columns;  ///< the whole slot of each bar, for the mouse
};
[[nodiscard]] BarGeometry layoutBars(const QRectF& target, const analysis::BarPanel& panel, const PlotStyle& style);
/// Emphasised bars are full, others at half strength when any is emphasised. Bars without a value are hatched slots.
void paintBars(QPainter& painter, const analysis::BarPanel& panel, const BarGeometry& geometry, const PlotStyle& style);

struct ForestGeometry {
    QRectF frame, area;
    page::AxisRange x;
    double row_height = 20;
    double count_width = 0;  ///< room for "n" at the right
    [[nodiscard]] QRectF row(int index) const { return {area.left(), area.top() + index * row_height, area.width(), row_height}; }
};
[[nodiscard]] ForestGeometry layoutForest(const QRectF& target, const analysis::ForestPanel& panel, const PlotStyle& style);
void paintForest(QPainter& painter, const analysis::ForestPanel& panel, const ForestGeometry& geometry, const PlotStyle& style);
/// Height at which every row has its full room.
[[nodiscard]] double forestHeight(const analysis::ForestPanel& panel);

}  // namespace es::views
