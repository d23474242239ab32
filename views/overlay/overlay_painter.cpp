// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/overlay_painter.h"

#include <QFontMetricsF>
#include <QHash>
#include <QPen>
#include <QStaticText>
#include <algorithm>
#include <cmath>

#include "views/overlay/picture_image.h"
#include "views/theme/color_math.h"

namespace es::views {
namespace {

using analysis::OverlayPanel;
constexpr int kFontGrain = 16;  // fonts take whole pixels only: text is laid out this much larger and scaled down
constexpr double kFadedPlate = 0.25;
constexpr double kFaded = 0.18;  // what is left of the tint of experts that are not the highlighted one

/// Colours and laid-out numbers of one picture: a grid has thousands of cells and a few dozen different ones.
class CellLooks {
public:
    explicit CellLooks(const OverlayStyle& style) : style_(&style) {}

    const QColor& expert(int expert) {
        auto at = experts_.find(expert);
        if (at == experts_.end()) at = experts_.insert(expert, Theme::expertColor(expert, style_->colors));
        return *at;
    }

    struct Plate {
        QColor ground, ink;
    };
    const Plate& plate(const QColor& color, bool faded) {
        const quint64 key = quint64{color.rgba()} << 1 | (faded ? 1 : 0);
        auto at = plates_.find(key);
        if (at == plates_.end()) {
            // What steps back loses its colour, not its number.
            const QColor ground = faded ? mix(style_->colors.panel, color, kFadedPlate) : color;
            at = plates_.insert(key, {ground, Theme::inkOn(ground)});
        }
        return *at;
    }

    struct Number {
        double width = 0;
        QFont font;
        QStaticText text;
    };
    const Number& number(const QString& text, double px) {
        const auto key = std::pair(text, static_cast<int>(std::round(px * kFontGrain)));
        auto at = numbers_.find(key);
        if (at == numbers_.end()) {
            Number made{textWidth(text, style_->font, px), style_->font, QStaticText(text)};
            made.font.setPixelSize(std::max(1, static_cast<int>(std::round(px))));
            made.text.setTextFormat(Qt::PlainText);
            made.text.prepare({}, made.font);
            at = numbers_.insert(key, std::move(made));
        }
        return *at;
    }

private:
    const OverlayStyle* style_;
    QHash<int, QColor> experts_;
    QHash<quint64, Plate> plates_;
    QHash<std::pair<QString, int>, Number> numbers_;
};

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

void paintTint(QPainter& painter, const QRectF& area, const OverlayPanel::Cell& cell, const OverlayPanel& panel, const OverlayStyle& style, CellLooks& looks) {
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
            fill(painter, part, looks.expert(choice.expert), style.opacity * (dim ? kFaded : 1));
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

constexpr double kRoomForValues = 64, kRoomForDigits = 48;  // of a tile, for "−0.021" at the largest size and at the smallest

/// With as many digits as the scale needs. Nothing is less than zero by less than it shows: "0.00", never "-0.00".
QString valueLabel(double value, double largest) {
    const int digits = largest < 0.1 ? 3 : 2;
    const double shown = std::abs(value) < 0.5 * std::pow(10.0, -digits) ? 0.0 : value;
    return QString::number(shown, 'f', digits).replace(QLatin1Char('-'), QChar(0x2212));
}

/// "−.02": what a small tile has room for, whatever the sign.
QString shortLabel(double value) {
    QString text = valueLabel(value, 1);
    const auto zero = text.indexOf(QStringLiteral("0."));
    return zero == 0 || (zero == 1 && value < 0) ? text.remove(zero, 1) : text;
}

/// A small plate of the expert's colour in the corner: the number reads at 4.5:1 whatever the picture shows below.
/// `small`: no larger than need be, so that values with sign and digits have room in the same tiles.
bool paintPlate(QPainter& painter, const QRectF& area, const QColor& color, const QString& text, const OverlayStyle& style, bool faded, CellLooks& looks,
                bool small = false) {
    const double least = style.number_px * style.unit;
    double px = small ? least : std::clamp(std::min(area.width(), area.height()) * 0.24, least, std::max(least, 14 * style.unit));
    if (style.unit == 1) px = std::round(px);  // zooming must not fill the font cache with sizes
    const double height = px * 1.25;
    if (height > area.height() - style.unit) return false;
    const CellLooks::Number& number = looks.number(text, px);
    const double width = std::max(number.width + px * 0.5, height);
    if (width > area.width() - style.unit || height > area.height() - style.unit) return false;
    const QRectF plate(area.left(), area.top(), width, height);
    const auto& [ground, ink] = looks.plate(color, faded);
    painter.fillRect(plate, ground);
    painter.setPen(ink);
    if (style.unit != 1) {
        paintText(painter, plate, Qt::AlignCenter, text, style.font, px);
        return true;
    }
    painter.setFont(number.font);
    const QSizeF size = number.text.size();
    painter.drawStaticText(plate.center() - QPointF(size.width() / 2, size.height() / 2), number.text);
    return true;
}

void paintNumbers(QPainter& painter, const QRectF& area, const OverlayPanel::Cell& cell, const OverlayPanel& panel, const OverlayStyle& style,
                  CellLooks& looks) {
    const auto fadedOf = [&](int expert) { return style.highlighted_expert >= 0 && expert != style.highlighted_expert; };
    if (!panel.show_values && cell.choices.size() > 1) {
        forEachPart(area, cell, [&](const OverlayPanel::Choice& choice, const QRectF& part) {
            paintPlate(painter, part, looks.expert(choice.expert), QString::number(choice.expert), style, fadedOf(choice.expert), looks);
        });
        return;
    }
    const QColor color = cellColor(cell, panel, style.colors);
    QString text = cellLabel(cell, panel);
    if (!color.isValid() || text.isEmpty()) return;
    const bool small = panel.show_values && area.width() < kRoomForValues * style.unit;
    if (panel.show_values && area.width() < kRoomForDigits * style.unit) text = shortLabel(cell.value);
    if (paintPlate(painter, area, color, text, style, fadedOf(cell.expert), looks, small)) return;
    // Where "3→5" has no room, "5" has some.
    if (!panel.show_values && cell.expert >= 0) paintPlate(painter, area, color, QString::number(cell.expert), style, fadedOf(cell.expert), looks);
}

/// The first patch of each region of neighbouring patches that go to the expert: one number says of all what their colour is.
std::vector<std::uint8_t> regionStarts(const OverlayPanel& panel, int expert) {
    std::vector<std::uint8_t> starts(panel.patches.size(), 0), seen(panel.patches.size(), 0);
    std::vector<int> open;
    const auto visit = [&](int row, int column) {
        if (row < 0 || column < 0 || row >= panel.grid_height || column >= panel.grid_width) return;
        const int at = row * panel.grid_width + column;
        const auto place = static_cast<std::size_t>(at);
        if (place >= seen.size() || seen[place] || panel.patches[place].expert != expert) return;
        seen[place] = 1;
        open.push_back(at);
    };
    for (std::size_t i = 0; i < seen.size(); ++i) {
        const int first = static_cast<int>(i);
        if (seen[i] || panel.patches[i].expert != expert || panel.grid_width <= 0) continue;
        starts[i] = 1;
        visit(first / panel.grid_width, first % panel.grid_width);
        while (!open.empty()) {
            const int row = open.back() / panel.grid_width, column = open.back() % panel.grid_width;
            open.pop_back();
            for (const auto& [down, right] : {std::pair(1, 0), std::pair(-1, 0), std::pair(0, 1), std::pair(0, -1)}) visit(row + down, column + right);
        }
    }
    return starts;
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
    if (panel.show_values)
        return std::isfinite(cell.value) ? valueLabel(cell.value, std::max(std::abs(panel.value_min), std::abs(panel.value_max))) : QString();
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
    CellLooks looks(style);
    painter.setRenderHint(QPainter::Antialiasing, false);
    for (int i = 0; i < cells; ++i) paintTint(painter, grid.cell(i), panel.patches[static_cast<std::size_t>(i)], panel, style, looks);
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
    const std::vector<std::uint8_t> numbered =
        style.numbers && style.numbered_expert >= 0 ? regionStarts(panel, style.numbered_expert) : std::vector<std::uint8_t>();
    if (style.numbers)
        for (int i = 0; i < cells; ++i)
            if (numbered.empty() || numbered[static_cast<std::size_t>(i)])
                paintNumbers(painter, grid.cell(i), panel.patches[static_cast<std::size_t>(i)], panel, style, looks);
    if (style.hovered >= 0 && style.hovered < cells && style.hovered != style.selected)
        paintOutline(painter, grid.cell(style.hovered), QColor(0x24, 0x2C, 0x38, 140), style.unit, 0);
    for (const int patch : style.also)
        if (patch >= 0 && patch < cells) paintOutline(painter, grid.cell(patch), QColor(0x12, 0x16, 0x1C), 1.5 * style.unit, style.unit);
    if (style.selected >= 0 && style.selected < cells) paintOutline(painter, grid.cell(style.selected), QColor(0x12, 0x16, 0x1C), 2 * style.unit, style.unit);
    painter.restore();
}

}  // namespace es::views
