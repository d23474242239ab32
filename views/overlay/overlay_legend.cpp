// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/overlay_legend.h"

#include <QPen>
#include <algorithm>
#include <cmath>
#include <map>

namespace es::views {

using analysis::OverlayPanel;

std::vector<LegendEntry> legendOf(const OverlayPanel& panel) {
    std::map<int, int> counts;
    int all = 0;
    const auto count = [&](const OverlayPanel::Cell& cell) {
        ++all;
        if (cell.expert >= 0) ++counts[cell.expert];
    };
    for (const auto& cell : panel.patches) count(cell);
    if (panel.patches.empty())
        for (const auto& chip : panel.words) count(chip.cell);
    std::map<int, double> shares;
    for (const auto& [expert, tokens] : counts) shares[expert] = static_cast<double>(tokens) / all;
    // Soft routing: who leads at most patches says little of who takes how much.
    if (!panel.share_E.empty()) shares.clear();
    for (std::size_t expert = 0; expert < panel.share_E.size(); ++expert) shares[static_cast<int>(expert)] = panel.share_E[expert];
    std::vector<LegendEntry> entries;
    for (const auto& [expert, share] : shares) {
        const QString percent = share < 0.01 ? QStringLiteral("<1") : QString::number(std::lround(share * 100));
        entries.push_back({expert, share, QStringLiteral("expert %1 · %2 %").arg(expert).arg(percent)});
    }
    std::stable_sort(entries.begin(), entries.end(), [](const LegendEntry& a, const LegendEntry& b) { return a.share > b.share; });
    return entries;
}

int LegendLayout::at(const QPointF& point) const {
    for (std::size_t i = 0; i < boxes.size(); ++i)
        if (boxes[i].contains(point)) return static_cast<int>(i);
    return -1;
}

LegendLayout layoutLegend(const std::vector<LegendEntry>& entries, const QPointF& origin, double width, const OverlayStyle& style) {
    LegendLayout layout;
    const double px = (style.word_px - 1) * style.unit, square = px * 0.75, height = px * 1.6, padding = px * 0.3;
    double x = origin.x(), y = origin.y();
    for (const auto& entry : entries) {
        const double wanted = square + px * 0.4 + textWidth(entry.text, style.font, px) + 2 * padding;
        if (x > origin.x() && x + wanted > origin.x() + width) {
            x = origin.x();
            y += height;
        }
        layout.boxes.emplace_back(x, y, wanted, height);
        x += wanted + px * 0.4;
    }
    layout.height = layout.boxes.empty() ? 0 : y + height - origin.y();
    return layout;
}

void paintLegend(QPainter& painter, const LegendLayout& layout, const std::vector<LegendEntry>& entries, const OverlayStyle& style) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, true);
    const double px = (style.word_px - 1) * style.unit, square = px * 0.75, padding = px * 0.3;
    for (std::size_t i = 0; i < std::min(entries.size(), layout.boxes.size()); ++i) {
        const QRectF box = layout.boxes[i];
        const bool chosen = entries[i].expert == style.highlighted_expert;
        if (chosen || static_cast<int>(i) == style.hovered) {
            painter.setPen(chosen ? QPen(style.colors.accent, style.unit) : QPen(Qt::NoPen));
            painter.setBrush(chosen ? style.colors.accentGround : style.colors.panelHeader);
            painter.drawRoundedRect(box, 4 * style.unit, 4 * style.unit);
        }
        painter.setPen(Qt::NoPen);
        painter.setBrush(Theme::expertColor(entries[i].expert, style.colors));
        painter.drawRoundedRect(QRectF(box.left() + padding, box.center().y() - square / 2, square, square), 2 * style.unit, 2 * style.unit);
        painter.setPen(style.colors.text);
        const double text_left = box.left() + padding + square + px * 0.4;
        paintText(painter, QRectF(text_left, box.top(), box.right() - text_left, box.height()), Qt::AlignLeft | Qt::AlignVCenter, entries[i].text, style.font,
                  px);
    }
    painter.restore();
}

void paintValueBar(QPainter& painter, const QRectF& area, const OverlayPanel& panel, const OverlayStyle& style) {
    painter.save();
    const double px = style.number_px * style.unit, bar_height = 8 * style.unit;
    const QString low = QString::number(panel.value_min, 'g', 3), high = QString::number(panel.value_max, 'g', 3);
    const double low_width = textWidth(low, style.font, px), high_width = textWidth(high, style.font, px), gap = 6 * style.unit;
    const QString title = QString::fromStdString(panel.value_title);
    const double title_width = textWidth(title, style.font, px);
    const double bar_left = area.left() + low_width + gap;
    const double bar_width = std::max(24 * style.unit, std::min(180 * style.unit, area.width() - low_width - high_width - title_width - 5 * gap));
    const QRectF bar(bar_left, area.center().y() - bar_height / 2, bar_width, bar_height);
    constexpr int kSteps = 32;
    painter.setRenderHint(QPainter::Antialiasing, false);
    for (int i = 0; i < kSteps; ++i)
        painter.fillRect(QRectF(bar.left() + bar_width * i / kSteps, bar.top(), bar_width / kSteps + style.unit * 0.5, bar_height),
                         Theme::mapColor(panel.map, (i + 0.5) / kSteps));
    painter.setPen(style.colors.muted);
    paintText(painter, QRectF(area.left(), area.top(), low_width, area.height()), Qt::AlignLeft | Qt::AlignVCenter, low, style.font, px);
    paintText(painter, QRectF(bar.right() + gap, area.top(), high_width, area.height()), Qt::AlignLeft | Qt::AlignVCenter, high, style.font, px);
    painter.setPen(style.colors.text);
    paintText(painter, QRectF(bar.right() + 2 * gap + high_width, area.top(), title_width, area.height()), Qt::AlignLeft | Qt::AlignVCenter, title, style.font,
              px);
    painter.restore();
}

}  // namespace es::views
