// SPDX-License-Identifier: GPL-3.0-or-later
// What a venue, a colour-blind reader or a reviewer would object to in a page.
#pragma once

#include <QColor>
#include <QString>
#include <vector>

#include "views/export/page_renderer.h"

namespace es::views::page {

enum class CheckState { kGood, kWarn, kBad };

struct FigureCheck {
    CheckState state = CheckState::kGood;
    QString words;   ///< "text ≥ 6 pt at final size"
    QString detail;  ///< what to look at or do; may be empty
};

/// Checks a painted page. `pdf` is the page as pageAsPdf gave it (fonts are looked up in it); empty: that check is left out.
[[nodiscard]] std::vector<FigureCheck> checkFigure(const Page& page, const analysis::FigureRecipe& recipe, const PageReport& report, const QByteArray& pdf);

/// How a colour looks to a dichromat (Machado, Oliveira and Fernandes 2009, severity 1).
enum class Vision { kDeuteranopia, kProtanopia };
[[nodiscard]] QColor seenWith(Vision vision, const QColor& color);

}  // namespace es::views::page
