// SPDX-License-Identifier: GPL-3.0-or-later
// A page of panels, painted the same on the screen, in PDF, in PNG and in SVG.
#pragma once

#include <QStringList>
#include <optional>
#include <vector>

#include "analysis/figures/figure_recipe.h"
#include "views/export/page_canvas.h"

namespace es::views::page {

/// A panel of a page, or why there is none.
struct PagePanel {
    analysis::Panel panel;
    std::optional<Error> error;  ///< shown in the panel's place on the screen; exporting refuses it
};

struct Page {
    QString name;
    analysis::PageSettings settings;
    std::vector<PagePanel> panels;
};

/// What was drawn, for checks, tests and clicks. Points from the top left corner.
struct PageReport {
    std::vector<QRectF> cells;       ///< one a panel
    std::vector<QStringList> notes;  ///< one a panel: all of its notes, printed or not
    std::vector<PlacedText> texts;
    std::vector<ColorKey> color_keys;
    std::vector<int> notes_cut;  ///< panels whose notes did not all fit
};

/// Size of the page in points.
[[nodiscard]] QSizeF pageSize(const analysis::PageSettings& settings);

/// Where each panel goes: rows of `columns` equal cells, points.
[[nodiscard]] std::vector<QRectF> layOut(const analysis::PageSettings& settings, std::size_t panels);

/// Paints the page's panels with letters "(a)", titles, contexts and notes on white paper. Any thread.
PageReport paintPage(PageCanvas& canvas, const Page& page);

/// "a" to "z", then "aa".
[[nodiscard]] QString panelLetter(std::size_t index);

}  // namespace es::views::page
