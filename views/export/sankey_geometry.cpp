// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/sankey_geometry.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace es::views::page {
namespace {

constexpr int kSteps = 18;  // straight pieces of a band's edge

double total(const analysis::SankeyPanel::Column& column) {
    double sum = 0;
    for (const auto& node : column.nodes) sum += node.amount;
    return sum;
}

/// Points of the edge from a to b: a cubic that leaves and arrives level.
void edge(QPolygonF& points, const QPointF& a, const QPointF& b) {
    for (int i = 0; i <= kSteps; ++i) {
        const double t = static_cast<double>(i) / kSteps, s = t * t * (3 - 2 * t);
        points << QPointF(a.x() + (b.x() - a.x()) * t, a.y() + (b.y() - a.y()) * s);
    }
}

}  // namespace

SankeyGeometry layoutSankey(const QRectF& area, const analysis::SankeyPanel& panel, double node_width, double gap) {
    SankeyGeometry g;
    const std::size_t columns = panel.columns.size();
    double scale = std::numeric_limits<double>::max();
    for (const auto& column : panel.columns) {
        if (column.nodes.empty()) continue;
        // With many nodes the gaps give way before the nodes do.
        const double gaps = std::min(gap * static_cast<double>(column.nodes.size() - 1), area.height() * 0.35);
        if (const double sum = total(column); sum > 0) scale = std::min(scale, (area.height() - gaps) / sum);
    }
    if (columns == 0 || area.width() < 2 * node_width || area.height() < 10 || scale == std::numeric_limits<double>::max()) return g;
    g.scale = scale;
    for (std::size_t c = 0; c < columns; ++c) {
        const auto& column = panel.columns[c];
        const double x = columns > 1 ? area.left() + (area.width() - node_width) * static_cast<double>(c) / static_cast<double>(columns - 1) : area.left();
        const double spaces = column.nodes.size() > 1 ? static_cast<double>(column.nodes.size() - 1) : 1;
        const double own_gap = column.nodes.size() > 1 ? std::min(gap, area.height() * 0.35 / spaces) : 0;
        double y = area.top() + (area.height() - total(column) * scale - own_gap * (column.nodes.size() > 1 ? spaces : 0)) / 2;
        g.nodes.emplace_back();
        for (const auto& node : column.nodes) {
            g.nodes.back().emplace_back(x, y, node_width, node.amount * scale);
            y += node.amount * scale + own_gap;
        }
    }
    g.bands.resize(panel.bands.size());
    std::vector<std::size_t> order(panel.bands.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto known = [&](const analysis::SankeyPanel::Band& band) {
        const auto at = static_cast<std::size_t>(band.column);
        return band.column >= 0 && at + 1 < columns && band.from >= 0 && band.to >= 0 && static_cast<std::size_t>(band.from) < g.nodes[at].size() &&
               static_cast<std::size_t>(band.to) < g.nodes[at + 1].size() && band.amount > 0;
    };
    std::vector<double> leave(panel.bands.size(), 0), enter(panel.bands.size(), 0);
    const auto stack = [&](bool leaving, std::vector<double>& offset) {
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            const auto &p = panel.bands[a], &q = panel.bands[b];
            if (p.column != q.column) return p.column < q.column;
            return leaving ? std::pair(p.from, p.to) < std::pair(q.from, q.to) : std::pair(p.to, p.from) < std::pair(q.to, q.from);
        });
        double used = 0;
        for (std::size_t i = 0; i < order.size(); ++i) {
            const auto& band = panel.bands[order[i]];
            const bool same = i > 0 && panel.bands[order[i - 1]].column == band.column &&
                              (leaving ? panel.bands[order[i - 1]].from == band.from : panel.bands[order[i - 1]].to == band.to);
            if (!same) used = 0;
            offset[order[i]] = used;
            used += band.amount * scale;
        }
    };
    stack(true, leave);
    stack(false, enter);
    for (std::size_t i = 0; i < panel.bands.size(); ++i) {
        const auto& band = panel.bands[i];
        if (!known(band)) continue;
        const auto at = static_cast<std::size_t>(band.column);
        const QRectF &from = g.nodes[at][static_cast<std::size_t>(band.from)], &to = g.nodes[at + 1][static_cast<std::size_t>(band.to)];
        const double height = band.amount * scale, top_a = from.top() + leave[i], top_b = to.top() + enter[i];
        edge(g.bands[i], {from.right(), top_a}, {to.left(), top_b});
        edge(g.bands[i], {to.left(), top_b + height}, {from.right(), top_a + height});
    }
    return g;
}

}  // namespace es::views::page
