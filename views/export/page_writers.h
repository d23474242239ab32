// SPDX-License-Identifier: GPL-3.0-or-later
// Pages as bytes. The same page gives the same bytes: no date, no random id, fonts from the program's own resources.
// All need a QGuiApplication (offscreen is enough) and may be called from any thread.
#pragma once

#include <QByteArray>
#include <QImage>

#include "engine/base/result.h"
#include "views/export/page_renderer.h"

namespace es::views::page {

/// Vector PDF whose page box is the size asked for, fonts embedded as TrueType. Errors: an unknown font, a size no PDF can have.
[[nodiscard]] Result<QByteArray> pageAsPdf(const Page& page, PageReport* report = nullptr);
/// SVG in millimetres, text as text.
[[nodiscard]] Result<QByteArray> pageAsSvg(const Page& page, PageReport* report = nullptr);
/// The page as pixels of `dpi` dots an inch, which the picture carries along.
[[nodiscard]] Result<QImage> pageAsImage(const Page& page, double dpi, PageReport* report = nullptr);
[[nodiscard]] Result<QByteArray> pageAsPng(const Page& page, double dpi, PageReport* report = nullptr);

/// Fonts that a PDF uses.
struct PdfFonts {
    int fonts = 0, embedded = 0, type3 = 0;
};
[[nodiscard]] Result<PdfFonts> fontsOfPdf(const QByteArray& pdf);

}  // namespace es::views::page
