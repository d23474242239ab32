// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "views/export/panel_painters.h"
#include "views/export/plot_frame.h"
#include "views/export/point_reduction.h"

namespace es::views::page {

namespace {

using analysis::HeatmapPanel;

constexpr double kBar = 6;

double valueAt(const HeatmapPanel& panel, std::int32_t row, std::int32_t column) {
    const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(panel.columns) + static_cast<std::size_t>(column);
    return at < panel.values.size() ? panel.values[at] : analysis::kMissing;
}

double meanOf(const HeatmapPanel& panel, std::int32_t row, std::int32_t first, std::int32_t last) {
    double sum = 0;
    int n = 0;
    for (std::int32_t column = first; column < last; ++column)
        if (const double value = valueAt(panel, row, column); std::isfinite(value)) sum += value, ++n;
    return n > 0 ? sum / n : analysis::kMissing;
}

QColor colorOf(const HeatmapPanel& panel, double value) {
    const double span = panel.value_max - panel.value_min;
    return Theme::mapColor(panel.map, span > 0 ? std::clamp((value - panel.value_min) / span, 0.0, 1.0) : 0.5);
}

}  // namespace

double colorBarWidth(const PageCanvas& canvas, const PageStyle& style, double low, double high, const QString& title) {
    double widest = 0;
    for (const QString& label : makeTicks({low, high}, 4).labels) widest = std::max(widest, canvas.fonts().width(label, style.small_pt));
    return 5 + kBar + 3 + widest + (title.isEmpty() ? 0 : 2 + style.small_pt * 1.25);
}

double paintColorBar(PageCanvas& canvas, const PageStyle& style, const QRectF& beside, analysis::ColorMap map, double low, double high, const QString& title) {
    const QRectF bar(beside.right() + 5, beside.top(), kBar, beside.height());
    constexpr int steps = 64;
    for (int i = 0; i < steps; ++i) {
        const double top = bar.bottom() - bar.height() * (i + 1) / steps;
        // Each step reaches below the one before it: viewers show a hairline between shapes that only touch.
        canvas.rect({bar.left(), top, bar.width(), std::min(bar.height() / steps * 1.6, bar.bottom() - top)}, Theme::mapColor(map, (i + 0.5) / steps));
    }
    const AxisRange range{low, high, analysis::Scale::kLinear};
    const Ticks ticks = makeTicks(range, 4);
    double widest = 0;
    for (std::size_t i = 0; i < ticks.at.size(); ++i) {
        const double y = bar.bottom() - range.fraction(ticks.at[i]) * bar.height();
        canvas.line({bar.right(), y}, {bar.right() + 2, y}, style.axisStroke());
        canvas.text({bar.right() + 3, centredBaseline(canvas, y, style.small_pt)}, ticks.labels[i], style.small());
        widest = std::max(widest, canvas.fonts().width(ticks.labels[i], style.small_pt));
    }
    const QString words = titleWithExponent(title, ticks.exponent);
    if (!words.isEmpty()) {
        TextStyle turned = style.small(Anchor::kMiddle);
        turned.upwards = true;
        canvas.text({bar.right() + 3 + widest + 2 + canvas.fonts().ascent(style.small_pt), bar.center().y()}, words, turned);
    }
    return 5 + kBar + 3 + widest + (words.isEmpty() ? 0 : 2 + style.small_pt * 1.25);
}

QStringList paintHeatmapPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const HeatmapPanel& panel) {
    if (panel.columns < 1 || panel.rows < 1) return {QStringLiteral("nothing recorded")};
    QStringList notes;
    const QString title = QString::fromStdString(panel.value_title);
    const double bar = colorBarWidth(canvas, style, panel.value_min, panel.value_max, title);

    // Room at the left: row labels, their experts' colours, the axis title.
    std::vector<QString> row_labels;
    double widest = 0;
    for (std::int32_t row = 0; row < panel.rows; ++row) {
        row_labels.push_back(static_cast<std::size_t>(row) < panel.y.categories.size()
                                 ? QString::fromStdString(panel.y.categories[static_cast<std::size_t>(row)])
                                 : QString::number(row));
        widest = std::max(widest, canvas.fonts().width(row_labels.back(), style.small_pt));
    }
    const QString y_title = QString::fromStdString(panel.y.title);
    const double badge = panel.row_is_expert ? 5 : 0;
    const double left = widest + 3 + badge + (y_title.isEmpty() ? 0 : style.text_pt * 1.3);
    analysis::Axis x_axis = panel.x;
    AxisRange x_range{-0.5, panel.columns - 0.5, analysis::Scale::kLinear};
    const bool numeric = panel.x_values.size() == static_cast<std::size_t>(panel.columns) && panel.x.categories.empty() && panel.columns > 1;
    if (numeric) {
        const double last = panel.x_values.back();
        x_range = {panel.x_values.front(), last + (last - panel.x_values[panel.x_values.size() - 2]), analysis::Scale::kLinear};
    } else if (x_axis.categories.empty()) {
        for (std::int32_t column = 0; column < panel.columns; ++column) x_axis.categories.push_back(std::to_string(column));
    }
    const double width = std::max(4.0, target.width() - left - bar);
    const double bottom = bottomAxisHeight(canvas, style, width, x_axis, x_range);
    const double top = style.small_pt * 0.45;
    const QRectF area(target.left() + left, target.top() + top, width, std::max(4.0, target.height() - bottom - top));

    const int groups = static_cast<int>(std::count(panel.row_group_start.begin(), panel.row_group_start.end(), std::uint8_t{1}));
    const double group_gap = std::min(3.0, area.height() * 0.15 / std::max(1, groups));
    const bool first_starts = !panel.row_group_start.empty() && panel.row_group_start[0] == 1;
    const double row_height = (area.height() - group_gap * (groups - (first_starts ? 1 : 0))) / panel.rows;
    const std::int32_t per = columnsPerCell(panel.columns);
    if (per > 1) notes.append(QStringLiteral("columns are means of %1").arg(per));
    const double cell_width = area.width() / panel.columns;
    const bool spaced = cell_width > 4 && row_height > 4;

    double y = area.top();
    double last_label = -1e9;
    bool missing = false;
    for (std::int32_t row = 0; row < panel.rows; ++row) {
        if (row > 0 && static_cast<std::size_t>(row) < panel.row_group_start.size() && panel.row_group_start[static_cast<std::size_t>(row)]) y += group_gap;
        for (std::int32_t column = 0; column < panel.columns; column += per) {
            const std::int32_t end = std::min(panel.columns, column + per);
            const double value = meanOf(panel, row, column, end);
            QRectF cell(area.left() + column * cell_width, y, (end - column) * cell_width, row_height);
            // White between large cells; small ones overlap by a hair, which covers the seams that viewers show between touching shapes.
            if (spaced) cell.adjust(0, 0, -0.5, -0.5);
            else cell.adjust(0, 0, end < panel.columns ? 0.15 : 0, row + 1 < panel.rows ? 0.15 : 0);
            if (std::isfinite(value)) {
                canvas.rect(cell, colorOf(panel, value));
            } else {
                missing = true;
                canvas.rect(cell, Qt::white);
                hatch(canvas, cell, style.colors.faint);
            }
        }
        const double middle = y + row_height / 2;
        if (panel.row_is_expert)
            canvas.rect({area.left() - 5, y + row_height * 0.15, 2.5, row_height * 0.7}, Theme::expertColor(panel.expertOfRow(row), style.colors));
        if (middle - last_label >= style.small_pt * 1.05) {
            canvas.text({area.left() - 3 - badge, centredBaseline(canvas, middle, style.small_pt)}, row_labels[static_cast<std::size_t>(row)],
                        style.small(Anchor::kEnd));
            last_label = middle;
        }
        y += row_height;
    }
    if (!y_title.isEmpty()) {
        TextStyle turned = style.text(Anchor::kMiddle);
        turned.upwards = true;
        canvas.text({target.left() + canvas.fonts().ascent(style.text_pt), area.center().y()}, y_title, turned);
    }
    (void)drawBottomAxis(canvas, style, area, x_axis, x_range);
    (void)paintColorBar(canvas, style, area, panel.map, panel.value_min, panel.value_max, title);
    if (missing) notes.append(QStringLiteral("hatched: nothing recorded"));
    const bool beyond =
        std::any_of(panel.values.begin(), panel.values.end(), [&](double v) { return v > panel.value_max * (1 + 1e-9) || v < panel.value_min - 1e-12; });
    if (beyond) notes.append(QStringLiteral("values beyond the colour bar are drawn in its end colours"));
    return notes;
}

}  // namespace es::views::page
