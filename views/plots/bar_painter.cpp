// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/bar_painter.h"

#include <algorithm>
#include <cmath>

#include "views/plots/heatmap_painter.h"

namespace es::views {
namespace {

constexpr double kForestRow = 22;

QString barText(const std::string& s) { return QString::fromStdString(s); }

void paintVerticalAxis(QPainter& painter, const QRectF& frame, const QRectF& area, const analysis::Axis& axis, const page::AxisRange& range,
                       const PlotStyle& style) {
    const ThemeColors& c = style.colors;
    const page::Ticks ticks = screenTicks(range, area.height(), 34);
    painter.setFont(style.axis_font);
    QPen grid(c.line, 1, Qt::CustomDashLine);
    grid.setDashPattern({2, 3});
    for (std::size_t i = 0; i < ticks.at.size(); ++i) {
        const double y = std::round(area.bottom() - range.fraction(ticks.at[i]) * area.height()) + 0.5;
        if (y < area.top() - 1 || y > area.bottom() + 1) continue;
        painter.setPen(grid);
        if (y < area.bottom() - 1) painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
        painter.setPen(c.muted);
        painter.drawText(QRectF(frame.left(), y - 8, area.left() - frame.left() - 7, 16), Qt::AlignRight | Qt::AlignVCenter, ticks.labels[i]);
        painter.setPen(QPen(c.faint, 1));
        painter.drawLine(QPointF(area.left() - 4, y), QPointF(area.left(), y));
    }
    painter.drawLine(QPointF(area.left() - 0.5, area.top()), QPointF(area.left() - 0.5, area.bottom()));
    if (axis.title.empty()) return;
    painter.save();
    painter.translate(frame.left() + 8, area.center().y());
    painter.rotate(-90);
    painter.setPen(c.text);
    const QString words = QFontMetrics(style.axis_font)
                              .elidedText(page::titleWithExponent(barText(axis.title), ticks.exponent), Qt::ElideRight, static_cast<int>(area.height() + 20));
    painter.drawText(QRectF(-area.height() / 2 - 10, -8, area.height() + 20, 16), Qt::AlignCenter, words);
    painter.restore();
}

}  // namespace

BarGeometry layoutBars(const QRectF& target, const analysis::BarPanel& panel, const PlotStyle& style) {
    BarGeometry g;
    g.frame = target;
    double low = 0, high = 0;
    for (const auto& bar : panel.bars)
        for (const double v : {bar.value, bar.low, bar.high})
            if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    if (high == 0 && low == 0) high = 1;
    g.y = axisRange(panel.y, low, high, true);
    const QFontMetrics metrics(style.axis_font);
    const page::Ticks ticks = screenTicks(g.y, std::max(40.0, target.height() - 40), 34);
    double names = 0;
    for (const QString& label : ticks.labels) names = std::max<double>(names, metrics.horizontalAdvance(label));
    g.area = target.adjusted(names + 10 + (panel.y.title.empty() ? 0 : kTitleRow), 8, -6, -kTickRow - (panel.x.title.empty() ? 0 : kTitleRow));
    const double slot = panel.bars.empty() ? g.area.width() : std::min(g.area.width() / static_cast<double>(panel.bars.size()), 96.0);
    for (std::size_t i = 0; i < panel.bars.size(); ++i)
        g.columns.emplace_back(g.area.left() + slot * static_cast<double>(i), g.area.top(), slot, g.area.height());
    return g;
}

void paintBars(QPainter& painter, const analysis::BarPanel& panel, const BarGeometry& g, const PlotStyle& style) {
    const ThemeColors& c = style.colors;
    painter.setRenderHint(QPainter::Antialiasing);
    paintVerticalAxis(painter, g.frame, g.area, panel.y, g.y, style);
    const auto yAt = [&](double v) { return g.area.bottom() - g.y.fraction(v) * g.area.height(); };
    const double zero = std::clamp(yAt(std::clamp(0.0, std::min(g.y.low, g.y.high), std::max(g.y.low, g.y.high))), g.area.top(), g.area.bottom());
    const bool any_emphasis = std::any_of(panel.bars.begin(), panel.bars.end(), [](const auto& b) { return b.emphasised; });
    const QFontMetrics metrics(style.axis_font);
    double widest = 0;
    for (const auto& bar : panel.bars) widest = std::max<double>(widest, metrics.horizontalAdvance(barText(bar.label)));
    const double slot = g.columns.empty() ? 1 : g.columns.front().width();
    const bool elide = panel.bars.size() <= 8;
    const int every = elide ? 1 : std::max(1, static_cast<int>(std::ceil((widest + 4) / slot)));
    for (std::size_t i = 0; i < panel.bars.size(); ++i) {
        const auto& bar = panel.bars[i];
        const QRectF& column = g.columns[i];
        const double inset = std::min(column.width() * 0.14, 10.0);
        const QRectF body = column.adjusted(inset, 0, -inset, 0);
        if (std::isfinite(bar.value)) {
            QColor color = Theme::color(bar.color, c);
            if (any_emphasis && !bar.emphasised) color.setAlphaF(0.45f);
            const double y = yAt(bar.value);
            painter.fillRect(QRectF(body.left(), std::min(y, zero), body.width(), std::max(1.0, std::abs(zero - y))), color);
        } else {
            paintHatch(painter, QRectF(body.left(), g.area.bottom() - 16, body.width(), 16), style);
        }
        if (std::isfinite(bar.low) && std::isfinite(bar.high)) {
            painter.setPen(QPen(c.text, 1.2));
            painter.drawLine(QPointF(column.center().x(), yAt(bar.low)), QPointF(column.center().x(), yAt(bar.high)));
        }
        if (static_cast<int>(i) % every != 0) continue;
        painter.setPen(bar.emphasised ? c.text : c.muted);
        painter.setFont(style.axis_font);
        const double room = elide ? column.width() - 2 : 120;
        painter.drawText(QRectF(column.center().x() - room / 2, g.area.bottom() + 4, room, 14), Qt::AlignCenter,
                         elide ? metrics.elidedText(barText(bar.label), Qt::ElideRight, static_cast<int>(room)) : barText(bar.label));
    }
    painter.setPen(QPen(c.faint, 1));
    painter.drawLine(QPointF(g.area.left(), std::round(zero) + 0.5), QPointF(g.area.right(), std::round(zero) + 0.5));
    if (panel.x.title.empty()) return;
    painter.setPen(c.text);
    painter.drawText(QRectF(g.area.left(), g.area.bottom() + kTickRow, g.area.width(), kTitleRow), Qt::AlignCenter, barText(panel.x.title));
}

double forestHeight(const analysis::ForestPanel& panel) {
    return static_cast<double>(panel.rows.size()) * kForestRow + 12 + kTickRow + (panel.x.title.empty() ? 0 : kTitleRow);
}

ForestGeometry layoutForest(const QRectF& target, const analysis::ForestPanel& panel, const PlotStyle& style) {
    ForestGeometry g;
    g.frame = target;
    const QFontMetrics metrics(style.axis_font), words(style.label_font);
    double low = panel.reference, high = panel.reference, names = 0;
    bool counted = false;
    for (const auto& row : panel.rows) {
        for (const double v : {row.mean, row.low, row.high})
            if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
        names = std::max<double>(names, words.horizontalAdvance(barText(row.label)));
        if (row.n > 0) {
            counted = true;
            g.count_width = std::max<double>(g.count_width, metrics.horizontalAdvance(QStringLiteral("n ") + readout(static_cast<double>(row.n))));
        }
    }
    if (!counted) g.count_width = 0;
    names = std::min(names, target.width() * 0.4);
    g.x = axisRange(panel.x, low, high, true);
    g.area = target.adjusted(names + 12, 6, -8 - (g.count_width > 0 ? g.count_width + 8 : 0), -kTickRow - (panel.x.title.empty() ? 0 : kTitleRow));
    if (!panel.rows.empty()) g.row_height = std::min(kForestRow, g.area.height() / static_cast<double>(panel.rows.size()));
    g.area.setHeight(std::max(g.row_height, g.row_height * static_cast<double>(panel.rows.size())));
    return g;
}

void paintForest(QPainter& painter, const analysis::ForestPanel& panel, const ForestGeometry& g, const PlotStyle& style) {
    const ThemeColors& c = style.colors;
    painter.setRenderHint(QPainter::Antialiasing);
    const auto xAt = [&](double v) { return g.area.left() + std::clamp(g.x.fraction(v), 0.0, 1.0) * g.area.width(); };
    const page::Ticks ticks = screenTicks(g.x, g.area.width(), 64);
    painter.setFont(style.axis_font);
    QPen grid(c.line, 1, Qt::CustomDashLine);
    grid.setDashPattern({2, 3});
    for (std::size_t i = 0; i < ticks.at.size(); ++i) {
        const double x = std::round(xAt(ticks.at[i])) + 0.5;
        painter.setPen(grid);
        painter.drawLine(QPointF(x, g.area.top()), QPointF(x, g.area.bottom()));
        painter.setPen(c.muted);
        painter.drawText(QRectF(x - 40, g.area.bottom() + 4, 80, 14), Qt::AlignCenter, ticks.labels[i]);
    }
    painter.setPen(QPen(c.muted, 1));
    const double reference = std::round(xAt(panel.reference)) + 0.5;
    painter.drawLine(QPointF(reference, g.area.top()), QPointF(reference, g.area.bottom()));
    painter.setPen(QPen(c.faint, 1));
    painter.drawLine(QPointF(g.area.left(), g.area.bottom() + 0.5), QPointF(g.area.right(), g.area.bottom() + 0.5));
    const QFontMetrics words(style.label_font);
    for (std::size_t i = 0; i < panel.rows.size(); ++i) {
        const auto& row = panel.rows[i];
        const double y = g.row(static_cast<int>(i)).center().y();
        const double room = g.area.left() - g.frame.left() - 10;
        painter.setFont(style.label_font);
        painter.setPen(c.text);
        painter.drawText(QRectF(g.frame.left(), y - 9, room, 18), Qt::AlignRight | Qt::AlignVCenter,
                         words.elidedText(barText(row.label), Qt::ElideRight, static_cast<int>(room)));
        const QColor color = Theme::color(row.color, c);
        if (std::isfinite(row.low) && std::isfinite(row.high)) {
            painter.setPen(QPen(color, 1.8));
            painter.drawLine(QPointF(xAt(row.low), y), QPointF(xAt(row.high), y));
        }
        if (std::isfinite(row.mean)) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(color);
            painter.drawEllipse(QPointF(xAt(row.mean), y), 4, 4);
        }
        if (row.n > 0) {
            painter.setFont(style.axis_font);
            painter.setPen(c.muted);
            painter.drawText(QRectF(g.area.right() + 4, y - 8, g.count_width + 6, 16), Qt::AlignRight | Qt::AlignVCenter,
                             QStringLiteral("n ") + readout(static_cast<double>(row.n)));
        }
    }
    if (panel.x.title.empty()) return;
    painter.setFont(style.axis_font);
    painter.setPen(c.text);
    painter.drawText(QRectF(g.frame.left(), g.area.bottom() + kTickRow, g.frame.width(), kTitleRow), Qt::AlignCenter,
                     page::titleWithExponent(barText(panel.x.title), ticks.exponent));
}

}  // namespace es::views
