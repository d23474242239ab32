// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/svg_canvas.h"

#include <QBuffer>

namespace es::views::page {

namespace {

QByteArray number(double value) {
    QByteArray text = QByteArray::number(value, 'f', 3);
    while (text.endsWith('0')) text.chop(1);
    if (text.endsWith('.')) text.chop(1);
    return text == "-0" ? QByteArray("0") : text;
}

/// XML knows no control characters, not even escaped: they are left out.
QByteArray escaped(const QString& text) {
    QString clean;
    for (const QChar c : text)
        if (c.unicode() >= 0x20 || c == QLatin1Char('\t')) clean += c;
    return clean.toHtmlEscaped().toUtf8();
}

QByteArray fillOf(const QColor& color) {
    if (!color.isValid() || color.alpha() == 0) return " fill=\"none\"";
    QByteArray text = " fill=\"" + color.name().toLatin1() + '"';
    if (color.alpha() < 255) text += " fill-opacity=\"" + number(color.alphaF()) + '"';
    return text;
}

QByteArray strokeOf(const Stroke& stroke) {
    if (stroke.width <= 0) return {};
    QByteArray text = " stroke=\"" + stroke.color.name().toLatin1() + "\" stroke-width=\"" + number(stroke.width) + '"';
    if (stroke.color.alpha() < 255) text += " stroke-opacity=\"" + number(stroke.color.alphaF()) + '"';
    const auto dashes = [&](double on, double off) { return " stroke-dasharray=\"" + number(on * stroke.width) + ' ' + number(off * stroke.width) + '"'; };
    if (stroke.style == analysis::LineStyle::kDashed) text += dashes(4, 2.5);
    if (stroke.style == analysis::LineStyle::kDotted) text += dashes(1.2, 1.8);
    return text;
}

QByteArray pointsOf(const QPolygonF& points) {
    QByteArray text = " points=\"";
    for (const QPointF& p : points) text += number(p.x()) + ',' + number(p.y()) + ' ';
    if (text.endsWith(' ')) text.chop(1);
    return text + '"';
}

QByteArray boxOf(const QRectF& r) {
    return " x=\"" + number(r.x()) + "\" y=\"" + number(r.y()) + "\" width=\"" + number(r.width()) + "\" height=\"" + number(r.height()) + '"';
}

}  // namespace

SvgCanvas::SvgCanvas(PageFonts fonts, double width_mm, double height_mm, const QString& title) : PageCanvas(std::move(fonts)) {
    const bool serif = this->fonts().family() != QStringLiteral("Inter");
    out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width_mm) + "mm\" height=\"" +
           number(height_mm) + "mm\" viewBox=\"0 0 " + number(width_mm * kPointsPerMm) + ' ' + number(height_mm * kPointsPerMm) + "\" font-family=\"'" +
           this->fonts().family().toUtf8() + "', " + (serif ? "'LM Roman 10', Inter, serif" : "sans-serif") +
           "\" style=\"font-variant-ligatures:none\" stroke-linejoin=\"round\" fill=\"none\">\n<title>" + escaped(title) + "</title>\n";
}

void SvgCanvas::polyline(const QPolygonF& points, const Stroke& stroke) {
    if (stroke.width > 0) out_ += "<polyline" + pointsOf(points) + strokeOf(stroke) + "/>\n";
}

void SvgCanvas::polygon(const QPolygonF& points, const QColor& fill, const Stroke& stroke) {
    out_ += "<polygon" + pointsOf(points) + fillOf(fill) + strokeOf(stroke) + "/>\n";
}

void SvgCanvas::rect(const QRectF& rect, const QColor& fill, const Stroke& stroke, double radius) {
    out_ += "<rect" + boxOf(rect) + (radius > 0 ? " rx=\"" + number(radius) + '"' : QByteArray()) + fillOf(fill) + strokeOf(stroke) + "/>\n";
}

void SvgCanvas::circle(QPointF centre, double radius, const QColor& fill, const Stroke& stroke) {
    out_ +=
        "<circle cx=\"" + number(centre.x()) + "\" cy=\"" + number(centre.y()) + "\" r=\"" + number(radius) + '"' + fillOf(fill) + strokeOf(stroke) + "/>\n";
}

void SvgCanvas::image(const QRectF& rect, const QImage& image) {
    QByteArray png;
    QBuffer buffer(&png);
    buffer.open(QIODevice::WriteOnly);
    image.save(&buffer, "PNG");
    out_ += "<image" + boxOf(rect) + " preserveAspectRatio=\"none\" href=\"data:image/png;base64," + png.toBase64() + "\"/>\n";
}

void SvgCanvas::beginGroup(const QString& id) { out_ += "<g id=\"" + escaped(id) + "\">\n"; }
void SvgCanvas::endGroup() { out_ += "</g>\n"; }

QByteArray SvgCanvas::finish() { return out_ + "</svg>\n"; }

void SvgCanvas::drawText(QPointF at, const QString& text, const TextStyle& style) {
    out_ += "<text x=\"" + number(at.x()) + "\" y=\"" + number(at.y()) + "\" font-size=\"" + number(style.pt) + '"';
    if (style.bold) out_ += " font-weight=\"bold\"";
    if (style.italic) out_ += " font-style=\"italic\"";
    if (style.anchor != Anchor::kStart) out_ += style.anchor == Anchor::kMiddle ? " text-anchor=\"middle\"" : " text-anchor=\"end\"";
    if (style.upwards) out_ += " transform=\"rotate(-90 " + number(at.x()) + ' ' + number(at.y()) + ")\"";
    out_ += fillOf(style.color) + '>';
    for (const TextRun& run : fonts().runs(text))
        out_ += run.fallback ? "<tspan font-family=\"Inter, sans-serif\">" + escaped(run.text) + "</tspan>" : escaped(run.text);
    out_ += "</text>\n";
}

}  // namespace es::views::page
