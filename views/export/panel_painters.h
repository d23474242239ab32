// SPDX-License-Identifier: GPL-3.0-or-later
// Panels on paper. Each fits its content, with its axes, labels and legend, into a rectangle in points; nothing is drawn outside it and
// no legend lies on data. What could not be shown as asked (clipped, left out) is returned as notes, to be printed below the panel.
#pragma once

#include <QStringList>

#include "views/export/page_style.h"

namespace es::views::page {

QStringList paintLinePanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::LinePanel& panel);
QStringList paintHeatmapPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::HeatmapPanel& panel);
QStringList paintBarPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::BarPanel& panel);
QStringList paintForestPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::ForestPanel& panel);
QStringList paintOverlayPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::OverlayPanel& panel);
QStringList paintSankeyPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::SankeyPanel& panel);
QStringList paintTablePanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::TablePanel& panel);

/// Chooses by content.
QStringList paintPanel(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::PanelContent& content);

/// A vertical colour bar with its ends labelled and its title beside it. Returns the width it takes.
double paintColorBar(PageCanvas& canvas, const PageStyle& style, const QRectF& beside, analysis::ColorMap map, double low, double high, const QString& title);
[[nodiscard]] double colorBarWidth(const PageCanvas& canvas, const PageStyle& style, double low, double high, const QString& title);

/// One entry of a legend or one label at the end of a curve.
struct LegendEntry {
    QString label;
    analysis::ColorRole color;
    analysis::LineStyle line = analysis::LineStyle::kSolid;
    bool points = false;
};
/// Height that the legend's rows take at this width.
[[nodiscard]] double legendHeight(const PageCanvas& canvas, const PageStyle& style, double width, const std::vector<LegendEntry>& entries);
/// Rows of swatch and label from the top left corner of `target`; entries wider than it are wrapped.
void paintLegend(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const std::vector<LegendEntry>& entries);

}  // namespace es::views::page
