// SPDX-License-Identifier: GPL-3.0-or-later
// Draws analysis::HeatmapPanel. Free functions on a painter.
#pragma once

#include <QPainter>
#include <QRectF>
#include <utility>

#include "analysis/figures/panel_data.h"
#include "views/plots/axis_text.h"
#include "views/plots/plot_style.h"

namespace es::views {

/// Where the cells of a heat map lie.
struct HeatmapGeometry {
    QRectF frame;                  ///< all that is painted
    QRectF area;                   ///< the cells
    page::AxisRange x;             ///< numeric axis: its span
    std::vector<double> row_top;   ///< one a row, and the bottom at the end
    std::vector<double> column_x;  ///< left edges in painter units, and the right edge at the end
    double row_gap = 0, column_gap = 0;
    [[nodiscard]] QRectF cell(int row, int column) const;
    /// (row, column) under a point; (-1, -1) outside.
    [[nodiscard]] std::pair<int, int> at(const QPointF& point) const;
    [[nodiscard]] double xOf(double value) const { return area.left() + x.fraction(value) * area.width(); }
};

/// Fits axes, cells and colour bar into `target`.
[[nodiscard]] HeatmapGeometry layoutHeatmap(const QRectF& target, const analysis::HeatmapPanel& panel, const PlotStyle& style);
/// Draws all of it but selections. Missing cells are hatched.
void paintHeatmap(QPainter& painter, const analysis::HeatmapPanel& panel, const HeatmapGeometry& geometry, const PlotStyle& style);
/// A vertical bar of a map's colours with its ends (and the middle of a diverging one) named, and its title beside it.
void paintColorBar(QPainter& painter, const QRectF& bar, analysis::ColorMap map, double low, double high, const QString& title, const PlotStyle& style);
/// Diagonal lines that stand for "missing".
void paintHatch(QPainter& painter, const QRectF& area, const PlotStyle& style);
/// Name of a row or column: its category or its number.
[[nodiscard]] QString axisEntry(const analysis::Axis& axis, int index);

}  // namespace es::views
