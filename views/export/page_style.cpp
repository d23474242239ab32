// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/page_style.h"

#include <algorithm>

namespace es::views::page {

QColor PageStyle::ink(const analysis::ColorRole& role) const { return Theme::legible(color(role), Qt::white); }

PageStyle PageStyle::of(const analysis::PageSettings& page) {
    PageStyle style;
    double least = 5;
    for (const auto& preset : analysis::pagePresets())
        if (preset.name == page.preset) least = preset.min_font_pt;
    style.text_pt = page.font_pt;
    style.min_pt = std::min(least, page.font_pt);
    style.small_pt = std::max(style.min_pt, page.font_pt - 1);
    style.note_pt = std::max(style.min_pt, page.font_pt - 2);
    style.title_pt = page.font_pt;
    style.show_grid = page.preset.rfind("nature", 0) != 0;
    // Lines grow with the type, so that a poster and a column look alike.
    style.line = std::clamp(page.font_pt * 0.1125, 0.75, 1.5);
    style.gap = page.font_pt / 2;
    return style;
}

}  // namespace es::views::page
