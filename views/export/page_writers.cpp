// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/page_writers.h"

#include <QBuffer>
#include <QPainter>
#include <QPdfWriter>
#include <cmath>
#include <cstddef>
#include <span>

#define POINTERHOLDER_TRANSITION 4  // std::shared_ptr only, which qpdf 11 returns
#include <qpdf/QPDF.hh>
#include <qpdf/QPDFPageDocumentHelper.hh>
#include <qpdf/QPDFWriter.hh>

#include "engine/base/hash.h"
#include "views/export/painter_canvas.h"
#include "views/export/svg_canvas.h"

namespace es::views::page {

namespace {

constexpr double kLargestMm = 5000;  // 14,400 points, the most that PDF allows

Result<PageFonts> fontsFor(const Page& page) {
    const auto& s = page.settings;
    if (!(s.width_mm >= 10 && s.width_mm <= kLargestMm && s.height_mm >= 10 && s.height_mm <= kLargestMm))
        return badInput("Cannot make the page", "its size is " + std::to_string(s.width_mm) + " x " + std::to_string(s.height_mm) + " mm",
                        "Choose between 10 and 5000 mm");
    if (!(s.font_pt >= 3 && s.font_pt <= 100))
        return badInput("Cannot make the page", "its font size is " + std::to_string(s.font_pt) + " pt", "Choose between 3 and 100 pt");
    return PageFonts::make(QString::fromStdString(s.font));
}

/// Qt names an embedded part of a font by the order in which it came upon it, which differs between processes ("QZAAAA+Name"), and only in
/// one of the three places that PDF wants it in. Here the six letters come from the embedded bytes.
void nameSubsetsByContent(QPDF& pdf) {
    const auto isName = [](QPDFObjectHandle object, const char* name) { return object.isName() && object.getName() == name; };
    for (QPDFObjectHandle font : pdf.getAllObjects()) {
        if (!font.isDictionary() || !isName(font.getKey("/Type"), "/Font") || !isName(font.getKey("/Subtype"), "/Type0")) continue;
        QPDFObjectHandle descendant = font.getKey("/DescendantFonts").getArrayItem(0);
        QPDFObjectHandle descriptor = descendant.getKey("/FontDescriptor");
        if (!descriptor.getKey("/FontName").isName() || !descriptor.getKey("/FontFile2").isStream()) continue;
        const std::string whole = descriptor.getKey("/FontName").getName();
        const auto plus = whole.find('+');
        if (plus == std::string::npos) continue;
        const auto bytes = descriptor.getKey("/FontFile2").getStreamData();
        std::string name = "/";
        for (std::uint64_t hash = hash64(std::span(reinterpret_cast<const std::byte*>(bytes->getBuffer()), bytes->getSize())); name.size() < 7; hash /= 26)
            name += static_cast<char>('A' + hash % 26);
        const QPDFObjectHandle named = QPDFObjectHandle::newName(name + whole.substr(plus));
        font.replaceKey("/BaseFont", named);
        descendant.replaceKey("/BaseFont", named);
        descriptor.replaceKey("/FontName", named);
    }
}

/// Qt rounds pages to whole points and dates them. This gives the page its exact box and takes everything out that differs between runs.
Result<QByteArray> finished(const QByteArray& raw, const QSizeF& points, double raw_height, const QString& title) {
    try {
        QPDF pdf;
        pdf.processMemoryFile("page", raw.constData(), static_cast<std::size_t>(raw.size()));
        auto pages = QPDFPageDocumentHelper(pdf).getAllPages();
        if (pages.size() != 1)
            return jobFailed("Cannot write the PDF", "the page came out as " + std::to_string(pages.size()) + " pages", "Report this as a bug");
        QPDFObjectHandle page = pages.front().getObjectHandle();
        auto box = QPDFObjectHandle::newArray();
        for (const double value : {0.0, 0.0, points.width(), points.height()}) box.appendItem(QPDFObjectHandle::newReal(value, 4, true));
        page.replaceKey("/MediaBox", box);
        for (const char* key : {"/CropBox", "/TrimBox", "/BleedBox", "/ArtBox"}) page.removeKey(key);
        // PDF counts from the bottom: without this the part that is cut off would be taken from the top.
        const std::string shift = "1 0 0 1 0 " + QByteArray::number(points.height() - raw_height, 'f', 4).toStdString() + " cm\n";
        page.addPageContents(QPDFObjectHandle::newStream(&pdf, shift), true);

        auto info = QPDFObjectHandle::newDictionary();
        info.replaceKey("/Title", QPDFObjectHandle::newUnicodeString(title.toStdString()));
        info.replaceKey("/Creator", QPDFObjectHandle::newString("ExpertScope"));
        pdf.getTrailer().replaceKey("/Info", pdf.makeIndirectObject(info));
        pdf.getRoot().removeKey("/Metadata");
        nameSubsetsByContent(pdf);

        QPDFWriter writer(pdf);
        writer.setOutputMemory();
        writer.setDeterministicID(true);
        writer.setMinimumPDFVersion("1.6");
        writer.write();
        const auto buffer = writer.getBufferSharedPointer();
        return QByteArray(reinterpret_cast<const char*>(buffer->getBuffer()), static_cast<qsizetype>(buffer->getSize()));
    } catch (const std::exception& failure) {
        return jobFailed("Cannot write the PDF", failure.what(), "Report this as a bug");
    }
}

void keep(PageReport* where, PageReport report) {
    if (where != nullptr) *where = std::move(report);
}

}  // namespace

Result<QByteArray> pageAsPdf(const Page& page, PageReport* report) {
    auto fonts = fontsFor(page);
    if (!fonts) return tl::unexpected(fonts.error());
    const QSizeF points = pageSize(page.settings);
    const QSizeF whole(std::ceil(points.width()), std::ceil(points.height()));
    QByteArray raw;
    {
        QBuffer buffer(&raw);
        buffer.open(QIODevice::WriteOnly);
        QPdfWriter writer(&buffer);
        writer.setPdfVersion(QPagedPaintDevice::PdfVersion_1_6);
        writer.setResolution(static_cast<int>(72 * kUnitsPerPoint));
        writer.setPageSize(QPageSize(whole, QPageSize::Point, QString(), QPageSize::ExactMatch));
        writer.setPageMargins(QMarginsF(0, 0, 0, 0));
        QPainter painter;
        if (!painter.begin(&writer)) return jobFailed("Cannot write the PDF", "the PDF writer did not start", "Report this as a bug");
        PainterCanvas canvas(&painter, *fonts);
        keep(report, paintPage(canvas, page));
    }
    return finished(raw, points, whole.height(), page.name);
}

Result<QByteArray> pageAsSvg(const Page& page, PageReport* report) {
    auto fonts = fontsFor(page);
    if (!fonts) return tl::unexpected(fonts.error());
    SvgCanvas canvas(*fonts, page.settings.width_mm, page.settings.height_mm, page.name);
    keep(report, paintPage(canvas, page));
    return canvas.finish();
}

Result<QImage> pageAsImage(const Page& page, double dpi, PageReport* report) {
    auto fonts = fontsFor(page);
    if (!fonts) return tl::unexpected(fonts.error());
    const QSizeF pixels = pageSize(page.settings) * dpi / 72;
    if (!(dpi >= 20) || pixels.width() * pixels.height() > 4e8)
        return badInput("Cannot paint the page", "it would have " + std::to_string(pixels.width() * pixels.height() / 1e6) + " million pixels",
                        "Choose fewer dots an inch, at least 20");
    QImage image(qRound(pixels.width()), qRound(pixels.height()), QImage::Format_RGB32);
    if (image.isNull()) return jobFailed("Cannot paint the page", "there is not enough memory for it", "Choose fewer dots an inch");
    image.setDotsPerMeterX(qRound(dpi / 0.0254));
    image.setDotsPerMeterY(qRound(dpi / 0.0254));
    image.fill(Qt::white);
    QPainter painter(&image);
    painter.scale(dpi / 72 / kUnitsPerPoint, dpi / 72 / kUnitsPerPoint);
    PainterCanvas canvas(&painter, *fonts);
    keep(report, paintPage(canvas, page));
    return image;
}

Result<QByteArray> pageAsPng(const Page& page, double dpi, PageReport* report) {
    auto image = pageAsImage(page, dpi, report);
    if (!image) return tl::unexpected(image.error());
    QByteArray png;
    QBuffer buffer(&png);
    buffer.open(QIODevice::WriteOnly);
    if (!image->save(&buffer, "PNG")) return jobFailed("Cannot write the PNG", "the picture could not be encoded", "Choose fewer dots an inch");
    return png;
}

Result<PdfFonts> fontsOfPdf(const QByteArray& bytes) {
    try {
        QPDF pdf;
        pdf.processMemoryFile("page", bytes.constData(), static_cast<std::size_t>(bytes.size()));
        PdfFonts found;
        for (QPDFObjectHandle object : pdf.getAllObjects()) {
            if (!object.isDictionary() || !object.getKey("/Type").isName() || object.getKey("/Type").getName() != "/Font") continue;
            const std::string kind = object.getKey("/Subtype").isName() ? object.getKey("/Subtype").getName() : "";
            if (kind == "/Type0") continue;  // its descendant carries the descriptor
            ++found.fonts;
            if (kind == "/Type3") ++found.type3;
            QPDFObjectHandle descriptor = object.getKey("/FontDescriptor");
            if (descriptor.isDictionary() && (descriptor.hasKey("/FontFile") || descriptor.hasKey("/FontFile2") || descriptor.hasKey("/FontFile3")))
                ++found.embedded;
        }
        return found;
    } catch (const std::exception& failure) {
        return badInput("Cannot read the PDF", failure.what(), "Write it again");
    }
}

}  // namespace es::views::page
