// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <numeric>

#include "views/export/panel_painters.h"

namespace es::views::page {

namespace {

/// Widths of the columns within `width`: as wide as their text where all fit, else the widest ones give way and wrap.
std::vector<double> columnWidths(const PageCanvas& canvas, double pt, double width, double gap, const analysis::TablePanel& panel) {
    const std::size_t columns = panel.columns.size();
    std::vector<double> natural(columns, 0);
    for (std::size_t c = 0; c < columns; ++c) {
        natural[c] = canvas.fonts().width(QString::fromStdString(panel.columns[c]), pt, true);
        for (const auto& row : panel.rows)
            if (c < row.size()) natural[c] = std::max(natural[c], canvas.fonts().width(QString::fromStdString(row[c]), pt));
    }
    const double room = width - gap * static_cast<double>(columns - 1);
    // Water filling: find the cap under which capped widths fill the room.
    double cap = room, sum = std::accumulate(natural.begin(), natural.end(), 0.0);
    for (int round = 0; round < 40 && sum > room + 0.01; ++round) {
        const double widest = std::min(cap, *std::max_element(natural.begin(), natural.end()));
        cap = widest - std::max(0.5, (sum - room) / static_cast<double>(columns));
        if (cap < 8) break;
        sum = 0;
        for (const double w : natural) sum += std::min(w, cap);
    }
    for (double& w : natural) w = std::min(w, std::max(cap, 8.0));
    return natural;
}

}  // namespace

QStringList paintTablePanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::TablePanel& panel) {
    if (panel.columns.empty()) return {QStringLiteral("nothing recorded")};
    const double pt = style.small_pt, gap = style.small_pt, line = canvas.fonts().lineHeight(pt);
    const std::vector<double> widths = columnWidths(canvas, pt, target.width(), gap, panel);
    const double total = std::min(target.width(), std::accumulate(widths.begin(), widths.end(), gap * static_cast<double>(widths.size() - 1)));

    const auto wrapRow = [&](const std::vector<std::string>& row, bool bold) {
        std::vector<QStringList> cells;
        for (std::size_t c = 0; c < widths.size(); ++c)
            cells.push_back(c < row.size() ? canvas.fonts().wrap(QString::fromStdString(row[c]), pt, widths[c] + 0.1, bold) : QStringList());
        return cells;
    };
    const auto heightOf = [&](const std::vector<QStringList>& cells) {
        qsizetype most = 1;
        for (const QStringList& cell : cells) most = std::max(most, cell.size());
        return line * static_cast<double>(most) + 1.5;
    };
    const auto draw = [&](const std::vector<QStringList>& cells, double y, bool bold) {
        double x = target.left();
        for (std::size_t c = 0; c < cells.size(); ++c) {
            const bool right = c < panel.right_aligned.size() && panel.right_aligned[c];
            TextStyle text = style.small(right ? Anchor::kEnd : Anchor::kStart);
            text.bold = bold;
            double baseline = y + 0.75 + line * 0.5 + pt * 0.34;
            for (const QString& words : cells[c]) {
                canvas.text({right ? x + widths[c] : x, baseline}, words, text);
                baseline += line;
            }
            x += widths[c] + gap;
        }
    };
    const auto rule = [&](double y, double width) {
        canvas.line({target.left(), y}, {target.left() + total, y}, {style.colors.text, width, analysis::LineStyle::kSolid});
    };

    double y = target.top() + 1;
    rule(y, 0.8);
    const bool headed = std::any_of(panel.columns.begin(), panel.columns.end(), [](const std::string& name) { return !name.empty(); });
    if (headed) {
        const auto header = wrapRow(panel.columns, true);
        draw(header, y + 1, true);
        y += heightOf(header) + 2;
        rule(y, 0.4);
    }
    y += 1;
    std::size_t shown = 0;
    for (const auto& row : panel.rows) {
        const auto cells = wrapRow(row, false);
        const double height = heightOf(cells);
        if (y + height > target.bottom() - 1.5 && shown > 0) break;
        draw(cells, y, false);
        y += height;
        ++shown;
    }
    rule(y + 1, 0.8);
    if (shown < panel.rows.size()) return {QStringLiteral("%1 more rows in the data file").arg(panel.rows.size() - shown)};
    return {};
}

}  // namespace es::views::page
