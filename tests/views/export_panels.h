// SPDX-License-Identifier: GPL-3.0-or-later
// Panels of every kind with planted content, for tests of the page.
#pragma once

#include <cmath>

#include "views/export/page_renderer.h"

namespace es::test {

inline analysis::Panel linePanel(std::size_t points = 200) {
    analysis::LinePanel lines;
    lines.x.title = "active compute (FLOPs)";
    lines.y.title = "validation loss (nats)";
    const char* names[] = {"dense", "scaled dense", "sparse, 8 experts"};
    for (int c = 0; c < 3; ++c) {
        analysis::Curve curve;
        curve.label = names[c];
        curve.color = {analysis::ColorRole::Kind::kRun, c};
        curve.series = std::string("run-") + names[c] + "/eval/loss/total";
        for (std::size_t i = 0; i < points; ++i) {
            const double t = static_cast<double>(i + 1) / static_cast<double>(points);
            curve.x.push_back(4.1e17 * t);
            curve.y.push_back(1.8 + 0.1 * (2 - c) + 2 * std::exp(-4 * t));
            curve.low.push_back(curve.y.back() - 0.03);
            curve.high.push_back(curve.y.back() + 0.03);
        }
        lines.curves.push_back(curve);
    }
    return {"Sparse against dense", "x: active FLOPs", {}, lines};
}

inline analysis::Panel heatmapPanel(int rows = 8, int columns = 8) {
    analysis::HeatmapPanel map;
    map.x.title = "expert";
    map.y.title = "category";
    map.rows = rows;
    map.columns = columns;
    map.value_title = "share ÷ even share";
    map.value_max = 2;
    for (int r = 0; r < rows; ++r) map.y.categories.push_back("group " + std::to_string(r));
    for (int c = 0; c < columns; ++c) map.x.categories.push_back(std::to_string(c));
    for (int i = 0; i < rows * columns; ++i) map.values.push_back(1 + std::sin(i * 1.7));
    map.values[3] = analysis::kMissing;
    return {"Category by expert", "layer 1, V", {}, map};
}

inline analysis::Panel barPanel() {
    analysis::BarPanel bars;
    bars.x.title = "baseline";
    bars.y.title = "mutual information (nats)";
    bars.bars.push_back({"trained", 0.093, 0.08, 0.11, {analysis::ColorRole::Kind::kAccent, 0}, true});
    bars.bars.push_back({"random router", 0.063, 0.05, 0.07, {analysis::ColorRole::Kind::kMuted, 0}, false});
    bars.bars.push_back({"untrained", 0.027, analysis::kMissing, analysis::kMissing, {analysis::ColorRole::Kind::kMuted, 0}, false});
    return {"Specialisation", "", {}, bars};
}

inline analysis::Panel forestPanel() {
    analysis::ForestPanel forest;
    forest.x.title = "loss difference (nats)";
    const char* names[] = {"animals & nature", "food & drink", "travel & places", "objects", "flags"};
    for (int i = 0; i < 5; ++i)
        forest.rows.push_back({names[i], -0.3 + 0.08 * i, -0.36 + 0.08 * i, -0.24 + 0.08 * i, 40 + 7 * i, {analysis::ColorRole::Kind::kRun, 1}});
    return {"Gain by category", "", {"over samples, 1 seed"}, forest};
}

inline analysis::Panel overlayPanel(int grid = 6) {
    analysis::OverlayPanel overlay;
    overlay.experts = 8;
    overlay.grid_width = overlay.grid_height = grid;
    overlay.picture.width = overlay.picture.height = 48;
    for (int y = 0; y < 48; ++y)
        for (int x = 0; x < 48; ++x) {
            const bool inside = (x - 24) * (x - 24) + (y - 24) * (y - 24) < 400;
            for (const int v : {inside ? 230 : 250, inside ? 150 + x : 250, inside ? 40 + 2 * y : 250, 255})
                overlay.picture.rgba.push_back(static_cast<std::uint8_t>(v));
        }
    for (int i = 0; i < grid * grid; ++i) {
        analysis::OverlayPanel::Cell cell;
        cell.expert = (i * 7 + i / 5) % 8;
        cell.mass = 0.5f;
        cell.masked = i == 8;
        overlay.patches.push_back(cell);
    }
    const char* words[] = {"grinning", "face", "with", "big", "eyes"};
    for (int i = 0; i < 5; ++i) {
        analysis::OverlayPanel::Chip chip;
        chip.text = words[i];
        chip.cell.expert = (3 * i) % 8;
        chip.cell.mass = 0.4f;
        chip.position = i;
        overlay.words.push_back(chip);
    }
    return {"Experts on image and caption", "layer 1 · step 600", {}, overlay};
}

inline analysis::Panel tablePanel() {
    analysis::TablePanel table;
    table.columns = {"", "dense", "sparse", "ratio"};
    table.right_aligned = {0, 1, 1, 1};
    table.rows = {
        {"parameters, total", "1.0 M", "3.1 M", "3.1"}, {"FLOPs per sample, active", "9.6 G", "9.7 G", "1.01"}, {"samples / s", "2 160", "1 842", "0.85"}};
    return {"Cost", "", {}, table};
}

/// Three routers of four experts; half of what expert e holds goes on to e, half to its neighbour.
inline analysis::Panel sankeyPanel() {
    analysis::SankeyPanel flow;
    flow.amount_title = "tokens";
    for (int c = 0; c < 3; ++c) {
        analysis::SankeyPanel::Column column;
        column.title = "V " + std::to_string(c + 1);
        for (int e = 0; e < 4; ++e) column.nodes.push_back({std::to_string(e), 100, {analysis::ColorRole::Kind::kExpert, e}});
        flow.columns.push_back(std::move(column));
    }
    for (int c = 0; c < 2; ++c)
        for (int e = 0; e < 4; ++e) {
            flow.bands.push_back({c, e, e, 50});
            flow.bands.push_back({c, e, (e + 1) % 4, 50});
        }
    return {"Flow between layers", "", {}, flow};
}

inline views::page::Page pageOf(std::vector<analysis::Panel> panels, double height_mm = 80) {
    views::page::Page page;
    page.name = QStringLiteral("test-figure");
    page.settings.height_mm = height_mm;
    for (auto& panel : panels) page.panels.push_back({std::move(panel), {}});
    return page;
}

}  // namespace es::test
