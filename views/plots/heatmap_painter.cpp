// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/heatmap_painter.h"

#include <QImage>
#include <algorithm>
#include <cmath>

namespace es::views {
namespace {

constexpr int kBarWidth = 10, kBarGap = 10, kBarText = 34, kBarTitle = 16, kGroupGap = 4;

QColor colorOf(double value, const analysis::HeatmapPanel& panel) {
    const double span = panel.value_max - panel.value_min;
    return Theme::mapColor(panel.map, span > 0 ? (value - panel.value_min) / span : 0.5);
}

double valueAt(const analysis::HeatmapPanel& panel, int row, int column) {
    return panel.values[static_cast<std::size_t>(row) * static_cast<std::size_t>(panel.columns) + static_cast<std::size_t>(column)];
}

bool groupStarts(const analysis::HeatmapPanel& panel, int row) {
    const auto at = static_cast<std::size_t>(row);
    return row > 0 && at < panel.row_group_start.size() && panel.row_group_start[at] != 0;
}

}  // namespace

QString axisEntry(const analysis::Axis& axis, int index) {
    const auto at = static_cast<std::size_t>(index);
    return at < axis.categories.size() ? QString::fromStdString(axis.categories[at]) : QString::number(index);
}

QRectF HeatmapGeometry::cell(int row, int column) const {
    const auto r = static_cast<std::size_t>(row), c = static_cast<std::size_t>(column);
    const double bottom = row_top[r + 1];
    return {column_x[c], row_top[r], column_x[c + 1] - column_x[c] - column_gap, std::max(1.0, bottom - row_top[r] - row_gap)};
}

std::pair<int, int> HeatmapGeometry::at(const QPointF& point) const {
    if (row_top.size() < 2 || column_x.size() < 2 || !area.contains(point)) return {-1, -1};
    const auto row = std::upper_bound(row_top.begin(), row_top.end() - 1, point.y()) - row_top.begin() - 1;
    const auto column = std::upper_bound(column_x.begin(), column_x.end() - 1, point.x()) - column_x.begin() - 1;
    return {static_cast<int>(std::max<std::ptrdiff_t>(row, 0)), static_cast<int>(std::max<std::ptrdiff_t>(column, 0))};
}

HeatmapGeometry layoutHeatmap(const QRectF& target, const analysis::HeatmapPanel& panel, const PlotStyle& style) {
    const QFontMetrics metrics(style.axis_font);
    int names = 0;
    for (int row = 0; row < panel.rows; ++row) names = std::max(names, metrics.horizontalAdvance(axisEntry(panel.y, row)));
    names = std::min(names, static_cast<int>(target.width() / 3));
    const double left = names + 12 + (panel.row_is_expert ? 6 : 0) + (panel.y.title.empty() ? 0 : kTitleRow);
    const double right = kBarGap + kBarWidth + kBarText + (panel.value_title.empty() ? 0 : kBarTitle);
    const double bottom = kTickRow + (panel.x.title.empty() ? 0 : kTitleRow);
    HeatmapGeometry g;
    g.frame = target;
    g.area = target.adjusted(left, 6, -right, -bottom);
    if (panel.rows <= 0 || panel.columns <= 0 || g.area.width() < 10 || g.area.height() < 10) return g;

    int groups = 0;
    for (int row = 0; row < panel.rows; ++row) groups += groupStarts(panel, row) ? 1 : 0;
    double group_gap = kGroupGap;
    if (groups * group_gap > g.area.height() / 4) group_gap = 1;
    const double row_height = (g.area.height() - groups * group_gap) / panel.rows;
    g.row_gap = row_height >= 5 ? 1 : 0;
    double y = g.area.top();
    for (int row = 0; row < panel.rows; ++row) {
        if (groupStarts(panel, row)) y += group_gap;
        g.row_top.push_back(y);
        y += row_height;
    }
    g.row_top.push_back(g.area.bottom());

    const bool numeric = panel.x_values.size() == static_cast<std::size_t>(panel.columns);
    if (numeric) {
        const std::vector<double>& edges = panel.x_values;
        const double last_width = edges.size() > 1 ? edges.back() - edges[edges.size() - 2] : 1;
        g.x = axisRange(panel.x, edges.front(), edges.back() + last_width, false);
        for (const double edge : edges) g.column_x.push_back(std::clamp(g.xOf(edge), g.area.left(), g.area.right()));
    } else {
        g.x = {-0.5, panel.columns - 0.5, analysis::Scale::kLinear};
        for (int column = 0; column < panel.columns; ++column) g.column_x.push_back(g.area.left() + g.area.width() * column / panel.columns);
        g.column_gap = g.area.width() / panel.columns >= 6 ? 1 : 0;
        // Gaps in one direction alone make stripes of cells that are nearly square.
        if (g.column_gap == 0 && row_height < 12) g.row_gap = 0;
    }
    g.column_x.push_back(g.area.right());
    return g;
}

void paintHatch(QPainter& painter, const QRectF& area, const PlotStyle& style) {
    painter.save();
    painter.setClipRect(area, Qt::IntersectClip);
    painter.fillRect(area, style.colors.panelHeader);
    painter.setPen(QPen(style.colors.faint, 0.7));
    for (double x = area.left() - area.height(); x < area.right(); x += 5) painter.drawLine(QPointF(x, area.bottom()), QPointF(x + area.height(), area.top()));
    painter.restore();
}

void paintColorBar(QPainter& painter, const QRectF& bar, analysis::ColorMap map, double low, double high, const QString& title, const PlotStyle& style) {
    QLinearGradient gradient(bar.bottomLeft(), bar.topLeft());
    for (int i = 0; i <= 32; ++i) gradient.setColorAt(i / 32.0, Theme::mapColor(map, i / 32.0));
    painter.fillRect(bar, gradient);
    painter.setPen(QPen(style.colors.line, 0.5));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(bar);
    painter.setFont(style.axis_font);
    painter.setPen(style.colors.muted);
    const page::AxisRange range{low, high, analysis::Scale::kLinear};
    const page::Ticks ticks = page::makeTicks(range, std::clamp(static_cast<int>(bar.height() / 50), 1, 4));
    int widest = 0;
    for (std::size_t i = 0; i < ticks.at.size(); ++i) {
        const double y = bar.bottom() - range.fraction(ticks.at[i]) * bar.height();
        const double text_y = std::clamp(y, bar.top() + 5, bar.bottom() - 5);
        painter.drawText(QRectF(bar.right() + 5, text_y - 8, 44, 16), Qt::AlignVCenter | Qt::AlignLeft, ticks.labels[i]);
        widest = std::max(widest, QFontMetrics(style.axis_font).horizontalAdvance(ticks.labels[i]));
    }
    if (title.isEmpty()) return;
    painter.save();
    painter.translate(bar.right() + 5 + widest + 12, bar.center().y());
    painter.rotate(-90);
    painter.setPen(style.colors.text);
    const QString words =
        QFontMetrics(style.axis_font).elidedText(page::titleWithExponent(title, ticks.exponent), Qt::ElideRight, static_cast<int>(bar.height()) + 20);
    painter.drawText(QRectF(-bar.height() / 2 - 20, -8, bar.height() + 40, 16), Qt::AlignCenter, words);
    painter.restore();
}

void paintHeatmap(QPainter& painter, const analysis::HeatmapPanel& panel, const HeatmapGeometry& g, const PlotStyle& style) {
    if (g.row_top.size() < 2 || g.column_x.size() < 2) return;
    const ThemeColors& c = style.colors;
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, false);
    if (g.column_gap > 0 || panel.columns <= 64) {
        for (int row = 0; row < panel.rows; ++row)
            for (int column = 0; column < panel.columns; ++column) {
                const double value = valueAt(panel, row, column);
                const QRectF cell = g.cell(row, column);
                // Else cells of the ground's own colour, as an even load, would be no cells at all.
                if (g.column_gap > 0 && g.row_gap > 0) painter.fillRect(cell.adjusted(-g.column_gap, -g.row_gap, g.column_gap, g.row_gap), c.line);
                if (std::isfinite(value)) painter.fillRect(cell, colorOf(value, panel));
                else paintHatch(painter, cell, style);
            }
    } else {
        // Long histories: a picture a row, one pixel a screen column; the value farthest from the scale's middle wins where columns share one.
        const int pixels = std::max(1, static_cast<int>(std::ceil(g.area.width())));
        const double middle = (panel.value_min + panel.value_max) / 2;
        for (int row = 0; row < panel.rows; ++row) {
            std::vector<double> strongest(static_cast<std::size_t>(pixels), analysis::kMissing);
            for (int column = 0; column < panel.columns; ++column) {
                const double value = valueAt(panel, row, column);
                const int from = std::clamp(static_cast<int>(g.column_x[static_cast<std::size_t>(column)] - g.area.left()), 0, pixels - 1);
                const int to = std::clamp(static_cast<int>(std::ceil(g.column_x[static_cast<std::size_t>(column) + 1] - g.area.left())), from + 1, pixels);
                if (!std::isfinite(value)) continue;
                for (int x = from; x < to; ++x) {
                    double& held = strongest[static_cast<std::size_t>(x)];
                    if (!std::isfinite(held) || std::abs(value - middle) > std::abs(held - middle)) held = value;
                }
            }
            QImage line(pixels, 1, QImage::Format_ARGB32_Premultiplied);
            bool missing = false;
            for (int x = 0; x < pixels; ++x) {
                const double value = strongest[static_cast<std::size_t>(x)];
                missing |= !std::isfinite(value);
                line.setPixelColor(x, 0, std::isfinite(value) ? colorOf(value, panel) : QColor(0, 0, 0, 0));
            }
            const QRectF whole(g.area.left(), g.row_top[static_cast<std::size_t>(row)], g.area.width(), g.cell(row, 0).height());
            if (missing) paintHatch(painter, whole, style);
            painter.drawImage(whole, line);
        }
    }
    painter.restore();
    painter.setRenderHint(QPainter::Antialiasing);

    painter.setFont(style.axis_font);
    const QFontMetrics metrics(style.axis_font);
    const double row_height = g.area.height() / panel.rows;
    const int every = std::max(1, static_cast<int>(std::ceil(13.0 / row_height)));
    const double name_right = g.area.left() - 6 - (panel.row_is_expert ? 6 : 0);
    for (int row = 0; row < panel.rows; ++row) {
        const QRectF cell = g.cell(row, 0);
        if (panel.row_is_expert) painter.fillRect(QRectF(g.area.left() - 8, cell.top(), 4, cell.height()), Theme::expertColor(panel.expertOfRow(row), c));
        if (row % every != 0) continue;
        painter.setPen(c.muted);
        const double from = g.frame.left() + (panel.y.title.empty() ? 0 : kTitleRow);
        const double room = name_right - from;
        painter.drawText(QRectF(from, cell.center().y() - 8, room, 16), Qt::AlignRight | Qt::AlignVCenter,
                         metrics.elidedText(axisEntry(panel.y, row), Qt::ElideRight, static_cast<int>(room)));
    }
    const double axis_y = g.area.bottom();
    if (g.column_x.size() > 1 && panel.x_values.size() == static_cast<std::size_t>(panel.columns)) {
        const page::Ticks ticks = screenTicks(g.x, g.area.width(), 76);
        painter.setPen(QPen(c.faint, 1));
        painter.drawLine(QPointF(g.area.left(), axis_y + 1.5), QPointF(g.area.right(), axis_y + 1.5));
        for (std::size_t i = 0; i < ticks.at.size(); ++i) {
            const double x = g.xOf(ticks.at[i]);
            painter.setPen(QPen(c.faint, 1));
            painter.drawLine(QPointF(x, axis_y + 1.5), QPointF(x, axis_y + 5.5));
            painter.setPen(c.muted);
            painter.drawText(QRectF(x - 40, axis_y + 5, 80, 14), Qt::AlignCenter, ticks.labels[i]);
        }
    } else {
        int widest = 0;
        for (int column = 0; column < panel.columns; ++column) widest = std::max(widest, metrics.horizontalAdvance(axisEntry(panel.x, column)));
        const double column_width = g.area.width() / panel.columns;
        const int step = std::max(1, static_cast<int>(std::ceil((widest + 4) / column_width)));
        for (int column = 0; column < panel.columns; ++column) {
            const QRectF cell = g.cell(0, column);
            if (panel.column_is_expert) painter.fillRect(QRectF(cell.left(), axis_y + 2, cell.width(), 3), Theme::expertColor(panel.expertOfColumn(column), c));
            if (column % step != 0) continue;
            painter.setPen(c.muted);
            painter.drawText(QRectF(cell.center().x() - 60, axis_y + 5, 120, 14), Qt::AlignCenter, axisEntry(panel.x, column));
        }
    }
    painter.setPen(c.text);
    if (!panel.x.title.empty())
        painter.drawText(QRectF(g.area.left(), axis_y + kTickRow, g.area.width(), kTitleRow), Qt::AlignCenter, QString::fromStdString(panel.x.title));
    if (!panel.y.title.empty()) {
        painter.save();
        double widest = 0;
        for (int row = 0; row < panel.rows; ++row) widest = std::max<double>(widest, metrics.horizontalAdvance(axisEntry(panel.y, row)));
        painter.translate(std::max(g.frame.left() + 8, name_right - widest - 12), g.area.center().y());
        painter.rotate(-90);
        painter.drawText(QRectF(-g.area.height() / 2, -8, g.area.height(), 16), Qt::AlignCenter, QString::fromStdString(panel.y.title));
        painter.restore();
    }
    const QRectF bar(g.area.right() + kBarGap, g.area.top(), kBarWidth, g.area.height());
    paintColorBar(painter, bar, panel.map, panel.value_min, panel.value_max, QString::fromStdString(panel.value_title), style);
}

}  // namespace es::views
