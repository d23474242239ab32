// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/overlay_chips.h"

#include <QFontMetricsF>
#include <QPen>
#include <algorithm>
#include <cmath>

#include "views/theme/color_math.h"

namespace es::views {
namespace {

using analysis::OverlayPanel;

struct ChipSizes {
    double word_px, number_px, height, padding, gap, between;
};

ChipSizes sizesOf(const OverlayStyle& style) {
    const double word = style.word_px * style.unit;
    return {word, std::max(style.number_px * style.unit, word * 0.78), word * 1.75, word * 0.42, word * 0.22, word * 0.4};
}

QFont bold(QFont font) {
    font.setWeight(QFont::DemiBold);
    return font;
}

double chipWidth(const OverlayPanel::Chip& chip, const OverlayPanel& panel, const OverlayStyle& style, const ChipSizes& sizes) {
    const QString number = cellLabel(chip.cell, panel);
    double width = textWidth(QString::fromStdString(chip.text), style.font, sizes.word_px) + 2 * sizes.padding;
    if (!number.isEmpty()) width += sizes.gap + textWidth(number, bold(style.font), sizes.number_px);
    return width;
}

void paintChip(QPainter& painter, const QRectF& box, const OverlayPanel::Chip& chip, const OverlayPanel& panel, const OverlayStyle& style) {
    const ChipSizes sizes = sizesOf(style);
    const ThemeColors& colors = style.colors;
    const bool other = style.highlighted_expert >= 0 && chip.cell.expert != style.highlighted_expert &&
                       std::none_of(chip.cell.choices.begin(), chip.cell.choices.end(),
                                    [&](const OverlayPanel::Choice& choice) { return choice.expert == style.highlighted_expert; });
    const QColor own = cellColor(chip.cell, panel, colors);
    QColor ground = colors.panelHeader;
    if (own.isValid()) ground = panel.show_values ? own : mix(colors.panel, own, colors.dark ? 0.26 : 0.16);
    if (other) ground = mix(colors.panel, ground, 0.35);
    const double radius = 4 * style.unit;
    painter.setPen(Qt::NoPen);
    painter.setBrush(ground);
    painter.drawRoundedRect(box, radius, radius);
    if (!panel.show_values && chip.cell.unseen)
        paintHatching(painter, box.adjusted(style.unit, style.unit, -style.unit, -style.unit), colors.faint, 6 * style.unit, style.unit);
    if (chip.cell.masked) {
        const QColor lines = mix(ground, colors.text, 0.35);
        paintHatching(painter, box.adjusted(style.unit, style.unit, -style.unit, -style.unit), lines, 5 * style.unit, style.unit);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(colors.muted, style.unit, Qt::DashLine));
        painter.drawRoundedRect(box, radius, radius);
    }
    if (own.isValid() && !panel.show_values) {
        const double thick = 2 * style.unit;
        painter.fillRect(QRectF(box.left() + radius / 2, box.bottom() - thick, box.width() - radius, thick), other ? mix(colors.panel, own, 0.35) : own);
    }
    const QString number = cellLabel(chip.cell, panel);
    const double number_width = number.isEmpty() ? 0 : textWidth(number, bold(style.font), sizes.number_px) + sizes.gap;
    const QColor ink = panel.show_values && own.isValid() ? Theme::inkOn(ground) : legibleOn(other ? colors.muted : colors.text, ground);
    const QRectF word_area(box.left() + sizes.padding, box.top(), box.width() - 2 * sizes.padding - number_width, box.height() - 2 * style.unit);
    QString word = QString::fromStdString(chip.text);
    if (textWidth(word, style.font, sizes.word_px) > word_area.width() + style.unit) {
        while (word.size() > 1 && textWidth(word + QChar(0x2026), style.font, sizes.word_px) > word_area.width()) word.chop(1);
        word += QChar(0x2026);
    }
    painter.setPen(ink);
    paintText(painter, word_area, Qt::AlignLeft | Qt::AlignVCenter, word, style.font, sizes.word_px);
    if (!number.isEmpty()) {
        painter.setPen(panel.show_values || !own.isValid() ? ink : legibleOn(own, ground));
        const QRectF number_area(box.right() - sizes.padding - number_width + sizes.gap, box.top() + sizes.word_px * 0.42, number_width - sizes.gap,
                                 box.height() - 2 * style.unit - sizes.word_px * 0.42);
        paintText(painter, number_area, Qt::AlignLeft | Qt::AlignVCenter, number, bold(style.font), sizes.number_px);
    }
    if (chip.cell.dropped) {
        painter.setPen(QPen(colors.bad, 2 * style.unit));
        painter.drawLine(QPointF(box.left() + sizes.padding / 2, box.center().y()), QPointF(box.right() - sizes.padding / 2, box.center().y()));
    }
}

}  // namespace

int ChipLayout::at(const QPointF& point) const {
    for (std::size_t i = 0; i < boxes.size(); ++i)
        if (boxes[i].contains(point)) return static_cast<int>(i);
    return -1;
}

int ChipLayout::lineStep(int from, int direction) const {
    if (from < 0 || from >= static_cast<int>(boxes.size())) return from;
    const QRectF here = boxes[static_cast<std::size_t>(from)];
    int best = from;
    double best_lines = 1e300, best_across = 1e300;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        const double lines = (boxes[i].top() - here.top()) * direction, across = std::abs(boxes[i].center().x() - here.center().x());
        if (lines <= 0.5 || lines > best_lines + 0.5) continue;
        if (lines < best_lines - 0.5 || across < best_across) {
            best = static_cast<int>(i);
            best_lines = lines;
            best_across = across;
        }
    }
    return best;
}

ChipLayout layoutChips(const OverlayPanel& panel, const QPointF& origin, double width, const OverlayStyle& style) {
    ChipLayout layout;
    const ChipSizes sizes = sizesOf(style);
    double x = origin.x(), y = origin.y();
    for (const auto& chip : panel.words) {
        const double wanted = std::min(chipWidth(chip, panel, style, sizes), width);
        if (x > origin.x() && x + wanted > origin.x() + width) {
            x = origin.x();
            y += sizes.height + sizes.between;
        }
        layout.boxes.emplace_back(x, y, wanted, sizes.height);
        x += wanted + sizes.between * 0.8;
    }
    layout.height = layout.boxes.empty() ? 0 : y + sizes.height - origin.y();
    return layout;
}

void paintChips(QPainter& painter, const ChipLayout& layout, const OverlayPanel& panel, const OverlayStyle& style) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, true);
    const std::size_t count = std::min(layout.boxes.size(), panel.words.size());
    for (std::size_t i = 0; i < count; ++i) {
        paintChip(painter, layout.boxes[i], panel.words[i], panel, style);
        if (!panel.change_title.empty() && panel.words[i].cell.changed) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(style.colors.bad, 1.5 * style.unit));
            painter.drawRoundedRect(layout.boxes[i], 4 * style.unit, 4 * style.unit);
        }
        const bool selected = static_cast<int>(i) == style.selected || std::find(style.also.begin(), style.also.end(), static_cast<int>(i)) != style.also.end();
        if (!selected && static_cast<int>(i) != style.hovered) continue;
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(selected ? style.colors.text : style.colors.faint, (selected ? 2 : 1) * style.unit));
        painter.drawRoundedRect(layout.boxes[i], 4 * style.unit, 4 * style.unit);
    }
    painter.restore();
}

}  // namespace es::views
