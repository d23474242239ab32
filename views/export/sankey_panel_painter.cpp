// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "views/export/panel_painters.h"
#include "views/export/plot_frame.h"
#include "views/export/sankey_geometry.h"

namespace es::views::page {

QStringList paintSankeyPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::SankeyPanel& panel) {
    if (panel.columns.empty() || panel.bands.empty()) return {QStringLiteral("nothing recorded")};
    constexpr double kNode = 7;
    const double titles = canvas.fonts().lineHeight(style.small_pt) * 1.2;
    double widest = 0;
    for (const auto& node : panel.columns.back().nodes) widest = std::max(widest, canvas.fonts().width(QString::fromStdString(node.label), style.small_pt));
    const QRectF area = target.adjusted(1, titles, -(widest + 4), -1);
    const SankeyGeometry g = layoutSankey(area, panel, kNode, 2.5);
    if (g.nodes.empty()) return {QStringLiteral("no room for the flow")};
    for (std::size_t i = 0; i < g.bands.size(); ++i) {
        if (g.bands[i].isEmpty()) continue;
        const auto& band = panel.bands[i];
        QColor fill = style.color(panel.columns[static_cast<std::size_t>(band.column)].nodes[static_cast<std::size_t>(band.from)].color);
        fill.setAlphaF(0.32f);
        canvas.polygon(g.bands[i], fill);
    }
    QStringList notes;
    bool unnamed = false;
    for (std::size_t c = 0; c < panel.columns.size(); ++c) {
        const auto& column = panel.columns[c];
        double last = -1e9;
        for (std::size_t n = 0; n < column.nodes.size(); ++n) {
            const QRectF& node = g.nodes[c][n];
            canvas.rect(node, style.color(column.nodes[n].color), kNoStroke, 0.5);
            const double middle = node.center().y();
            if (column.nodes[n].amount <= 0) continue;
            if (middle - last < style.small_pt * 1.02) {
                unnamed = true;
                continue;
            }
            canvas.text({node.right() + 2, centredBaseline(canvas, middle, style.small_pt)}, QString::fromStdString(column.nodes[n].label), style.small());
            last = middle;
        }
        const Anchor anchor = c == 0 ? Anchor::kStart : c + 1 == panel.columns.size() ? Anchor::kEnd : Anchor::kMiddle;
        const double x = c == 0 ? g.nodes[c].front().left() : c + 1 == panel.columns.size() ? target.right() : g.nodes[c].front().center().x();
        TextStyle title = style.small(anchor);
        title.color = style.colors.muted;
        if (!g.nodes[c].empty()) canvas.text({x, target.top() + canvas.fonts().ascent(style.small_pt)}, QString::fromStdString(column.title), title);
    }
    if (unnamed) notes.append(QStringLiteral("experts too small for their number are drawn without it"));
    return notes;
}

}  // namespace es::views::page
