// SPDX-License-Identifier: GPL-3.0-or-later
// Axes of a panel on a page: no box, left and bottom axis only, faint grid, round ticks, units in the titles.
#pragma once

#include "views/export/axis_ticks.h"
#include "views/export/page_style.h"

namespace es::views::page {

/// A plot's data area and what its axes span.
struct PlotFrame {
    QRectF area;
    AxisRange x, y;
    [[nodiscard]] double xAt(double value) const { return area.left() + x.fraction(value) * area.width(); }
    [[nodiscard]] double yAt(double value) const { return area.bottom() - y.fraction(value) * area.height(); }
    [[nodiscard]] QPointF at(double x_value, double y_value) const { return {xAt(x_value), yAt(y_value)}; }
};

/// Room that something else needs beside the data area, in points.
struct FrameRoom {
    double top = 0, right = 0;
};

/// Fits the axes into `target`, draws them and returns the frame. Category axes span -0.5 .. n - 0.5.
[[nodiscard]] PlotFrame drawFrame(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::Axis& x, AxisRange x_range,
                                  const analysis::Axis& y, AxisRange y_range, FrameRoom room = {});

/// The axis below `area` alone: line, ticks, labels, title. Returns the height it takes.
double drawBottomAxis(PageCanvas& canvas, const PageStyle& style, const QRectF& area, const analysis::Axis& axis, const AxisRange& range);
/// Height that drawBottomAxis will need below an area of `width`.
[[nodiscard]] double bottomAxisHeight(const PageCanvas& canvas, const PageStyle& style, double width, const analysis::Axis& axis, const AxisRange& range);

/// An axis's range with its own limits in place of those found in the data. A logarithmic axis without positive values becomes linear.
[[nodiscard]] AxisRange rangeOf(const analysis::Axis& axis, double low, double high, bool nice);

/// Baseline of text of `pt` whose digits are centred on y.
[[nodiscard]] double centredBaseline(const PageCanvas& canvas, double y, double pt);

}  // namespace es::views::page
