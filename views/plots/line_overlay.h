// SPDX-License-Identifier: GPL-3.0-or-later
// What lies above the curves of a LinePlot: names, reference lines, markers, the selected x, the read-out.
#pragma once

#include <QPainter>

#include "views/plots/line_plot.h"

namespace es::views {

class LinePlot::Overlay : public QWidget {
public:
    explicit Overlay(LinePlot* plot) : QWidget(plot), plot_(plot) {}

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void paintLines(QPainter& painter) const;
    /// Where the name of a reference line at height y covers the least of the curves.
    [[nodiscard]] QRectF lineNameBox(double y, double width) const;
    void paintMarkers(QPainter& painter) const;
    void paintDirectNames(QPainter& painter) const;
    void paintPointNames(QPainter& painter) const;
    void paintLegend(QPainter& painter) const;
    void paintCursor(QPainter& painter) const;
    void paintReadout(QPainter& painter) const;
    LinePlot* plot_;
};

}  // namespace es::views
