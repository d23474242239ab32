// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "views/export/panel_painters.h"
#include "views/export/plot_frame.h"
#include "views/export/point_reduction.h"

namespace es::views::page {

namespace {

using analysis::Curve;
using analysis::LinePanel;
using analysis::LineStyle;

struct Extent {
    double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
    void add(double value, bool log) {
        if (!std::isfinite(value) || (log && value <= 0)) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    void addAll(const std::vector<double>& values, bool log) {
        for (const double value : values) add(value, log);
    }
};

/// What a curve is called at its end or in the legend; curves of one label, colour and style (seeds) share it.
struct Label {
    LegendEntry entry;
    double end_x = 0, end_y = 0;  // of the curve's last point, data units; mean over the curves that share the label
    int curves = 0;
    QStringList lines;
    double y = 0;  // where it is put
};

std::vector<Label> labelsOf(const LinePanel& panel) {
    std::vector<Label> labels;
    for (const Curve& curve : panel.curves) {
        if (curve.label.empty()) continue;
        LegendEntry entry{QString::fromStdString(curve.label), curve.color, curve.style, curve.points};
        auto found = std::find_if(labels.begin(), labels.end(), [&](const Label& label) {
            return label.entry.label == entry.label && label.entry.color == entry.color && label.entry.line == entry.line && label.entry.points == entry.points;
        });
        if (found == labels.end()) found = labels.insert(labels.end(), Label{entry, 0, 0, 0, {}, 0});
        for (std::size_t i = std::min(curve.x.size(), curve.y.size()); i-- > 0;)
            if (std::isfinite(curve.x[i]) && std::isfinite(curve.y[i])) {
                found->end_x += curve.x[i];
                found->end_y += curve.y[i];
                ++found->curves;
                break;
            }
    }
    for (Label& label : labels)
        if (label.curves > 0) label.end_x /= label.curves, label.end_y /= label.curves;
    return labels;
}

/// Moves labels apart so that none overlaps, keeping their order and staying within [top, bottom].
void spread(std::vector<Label>& labels, double line, double top, double bottom) {
    std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
    double next = top;
    for (Label& label : labels) {
        const double half = line * static_cast<double>(label.lines.size()) / 2;
        label.y = std::max(label.y, next + half);
        next = label.y + half;
    }
    double limit = bottom;
    for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
        const double half = line * static_cast<double>(label->lines.size()) / 2;
        label->y = std::min(label->y, limit - half);
        limit = label->y - half;
    }
}

QPolygonF pathOf(const PlotFrame& frame, const std::vector<double>& x, const std::vector<double>& y, const std::vector<std::uint8_t>& drawn) {
    QPolygonF path;
    for (std::size_t i = 0; i < drawn.size(); ++i)
        if (drawn[i]) path.append(frame.at(x[i], y[i]));
    return path;
}

void drawBand(PageCanvas& canvas, const PlotFrame& frame, const Curve& curve, const QColor& color) {
    const std::size_t n = std::min({curve.x.size(), curve.low.size(), curve.high.size()});
    QColor fill = color;
    fill.setAlphaF(0.2f);
    const auto drawn = drawnPoints(std::vector<double>(curve.x.begin(), curve.x.begin() + static_cast<std::ptrdiff_t>(n)), curve.high);
    for (std::size_t i = 0; i < n;) {
        QPolygonF above, below;
        for (; i < n; ++i) {
            const QPointF up = frame.at(curve.x[i], curve.high[i]), down = frame.at(curve.x[i], curve.low[i]);
            if (!std::isfinite(up.x() + up.y() + down.y())) break;
            if (!drawn[i]) continue;
            above.append(up);
            below.append(down);
        }
        ++i;
        if (above.size() < 2) continue;
        std::reverse(below.begin(), below.end());
        const QPolygonF band = clipPolygon(above + below, frame.area);
        if (band.size() > 2) canvas.polygon(band, fill);
    }
}

void drawCurve(PageCanvas& canvas, const PageStyle& style, const PlotFrame& frame, const Curve& curve) {
    const QColor color = style.color(curve.color);
    if (!curve.raw_x.empty()) {
        QColor faint = color;
        faint.setAlphaF(0.25f);
        for (const QPolygonF& piece : clipPolyline(pathOf(frame, curve.raw_x, curve.raw_y, drawnPoints(curve.raw_x, curve.raw_y)), frame.area))
            canvas.polyline(piece, {faint, style.line * 0.6, LineStyle::kSolid});
    }
    const QPolygonF path = pathOf(frame, curve.x, curve.y, drawnPoints(curve.x, curve.y));
    const QRectF roomy = frame.area.adjusted(-0.01, -0.01, 0.01, 0.01);
    if (!curve.points)
        for (const QPolygonF& piece : clipPolyline(path, roomy)) canvas.polyline(piece, {color, style.line, curve.style});
    for (qsizetype i = 0; i < path.size(); ++i) {
        // A point between two gaps has no line to show it.
        const auto finite = [&](qsizetype at) { return at >= 0 && at < path.size() && std::isfinite(path[at].x() + path[at].y()); };
        if ((curve.points || (!finite(i - 1) && !finite(i + 1))) && finite(i) && roomy.contains(path[i]))
            canvas.circle(path[i], 1.7, color, {Qt::white, 0.3, LineStyle::kSolid});
    }
    if (!curve.points) return;
    for (std::size_t i = 0; i < std::min({curve.x.size(), curve.low.size(), curve.high.size()}); ++i) {
        const QPointF up = frame.at(curve.x[i], curve.high[i]), down = frame.at(curve.x[i], curve.low[i]);
        if (std::isfinite(up.x() + up.y() + down.y()))
            for (const QPolygonF& piece : clipPolyline(QPolygonF({up, down}), roomy)) canvas.polyline(piece, {color, style.line, LineStyle::kSolid});
    }
}

/// Sentences about points that an axis's own limits leave out.
QStringList clippedNotes(const LinePanel& panel, const PlotFrame& frame) {
    std::size_t outside = 0;
    const auto count = [&](const std::vector<double>& xs, const std::vector<double>& ys) {
        for (std::size_t i = 0; i < std::min(xs.size(), ys.size()); ++i) {
            if (!std::isfinite(xs[i]) || !std::isfinite(ys[i])) continue;
            const double x = frame.x.fraction(xs[i]), y = frame.y.fraction(ys[i]);
            if (!(x >= -1e-6 && x <= 1 + 1e-6 && y >= -1e-6 && y <= 1 + 1e-6)) ++outside;
        }
    };
    for (const Curve& curve : panel.curves) count(curve.x, curve.y);
    if (outside == 0) return {};
    return {QStringLiteral("%1 %2 outside the axes").arg(outside).arg(outside == 1 ? QStringLiteral("point lies") : QStringLiteral("points lie"))};
}

}  // namespace

QStringList paintLinePanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const LinePanel& panel) {
    const bool log_x = panel.x.scale == analysis::Scale::kLog, log_y = panel.y.scale == analysis::Scale::kLog;
    Extent xs, ys;
    for (const Curve& curve : panel.curves) {
        xs.addAll(curve.x, log_x);
        ys.addAll(curve.y, log_y);
        ys.addAll(curve.low, log_y);
        ys.addAll(curve.high, log_y);
        xs.addAll(curve.raw_x, log_x);
        ys.addAll(curve.raw_y, log_y);
    }
    for (const auto& line : panel.lines) ys.add(line.y, log_y);
    AxisRange x_range = rangeOf(panel.x, xs.low, xs.high, false);
    const bool only_points = std::all_of(panel.curves.begin(), panel.curves.end(), [](const Curve& curve) { return curve.points; });
    if (only_points && panel.x.categories.empty()) x_range = rangeOf(panel.x, xs.low - 0.06 * (xs.high - xs.low), xs.high + 0.06 * (xs.high - xs.low), true);
    const AxisRange y_range = rangeOf(panel.y, ys.low, ys.high, true);

    // Labels at the ends of the curves where they fit beside the data, else a legend above it: never on top.
    std::vector<Label> labels = labelsOf(panel);
    const double line = canvas.fonts().lineHeight(style.small_pt);
    double widest = 0, lines = 0;
    bool direct = !labels.empty() && labels.size() <= 8 && !only_points;
    for (Label& label : labels) {
        label.lines = canvas.fonts().wrap(label.entry.label, style.small_pt, target.width() * 0.3);
        if (label.lines.size() > 2 || label.curves == 0 || label.entry.points || x_range.fraction(label.end_x) < 0.85) direct = false;
        for (const QString& text : label.lines) widest = std::max(widest, canvas.fonts().width(text, style.small_pt));
        lines += static_cast<double>(label.lines.size());
    }
    if (lines * line > target.height() * 0.7) direct = false;

    FrameRoom room;
    std::vector<LegendEntry> legend;
    if (direct) {
        room.right = widest + 7;
    } else {
        for (const Label& label : labels) legend.push_back(label.entry);
        room.top = legendHeight(canvas, style, target.width(), legend) + (legend.empty() ? 0 : 3);
        paintLegend(canvas, style, target, legend);
    }
    const bool words = std::any_of(panel.lines.begin(), panel.lines.end(), [](const auto& y) { return !y.label.empty(); });
    const bool marks = std::any_of(panel.markers.begin(), panel.markers.end(), [](const auto& x) { return !x.label.empty(); });
    if (words || marks) room.top += line;

    const PlotFrame frame = drawFrame(canvas, style, target, panel.x, x_range, panel.y, y_range, room);
    const double above = frame.area.top() - 2;
    double taken = frame.area.left();
    for (const auto& marker : panel.markers) {
        const double x = frame.xAt(marker.x);
        if (!(x >= frame.area.left() - 0.1 && x <= frame.area.right() + 0.1)) continue;
        canvas.line({x, frame.area.top()}, {x, frame.area.bottom()}, {style.color(marker.color), 0.5, LineStyle::kDashed});
        const QString text = QString::fromStdString(marker.label);
        const double width = canvas.fonts().width(text, style.small_pt);
        const double start = std::min(std::max(x - width / 2, taken), frame.area.right() - width);
        if (start < taken - 0.01) continue;  // the line stays; words that would overlap are left to the notes
        TextStyle ink = style.small();
        ink.color = style.ink(marker.color);
        canvas.text({start, above}, text, ink);
        taken = start + width + 4;
    }
    for (const auto& level : panel.lines) {
        const double y = frame.yAt(level.y);
        if (!(y >= frame.area.top() - 0.1 && y <= frame.area.bottom() + 0.1)) continue;
        canvas.line({frame.area.left(), y}, {frame.area.right(), y}, {style.colors.muted, 0.6, LineStyle::kDashed});
        const QString text = QString::fromStdString(level.label);
        if (text.isEmpty()) continue;
        // Above the plot, with a dash as its swatch: a word on the line itself would lie on the curves that run along it.
        const double width = canvas.fonts().width(text, style.small_pt) + 14;
        if (taken + width > target.right()) continue;
        canvas.line({taken, above - style.small_pt * 0.3}, {taken + 11, above - style.small_pt * 0.3}, {style.colors.muted, 0.6, LineStyle::kDashed});
        canvas.text({taken + 14, above}, text, style.small());
        taken += width + 6;
    }
    for (const Curve& curve : panel.curves)
        if (!curve.points) drawBand(canvas, frame, curve, style.color(curve.color));
    for (const Curve& curve : panel.curves) drawCurve(canvas, style, frame, curve);

    if (direct) {
        for (Label& label : labels) label.y = std::clamp(frame.yAt(label.end_y), frame.area.top(), frame.area.bottom());
        spread(labels, line, frame.area.top() - line / 2, frame.area.bottom() + line / 2);
        for (const Label& label : labels) {
            const QPointF end(frame.area.right() + 0.5, std::clamp(frame.yAt(label.end_y), frame.area.top(), frame.area.bottom()));
            if (std::abs(label.y - end.y()) > 1)
                canvas.line(end, {frame.area.right() + 4.5, label.y}, {style.color(label.entry.color), 0.4, LineStyle::kSolid});
            TextStyle ink = style.small();
            ink.color = style.ink(label.entry.color);
            double baseline = label.y - line * static_cast<double>(label.lines.size()) / 2 + line * 0.5 + style.small_pt * 0.34;
            for (const QString& text : label.lines) {
                canvas.text({frame.area.right() + 6, baseline}, text, ink);
                baseline += line;
            }
        }
    }
    return clippedNotes(panel, frame);
}

}  // namespace es::views::page
