// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/panel_copy.h"

#include <algorithm>

#include "views/export/page_writers.h"

namespace es::views::page {
namespace {

constexpr double kLeastRatio = 0.3, kMostRatio = 1.5;  // height by width: a sliver of a panel still gets room for its axes

}  // namespace

void addDrawing(QMimeData& mime, const analysis::Panel& panel, QSize pixels) {
    Page drawn;
    drawn.name = QString::fromStdString(panel.title);
    drawn.settings.columns = 1;
    drawn.settings.panel_letters = false;
    const double ratio = pixels.width() > 0 ? static_cast<double>(pixels.height()) / pixels.width() : 0.6;
    drawn.settings.height_mm = drawn.settings.width_mm * std::clamp(ratio, kLeastRatio, kMostRatio);
    drawn.panels.push_back({panel, {}});
    if (const auto svg = pageAsSvg(drawn)) mime.setData(QStringLiteral("image/svg+xml"), *svg);
    if (const auto pdf = pageAsPdf(drawn)) mime.setData(QStringLiteral("application/pdf"), *pdf);
}

}  // namespace es::views::page
