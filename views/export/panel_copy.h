// SPDX-License-Identifier: GPL-3.0-or-later
// One panel as a drawing for other programs.
#pragma once

#include <QMimeData>
#include <QSize>

#include "analysis/figures/panel_data.h"

namespace es::views::page {

/// Adds the panel as "image/svg+xml" and "application/pdf", in the proportions of a widget of `pixels` and as wide as a page's text; nothing
/// when it cannot be drawn at that size. GUI thread.
void addDrawing(QMimeData& mime, const analysis::Panel& panel, QSize pixels);

}  // namespace es::views::page
