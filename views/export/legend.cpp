// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "views/export/panel_painters.h"

namespace es::views::page {

namespace {

constexpr double kSwatch = 11, kBetween = 8;

struct Placed {
    QPointF at;  // of the first line's top left corner
    QStringList lines;
};

/// Flows entries into rows. Returns one placement an entry and the height of all.
std::vector<Placed> flow(const PageCanvas& canvas, const PageStyle& style, double width, const std::vector<LegendEntry>& entries, double& height) {
    const double line = canvas.fonts().lineHeight(style.small_pt);
    std::vector<Placed> placed;
    double x = 0, y = 0, row = line;
    for (const LegendEntry& entry : entries) {
        const QStringList lines = canvas.fonts().wrap(entry.label, style.small_pt, std::max(10.0, width - kSwatch - 3));
        double widest = 0;
        for (const QString& text : lines) widest = std::max(widest, canvas.fonts().width(text, style.small_pt));
        if (x > 0 && x + kSwatch + 3 + widest > width) {
            x = 0;
            y += row;
            row = line;
        }
        placed.push_back({{x, y}, lines});
        row = std::max(row, line * static_cast<double>(std::max<qsizetype>(1, lines.size())));
        x += kSwatch + 3 + widest + kBetween;
    }
    height = entries.empty() ? 0 : y + row;
    return placed;
}

}  // namespace

double legendHeight(const PageCanvas& canvas, const PageStyle& style, double width, const std::vector<LegendEntry>& entries) {
    double height = 0;
    (void)flow(canvas, style, width, entries, height);
    return height;
}

void paintLegend(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const std::vector<LegendEntry>& entries) {
    double height = 0;
    const auto placed = flow(canvas, style, target.width(), entries, height);
    const double line = canvas.fonts().lineHeight(style.small_pt);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const LegendEntry& entry = entries[i];
        canvas.noteColorKey({entry.label, style.color(entry.color), entry.line, entry.points, 0});
        const QPointF at = target.topLeft() + placed[i].at;
        const double middle = at.y() + line * 0.5;
        if (entry.points) canvas.circle({at.x() + kSwatch / 2, middle}, 1.8, style.color(entry.color));
        else canvas.line({at.x(), middle}, {at.x() + kSwatch, middle}, {style.color(entry.color), style.line * 1.3, entry.line});
        double baseline = middle + style.small_pt * 0.34;
        for (const QString& text : placed[i].lines) {
            canvas.text({at.x() + kSwatch + 3, baseline}, text, style.small());
            baseline += line;
        }
    }
}

}  // namespace es::views::page
