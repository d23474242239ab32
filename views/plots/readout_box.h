// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>

#include "views/plots/plot_style.h"

namespace es::views {

/// A small box of lines of text beside a point, kept inside `bounds`.
void paintReadoutBox(QPainter& painter, const PlotStyle& style, const QRectF& bounds, const QPointF& beside, const QString& text);

}  // namespace es::views
