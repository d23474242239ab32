// SPDX-License-Identifier: GPL-3.0-or-later
// Where the nodes and bands of an analysis::SankeyPanel lie, on screen as on paper.
#pragma once

#include <QPolygonF>
#include <QRectF>
#include <vector>

#include "analysis/figures/panel_data.h"

namespace es::views::page {

struct SankeyGeometry {
    std::vector<std::vector<QRectF>> nodes;  ///< one a column and node
    std::vector<QPolygonF> bands;            ///< one a band; empty: too thin to be a shape, or of a node that is not there
    double scale = 0;                        ///< length of one unit of amount
};

/// Columns stand evenly in `area`, nodes `node_width` wide, their heights in proportion to their amounts with one scale for all columns, `gap` apart.
/// A node's bands leave and enter it in the order of the nodes at their other ends. Nothing when there is no amount or no room.
[[nodiscard]] SankeyGeometry layoutSankey(const QRectF& area, const analysis::SankeyPanel& panel, double node_width, double gap);

}  // namespace es::views::page
