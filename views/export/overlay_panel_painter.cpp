// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <map>

#include "views/export/panel_painters.h"
#include "views/export/plot_frame.h"
#include "views/overlay/overlay_painter.h"
#include "views/overlay/picture_image.h"

namespace es::views::page {

namespace {

using analysis::OverlayPanel;

/// The picture on white, enlarged without steps to at least 300 dpi at its size on the page.
QImage printable(const store::Picture& picture, const QRectF& rect) {
    const QImage image = toImage(picture);
    if (image.isNull()) return {};
    QImage ground(image.size(), QImage::Format_RGB32);
    ground.fill(Qt::white);
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) {
            const QColor c = image.pixelColor(x, y);
            const auto over = [&](int v) { return (v * c.alpha() + 255 * (255 - c.alpha()) + 127) / 255; };
            ground.setPixel(x, y, qRgb(over(c.red()), over(c.green()), over(c.blue())));
        }
    const int wanted = static_cast<int>(std::ceil(rect.width() / 72 * 300));
    if (ground.width() >= wanted) return ground;
    return ground.scaled(wanted, static_cast<int>(std::ceil(rect.height() / 72 * 300)), Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
}

/// The label that fits the cell: all its experts, else the first one; empty when even that is too wide or the cell too low.
QString fittingLabel(const PageCanvas& canvas, const OverlayPanel::Cell& cell, const OverlayPanel& panel, double pt, double width) {
    const QString label = cellLabel(cell, panel);
    if (canvas.fonts().width(label, pt, true) <= width) return label;
    const QString first = label.section(QChar(0x00B7), 0, 0);
    return canvas.fonts().width(first, pt, true) <= width ? first : QString();
}

/// Tint, hatching, crosses, grid and numbers over the picture. False when there was no room for the numbers.
bool paintPatches(PageCanvas& canvas, const PageStyle& style, const QRectF& picture, const OverlayPanel& panel) {
    const double width = picture.width() / std::max(1, panel.grid_width), height = picture.height() / std::max(1, panel.grid_height);
    const double pt = std::clamp(std::min(width, height) * 0.5, style.min_pt, style.text_pt);
    const bool numbers = height >= pt * 1.1;
    bool all = true;
    const auto cells = std::min(panel.patches.size(), static_cast<std::size_t>(panel.grid_width) * static_cast<std::size_t>(panel.grid_height));
    for (std::size_t i = 0; i < cells; ++i) {
        const auto& cell = panel.patches[i];
        const auto column = static_cast<double>(i % static_cast<std::size_t>(panel.grid_width)),
                   row = static_cast<double>(i / static_cast<std::size_t>(panel.grid_width));
        const QRectF rect(picture.left() + column * width, picture.top() + row * height, width, height);
        const QColor color = cellColor(cell, panel, style.colors);
        QColor tint = color;
        if (color.isValid()) {
            tint.setAlphaF(panel.show_values ? 0.85f : 0.6f);
            canvas.rect(rect, tint);
        }
        if (cell.masked) hatch(canvas, rect, style.colors.text, 3.5);
        if (cell.dropped) {
            canvas.line(rect.topLeft(), rect.bottomRight(), {style.colors.bad, 0.8, analysis::LineStyle::kSolid});
            canvas.line(rect.topRight(), rect.bottomLeft(), {style.colors.bad, 0.8, analysis::LineStyle::kSolid});
        }
        const QString label = numbers ? fittingLabel(canvas, cell, panel, pt, width - 1) : QString();
        if (label.isEmpty()) {
            all = all && cellLabel(cell, panel).isEmpty();
            continue;
        }
        // A halo of the cell's colour keeps the number readable on whatever the picture shows there.
        const double text = canvas.fonts().width(label, pt, true);
        const QColor ground = color.isValid() ? color : QColor(Qt::white);
        QColor plate = ground;
        plate.setAlphaF(0.8f);
        canvas.rect({rect.left() + 0.4, rect.top() + 0.4, text + 1.6, pt * 0.92}, plate, kNoStroke, 0.8);
        TextStyle ink{pt, Theme::inkOn(ground), true};
        canvas.text({rect.left() + 1.2, rect.top() + 0.4 + pt * 0.8}, label, ink);
    }
    QColor grid = Qt::white;
    grid.setAlphaF(0.7f);
    for (int column = 0; column <= panel.grid_width; ++column)
        canvas.line({picture.left() + column * width, picture.top()}, {picture.left() + column * width, picture.bottom()},
                    {grid, 0.4, analysis::LineStyle::kSolid});
    for (int row = 0; row <= panel.grid_height; ++row)
        canvas.line({picture.left(), picture.top() + row * height}, {picture.right(), picture.top() + row * height}, {grid, 0.4, analysis::LineStyle::kSolid});
    return all;
}

/// Words as chips, their experts' numbers lowered behind them. Returns the height used; `fit` becomes false when some found no room.
double paintChips(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const OverlayPanel& panel, bool& fit) {
    const double pt = style.text_pt, number_pt = std::max(style.min_pt, pt * 0.75);
    const double height = pt * 1.45, between = 3;
    double x = target.left(), y = target.top();
    for (const auto& chip : panel.words) {
        const QString word = QString::fromStdString(chip.text), number = cellLabel(chip.cell, panel);
        const double word_width = canvas.fonts().width(word, pt), number_width = number.isEmpty() ? 0 : canvas.fonts().width(number, number_pt, true) + 0.8;
        const double width = 2.4 + word_width + number_width + 2.4;
        if (x > target.left() && x + width > target.right()) {
            x = target.left();
            y += height + between;
        }
        if (y + height > target.bottom() + 0.5) {
            fit = false;
            break;
        }
        const QColor color = cellColor(chip.cell, panel, style.colors);
        const QRectF box(x, y, width, height);
        QColor tint = color.isValid() ? color : style.colors.faint;
        tint.setAlphaF(panel.show_values && color.isValid() ? 0.5f : 0.16f);
        canvas.rect(box, tint, kNoStroke, 1.2);
        if (chip.cell.masked) hatch(canvas, box, style.colors.muted, 3.5);
        canvas.line(box.bottomLeft(), box.bottomRight(), {color.isValid() ? color : style.colors.faint, 1.1, analysis::LineStyle::kSolid});
        TextStyle ink = style.text();
        ink.pt = pt;
        canvas.text({x + 2.4, y + height * 0.5 + pt * 0.3}, word, ink);
        if (!number.isEmpty()) {
            TextStyle small{number_pt, color.isValid() && !panel.show_values ? Theme::legible(color, Qt::white) : style.colors.text, true};
            canvas.text({x + 2.4 + word_width + 0.8, y + height * 0.5 + pt * 0.3 + number_pt * 0.28}, number, small);
        }
        x += width + between;
    }
    return panel.words.empty() ? 0 : y + height - target.top();
}

/// Experts of the panel with the share of cells that each took first, most first.
std::vector<std::pair<int, double>> sharesOf(const OverlayPanel& panel) {
    std::map<int, double> counts;
    double all = 0;
    const auto count = [&](const OverlayPanel::Cell& cell) {
        if (cell.expert < 0) return;
        counts[cell.expert] += 1;
        all += 1;
    };
    for (const auto& cell : panel.patches) count(cell);
    for (const auto& chip : panel.words) count(chip.cell);
    std::vector<std::pair<int, double>> shares(counts.begin(), counts.end());
    for (auto& [expert, n] : shares) n /= all;
    std::stable_sort(shares.begin(), shares.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    return shares;
}

/// "expert ■ 5 ■ 2": squares carry the number beside them, so the colours are never needed alone.
double paintExpertLegend(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const OverlayPanel& panel, bool draw) {
    const auto shares = sharesOf(panel);
    if (shares.empty()) return 0;
    const double line = canvas.fonts().lineHeight(style.small_pt) + 1;
    double x = target.left(), y = target.top();
    const QString head = QStringLiteral("expert");
    const double middle = line / 2 + style.small_pt * 0.34;
    if (draw) canvas.text({x, y + middle}, head, style.small());
    x += canvas.fonts().width(head, style.small_pt) + 4;
    for (const auto& [expert, share] : shares) {
        const QString number = QString::number(expert);
        const double width = 6 + 2 + canvas.fonts().width(number, style.small_pt) + 5;
        if (x > target.left() && x + width - 5 > target.right()) {
            x = target.left();
            y += line;
        }
        if (draw) {
            canvas.rect({x, y + line / 2 - 3, 6, 6}, Theme::expertColor(expert, style.colors));
            canvas.text({x + 8, y + middle}, number, style.small());
        }
        x += width;
    }
    return y + line - target.top();
}

}  // namespace

QStringList paintOverlayPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const OverlayPanel& panel) {
    QStringList notes;
    const bool pictured = panel.grid_width > 0 && panel.grid_height > 0 && !panel.patches.empty();
    const bool worded = !panel.words.empty();
    if (!pictured && !worded) return {QStringLiteral("nothing recorded")};
    const double gap = style.gap * 1.6;
    const QString value_title = QString::fromStdString(panel.value_title);
    const double bar = panel.show_values ? colorBarWidth(canvas, style, panel.value_min, panel.value_max, value_title) : 0;

    QRectF picture, words = target;
    if (pictured) {
        // Beside each other where the cell is wide, below each other where it is tall: whichever makes the picture larger.
        const QRectF beside(target.left(), target.top(), worded ? target.width() * 0.54 - bar : target.width() - bar, target.height());
        const QRectF above(target.left(), target.top(), target.width() - bar, worded ? target.height() * 0.7 : target.height());
        const QRectF a = fitPicture(panel, beside), b = fitPicture(panel, above);
        const bool stacked = worded && b.width() * b.height() > a.width() * a.height() * 1.25;
        picture = stacked ? b : a;
        picture.moveTopLeft(target.topLeft());
        words = stacked ? QRectF(target.left(), picture.bottom() + gap, target.width(), target.bottom() - picture.bottom() - gap)
                        : QRectF(picture.right() + bar + gap, target.top(), target.right() - picture.right() - bar - gap, target.height());
        const QImage image = printable(panel.picture, picture);
        if (image.isNull()) {
            canvas.rect(picture, Qt::white, {style.colors.line, 0.5, analysis::LineStyle::kSolid});
            notes.append(QStringLiteral("the run holds no picture of this sample"));
        } else {
            canvas.image(picture, image);
        }
        if (!paintPatches(canvas, style, picture, panel)) notes.append(QStringLiteral("cells are too small for some of their numbers"));
        if (panel.show_values) (void)paintColorBar(canvas, style, picture, analysis::ColorMap::kCividis, panel.value_min, panel.value_max, value_title);
        if (!worded && !stacked) words = QRectF(target.left(), picture.bottom() + gap, target.width(), target.bottom() - picture.bottom() - gap);
    }
    const double legend = panel.show_values ? 0 : paintExpertLegend(canvas, style, words, panel, false);
    bool fit = true;
    const double used = paintChips(canvas, style, words.adjusted(0, 0, 0, -legend - gap), panel, fit);
    if (!fit) notes.append(QStringLiteral("some words did not fit"));
    if (!panel.show_values) {
        QRectF below = words;
        below.setTop(std::min(words.top() + used + (used > 0 ? gap : 0), std::max(words.top(), words.bottom() - legend)));
        (void)paintExpertLegend(canvas, style, below, panel, true);
    }
    const auto any = [&](auto member) {
        return std::any_of(panel.patches.begin(), panel.patches.end(), [&](const auto& cell) { return cell.*member; }) ||
               std::any_of(panel.words.begin(), panel.words.end(), [&](const auto& chip) { return chip.cell.*member; });
    };
    if (any(&OverlayPanel::Cell::masked)) notes.append(QStringLiteral("hatched: masked"));
    if (any(&OverlayPanel::Cell::dropped)) notes.append(QStringLiteral("crossed: dropped"));
    return notes;
}

QStringList paintPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::PanelContent& content) {
    struct Visitor {
        PageCanvas& canvas;
        const PageStyle& style;
        const QRectF& target;
        QStringList operator()(const analysis::LinePanel& p) const { return paintLinePanel(canvas, style, target, p); }
        QStringList operator()(const analysis::HeatmapPanel& p) const { return paintHeatmapPanel(canvas, style, target, p); }
        QStringList operator()(const analysis::BarPanel& p) const { return paintBarPanel(canvas, style, target, p); }
        QStringList operator()(const analysis::ForestPanel& p) const { return paintForestPanel(canvas, style, target, p); }
        QStringList operator()(const analysis::OverlayPanel& p) const { return paintOverlayPanel(canvas, style, target, p); }
        QStringList operator()(const analysis::SankeyPanel& p) const { return paintSankeyPanel(canvas, style, target, p); }
        QStringList operator()(const analysis::TablePanel& p) const { return paintTablePanel(canvas, style, target, p); }
    };
    return std::visit(Visitor{canvas, style, target}, content);
}

}  // namespace es::views::page
