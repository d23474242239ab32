// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "views/export/panel_painters.h"
#include "views/export/plot_frame.h"

namespace es::views::page {

QStringList paintBarPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::BarPanel& panel) {
    if (panel.bars.empty()) return {QStringLiteral("nothing recorded")};
    analysis::Axis x = panel.x;
    x.categories.clear();
    double low = 0, high = 0;
    int missing = 0;
    for (const auto& bar : panel.bars) {
        x.categories.push_back(bar.label);
        for (const double value : {bar.value, bar.low, bar.high})
            if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
        if (!std::isfinite(bar.value)) ++missing;
    }
    if (low == 0 && high == 0) high = 1;
    const PlotFrame frame = drawFrame(canvas, style, target, x, rangeOf(x, 0, 1, false), panel.y, rangeOf(panel.y, low, high, true));
    const double zero = std::clamp(frame.yAt(0), frame.area.top(), frame.area.bottom());
    const double step = frame.area.width() / static_cast<double>(panel.bars.size());
    const double width = std::min(step * 0.72, 26.0);
    for (std::size_t i = 0; i < panel.bars.size(); ++i) {
        const auto& bar = panel.bars[i];
        const double x_middle = frame.xAt(static_cast<double>(i));
        if (!std::isfinite(bar.value)) {
            hatch(canvas, {x_middle - width / 2, frame.area.center().y(), width, frame.area.bottom() - frame.area.center().y()}, style.colors.faint);
            continue;
        }
        const double top = std::clamp(frame.yAt(bar.value), frame.area.top(), frame.area.bottom());
        const Stroke outline = bar.emphasised ? Stroke{style.colors.text, 0.9, analysis::LineStyle::kSolid} : kNoStroke;
        canvas.rect({x_middle - width / 2, std::min(top, zero), width, std::abs(zero - top)}, style.color(bar.color), outline);
        if (std::isfinite(bar.low) && std::isfinite(bar.high)) {
            const double from = std::clamp(frame.yAt(bar.low), frame.area.top(), frame.area.bottom());
            const double to = std::clamp(frame.yAt(bar.high), frame.area.top(), frame.area.bottom());
            const Stroke whisker{style.colors.text, 0.7, analysis::LineStyle::kSolid};
            canvas.line({x_middle, from}, {x_middle, to}, whisker);
            for (const double end : {from, to}) canvas.line({x_middle - 2, end}, {x_middle + 2, end}, whisker);
        }
    }
    if (zero < frame.area.bottom() - 0.5) canvas.line({frame.area.left(), zero}, {frame.area.right(), zero}, style.axisStroke());
    if (missing > 0) return {QStringLiteral("hatched: nothing recorded")};
    return {};
}

QStringList paintForestPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::ForestPanel& panel) {
    if (panel.rows.empty()) return {QStringLiteral("nothing recorded")};
    double low = panel.reference, high = panel.reference;
    double label_width = 0, n_width = canvas.fonts().width(QStringLiteral("n"), style.small_pt);
    const double widest_label = target.width() * 0.42;
    std::vector<QStringList> labels;
    for (const auto& row : panel.rows) {
        for (const double value : {row.mean, row.low, row.high})
            if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
        labels.push_back(canvas.fonts().wrap(QString::fromStdString(row.label), style.small_pt, widest_label));
        for (const QString& line : labels.back()) label_width = std::max(label_width, canvas.fonts().width(line, style.small_pt));
        n_width = std::max(n_width, canvas.fonts().width(QString::number(row.n), style.small_pt));
    }
    const double line = canvas.fonts().lineHeight(style.small_pt);
    AxisRange range = rangeOf(panel.x, low - 0.04 * (high - low), high + 0.04 * (high - low), true);
    QRectF area(target.left() + label_width + 5, target.top() + line, std::max(4.0, target.width() - label_width - 10 - n_width), 0);
    const double bottom = bottomAxisHeight(canvas, style, area.width(), panel.x, range);
    const double room = std::max(line, target.height() - line - bottom);
    std::size_t shown = 0;
    double used = 0;
    for (; shown < labels.size(); ++shown) {
        const double needed = line * static_cast<double>(std::max<qsizetype>(1, labels[shown].size()));
        if (used + needed > room + 0.01) break;
        used += needed;
    }
    shown = std::max<std::size_t>(shown, 1);
    // Rows spread over the room there is, but not so far apart that the eye loses the line.
    const double stretch = std::clamp(room / std::max(used, 1.0), 1.0, 2.2);
    area.setHeight(std::min(room, used * stretch));

    TextStyle faint = style.small(Anchor::kEnd);
    faint.color = style.colors.muted;
    canvas.text({target.right(), area.top() - line * 0.3}, QStringLiteral("n"), faint);
    const double reference = area.left() + range.fraction(panel.reference) * area.width();
    canvas.line({reference, area.top()}, {reference, area.bottom()}, {style.colors.muted, 0.7, analysis::LineStyle::kSolid});
    double y = area.top();
    for (std::size_t i = 0; i < shown; ++i) {
        const auto& row = panel.rows[i];
        const double height = line * static_cast<double>(std::max<qsizetype>(1, labels[i].size())) * stretch;
        const double middle = y + height / 2;
        double baseline = middle - line * static_cast<double>(labels[i].size() - 1) / 2 + style.small_pt * 0.34;
        for (const QString& text : labels[i]) {
            canvas.text({area.left() - 5, baseline}, text, style.small(Anchor::kEnd));
            baseline += line;
        }
        const auto xAt = [&](double value) { return std::clamp(area.left() + range.fraction(value) * area.width(), area.left(), area.right()); };
        const QColor color = style.color(row.color);
        if (std::isfinite(row.low) && std::isfinite(row.high))
            canvas.line({xAt(row.low), middle}, {xAt(row.high), middle}, {color, style.line * 1.2, analysis::LineStyle::kSolid});
        if (std::isfinite(row.mean)) canvas.circle({xAt(row.mean), middle}, 2, color);
        if (row.n > 0) canvas.text({target.right(), centredBaseline(canvas, middle, style.small_pt)}, QString::number(row.n), faint);
        y += height;
    }
    (void)drawBottomAxis(canvas, style, area, panel.x, range);
    if (shown < panel.rows.size()) return {QStringLiteral("%1 more rows in the data file").arg(panel.rows.size() - shown)};
    return {};
}

}  // namespace es::views::page
