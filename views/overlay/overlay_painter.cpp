// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/overlay_painter.h"

#include <QFontMetricsF>
#include <QPen>
#include <algorithm>
#include <cmath>

#include "views/overlay/picture_image.h"

namespace es::views {
namespace {

using analysis::OverlayPanel;
constexpr int kFontGrain = 16;   // fonts take whole pixels only: text is laid out this much larger and scaled down
constexpr double kFaded = 0.18;  // what is left of the tint of experts that are not the highlighted one

bool shownInCell(const OverlayPanel::Cell& cell, int expert) {
    if (cell.expert == expert) return true;
    return std::any_of(cell.choices.begin(), cell.choices.end(), [expert](const OverlayPanel::Choice& choice) { return choice.expert == expert; });
}

void fill(QPainter& painter, const QRectF& area, QColor color, double alpha) {
    color.setAlphaF(static_cast<float>(std::clamp(alpha, 0.0, 1.0)));
    painter.fillRect(area, color);
}

/// Parts of a cell, best expert on top, heights by mass.
template <class Visit>
void forEachPart(const QRectF& area, const OverlayPanel::Cell& cell, Visit&& visit) {
    double total = 0;
    for (const auto& choice : cell.choices) total += std::max(0.0f, choice.mass);
    double top = area.top();
    const auto count = static_cast<double>(cell.choices.size());
    for (const auto& choice : cell.choices) {
        const double share = total > 0 ? std::max(0.0f, choice.mass) / total : 1.0 / count;
        const QRectF part(area.left(), top, area.width(), area.height() * share);
        top = part.bottom();
        visit(choice, part);
    }
}

void paintTint(QPainter& painter, const QRectF& area, const OverlayPanel::Cell& cell, const OverlayPanel& panel, const OverlayStyle& style) {
    const bool faded = style.highlighted_expert >= 0 && !shownInCell(cell, style.highlighted_expert);
    const bool focus = style.highlighted_expert >= 0;
    if (faded) fill(painter, area, style.colors.panel, 0.55);
    if (panel.show_values ? !std::isfinite(cell.value) : cell.unseen) {
        paintHatching(painter, area, style.colors.faint, 6 * style.unit, style.unit);
        return;
    }
    if (!panel.show_values && cell.choices.size() > 1) {
        forEachPart(area, cell, [&](const OverlayPanel::Choice& choice, const QRectF& part) {
            const bool dim = focus && choice.expert != style.highlighted_expert;
            fill(painter, part, Theme::expertColor(choice.expert, style.colors), style.opacity * (dim ? kFaded : 1));
        });
        return;
    }
    if (const QColor color = cellColor(cell, panel, style.colors); color.isValid()) fill(painter, area, color, style.opacity * (faded ? kFaded : 1));
}

/// The outline of a cell that chose other experts than in what the panel is compared with.
void paintChange(QPainter& painter, const QRectF& area, const OverlayStyle& style) {
    const double width = std::clamp(area.width() / 14, 1.5 * style.unit, 3 * style.unit);
    const QRectF inner = area.adjusted(width / 2, width / 2, -width / 2, -width / 2);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(Qt::white, width + 1.5 * style.unit, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    painter.drawRect(inner);
    painter.setPen(QPen(style.colors.bad, width, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    painter.drawRect(inner);
}

/// A small plate of the expert's colour in the corner: the number reads at 4.5:1 whatever the picture shows below.
bool paintPlate(QPainter& painter, const QRectF& area, const QColor& ground, const QString& text, const OverlayStyle& style, double alpha) {
    const double least = style.number_px * style.unit;
    double px = std::clamp(std::min(area.width(), area.height()) * 0.24, least, std::max(least, 14 * style.unit));
    if (style.unit == 1) px = std::round(px);  // zooming must not fill the font cache with sizes
    const double height = px * 1.25, width = std::max(textWidth(text, style.font, px) + px * 0.5, height);
    if (width > area.width() - style.unit || height > area.height() - style.unit) return false;
    const QRectF plate(area.left(), area.top(), width, height);
    QColor color = ground, ink = Theme::inkOn(ground);
    color.setAlphaF(static_cast<float>(alpha));
    ink.setAlphaF(static_cast<float>(alpha));
    painter.fillRect(plate, color);
    painter.setPen(ink);
    paintText(painter, plate, Qt::AlignCenter, text, style.font, px);
    return true;
}

void paintNumbers(QPainter& painter, const QRectF& area, const OverlayPanel::Cell& cell, const OverlayPanel& panel, const OverlayStyle& style) {
    const auto alphaOf = [&](int expert) { return style.highlighted_expert >= 0 && expert != style.highlighted_expert ? 0.35 : 1.0; };
    if (!panel.show_values && cell.choices.size() > 1) {
        forEachPart(area, cell, [&](const OverlayPanel::Choice& choice, const QRectF& part) {
            paintPlate(painter, part, Theme::expertColor(choice.expert, style.colors), QString::number(choice.expert), style, alphaOf(choice.expert));
        });
        return;
    }
    const QColor color = cellColor(cell, panel, style.colors);
    const QString text = cellLabel(cell, panel);
    if (!color.isValid() || text.isEmpty() || paintPlate(painter, area, color, text, style, alphaOf(cell.expert))) return;
    // Where "3→5" has no room, "5" has some.
    if (!panel.show_values && cell.expert >= 0) paintPlate(painter, area, color, QString::number(cell.expert), style, alphaOf(cell.expert));
}

void paintOutline(QPainter& painter, const QRectF& area, const QColor& color, double width, double unit) {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(Qt::white, width + 2 * unit, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    painter.drawRect(area);
    painter.setPen(QPen(color, width, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    painter.drawRect(area);
}

}  // namespace

QRectF OverlayGrid::cell(int index) const {
    if (columns <= 0 || rows <= 0 || index < 0 || index >= columns * rows) return {};
    const int column = index % columns, row = index / columns;
    const double left = picture.left() + picture.width() * column / columns, right = picture.left() + picture.width() * (column + 1) / columns;
    const double top = picture.top() + picture.height() * row / rows, bottom = picture.top() + picture.height() * (row + 1) / rows;
    return QRectF(QPointF(left, top), QPointF(right, bottom));
}

int OverlayGrid::at(const QPointF& point) const {
    if (columns <= 0 || rows <= 0 || picture.isEmpty()) return -1;
    const double x = (point.x() - picture.left()) / picture.width(), y = (point.y() - picture.top()) / picture.height();
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return -1;
    return static_cast<int>(y * rows) * columns + static_cast<int>(x * columns);
}

QRectF fitPicture(const OverlayPanel& panel, const QRectF& target) {
    QSizeF shape(panel.picture.width, panel.picture.height);
    if (shape.isEmpty()) shape = QSizeF(panel.grid_width, panel.grid_height);
    if (shape.isEmpty() || target.isEmpty()) return {};
    const QSizeF fitted = shape.scaled(target.size(), Qt::KeepAspectRatio);
    return QRectF(target.center() - QPointF(fitted.width() / 2, fitted.height() / 2), fitted);
}

QColor cellColor(const OverlayPanel::Cell& cell, const OverlayPanel& panel, const ThemeColors& colors) {
    if (!panel.show_values) return cell.expert < 0 ? QColor() : Theme::expertColor(cell.expert, colors);
    if (!std::isfinite(cell.value)) return {};
    const double span = panel.value_max - panel.value_min;
    return Theme::mapColor(panel.map, span > 0 ? std::clamp((cell.value - panel.value_min) / span, 0.0, 1.0) : 0.5);
}

QString cellLabel(const OverlayPanel::Cell& cell, const OverlayPanel& panel) {
    // Nothing is less than zero by less than it shows: "0.00", never "-0.00".
    if (panel.show_values) return std::isfinite(cell.value) ? QString::number(std::abs(cell.value) < 0.005f ? 0.0 : cell.value, 'f', 2) : QString();
    if (cell.changed && cell.before >= 0 && cell.expert >= 0 && cell.choices.size() < 2) return QStringLiteral("%1→%2").arg(cell.before).arg(cell.expert);
    if (panel.show_mass && cell.expert >= 0 && cell.choices.size() < 2) return QStringLiteral("%1 %2%").arg(cell.expert).arg(std::lround(cell.mass * 100));
    if (cell.choices.size() < 2) return cell.expert < 0 ? QString() : QString::number(cell.expert);
    QString text;
    for (const auto& choice : cell.choices) text += (text.isEmpty() ? QString() : QStringLiteral("·")) + QString::number(choice.expert);
    return text;
}

void paintHatching(QPainter& painter, const QRectF& area, const QColor& color, double spacing, double width) {
    if (area.isEmpty() || spacing <= 0) return;
    painter.setPen(QPen(color, width, Qt::SolidLine, Qt::FlatCap));
    for (double at = spacing * 0.5; at < area.width() + area.height(); at += spacing) {  // clipped by hand: clip paths bloat a PDF
        const double x1 = std::min(at, area.width()), y1 = at - x1, y2 = std::min(at, area.height()), x2 = at - y2;
        painter.drawLine(QPointF(area.left() + x1, area.top() + y1), QPointF(area.left() + x2, area.top() + y2));
    }
}

void paintText(QPainter& painter, const QRectF& area, Qt::Alignment alignment, const QString& text, QFont font, double px) {
    const double whole = std::round(px);
    if (whole >= 8 && std::abs(whole - px) < 0.01) {
        font.setPixelSize(static_cast<int>(whole));
        painter.setFont(font);
        painter.drawText(area, static_cast<int>(alignment) | Qt::TextSingleLine | Qt::TextDontClip, text);
        return;
    }
    const double scale = px / std::max(1.0, std::round(px * kFontGrain));
    font.setPixelSize(std::max(1, static_cast<int>(std::round(px * kFontGrain))));
    painter.save();
    painter.setFont(font);
    painter.translate(area.topLeft());
    painter.scale(scale, scale);
    painter.drawText(QRectF(0, 0, area.width() / scale, area.height() / scale), static_cast<int>(alignment) | Qt::TextSingleLine | Qt::TextDontClip, text);
    painter.restore();
}

double textWidth(const QString& text, QFont font, double px) {
    font.setPixelSize(std::max(1, static_cast<int>(std::round(px * kFontGrain))));
    return QFontMetricsF(font).horizontalAdvance(text) * px / std::max(1.0, std::round(px * kFontGrain));
}

void paintOverlay(QPainter& painter, const QRectF& picture, const OverlayPanel& panel, const OverlayStyle& style) {
    painter.save();
    if (const QImage image = style.image ? *style.image : toImage(panel.picture); !image.isNull()) {
        painter.fillRect(picture, Qt::white);  // models see pictures on white, in both themes
        painter.setRenderHint(QPainter::SmoothPixmapTransform, style.smooth);
        painter.drawImage(picture, image);
    } else {
        painter.fillRect(picture, style.colors.panelHeader);
    }
    const OverlayGrid grid{picture, panel.grid_width, panel.grid_height};
    const int cells = std::min<int>(panel.grid_width * panel.grid_height, static_cast<int>(panel.patches.size()));
    painter.setRenderHint(QPainter::Antialiasing, false);
    for (int i = 0; i < cells; ++i) paintTint(painter, grid.cell(i), panel.patches[static_cast<std::size_t>(i)], panel, style);
    painter.setRenderHint(QPainter::Antialiasing, true);
    for (int i = 0; i < cells; ++i) {
        const auto& cell = panel.patches[static_cast<std::size_t>(i)];
        const QRectF area = grid.cell(i);
        if (cell.masked) {
            QColor dark(style.colors.text);
            dark.setAlphaF(0.55f);
            paintHatching(painter, area, dark, std::clamp(area.width() / 6, 3 * style.unit, 8 * style.unit), style.unit);
        }
        if (cell.dropped) {
            const QRectF inner = area.adjusted(area.width() * 0.2, area.height() * 0.2, -area.width() * 0.2, -area.height() * 0.2);
            for (const auto& [color, width] : {std::pair{QColor(Qt::white), 4.0}, std::pair{style.colors.bad, 2.0}}) {
                painter.setPen(QPen(color, width * style.unit, Qt::SolidLine, Qt::RoundCap));
                painter.drawLine(inner.topLeft(), inner.bottomRight());
                painter.drawLine(inner.topRight(), inner.bottomLeft());
            }
        }
    }
    painter.setRenderHint(QPainter::Antialiasing, false);
    if (style.grid && cells > 0 && picture.width() / panel.grid_width >= 4 * style.unit) {
        painter.setPen(QPen(QColor(255, 255, 255, 190), style.unit));
        for (int column = 1; column < panel.grid_width; ++column) {
            const double x = picture.left() + picture.width() * column / panel.grid_width;
            painter.drawLine(QPointF(x, picture.top()), QPointF(x, picture.bottom()));
        }
        for (int row = 1; row < panel.grid_height; ++row) {
            const double y = picture.top() + picture.height() * row / panel.grid_height;
            painter.drawLine(QPointF(picture.left(), y), QPointF(picture.right(), y));
        }
    }
    painter.setRenderHint(QPainter::Antialiasing, true);
    if (!panel.change_title.empty())
        for (int i = 0; i < cells; ++i)
            if (panel.patches[static_cast<std::size_t>(i)].changed) paintChange(painter, grid.cell(i), style);
    if (style.numbers)
        for (int i = 0; i < cells; ++i) paintNumbers(painter, grid.cell(i), panel.patches[static_cast<std::size_t>(i)], panel, style);
    if (style.hovered >= 0 && style.hovered < cells && style.hovered != style.selected)
        paintOutline(painter, grid.cell(style.hovered), QColor(0x24, 0x2C, 0x38, 140), style.unit, 0);
    for (const int patch : style.also)
        if (patch >= 0 && patch < cells) paintOutline(painter, grid.cell(patch), QColor(0x12, 0x16, 0x1C), 1.5 * style.unit, style.unit);
    if (style.selected >= 0 && style.selected < cells) paintOutline(painter, grid.cell(style.selected), QColor(0x12, 0x16, 0x1C), 2 * style.unit, style.unit);
    painter.restore();
}

}  // namespace es::views
