// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/painter_canvas.h"

#include <QFontMetricsF>
#include <QPainter>
#include <QTransform>

namespace es::views::page {

namespace {
QPointF units(QPointF point) { return point * kUnitsPerPoint; }
QRectF units(const QRectF& rect) { return {units(rect.topLeft()), rect.size() * kUnitsPerPoint}; }
QPolygonF units(const QPolygonF& polygon) { return QTransform::fromScale(kUnitsPerPoint, kUnitsPerPoint).map(polygon); }
}  // namespace

PainterCanvas::PainterCanvas(QPainter* painter, PageFonts fonts) : PageCanvas(std::move(fonts)), painter_(painter) {
    painter_->setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing | QPainter::SmoothPixmapTransform | QPainter::LosslessImageRendering);
}

void PainterCanvas::use(const QColor& fill, const Stroke& stroke) {
    painter_->setBrush(fill.isValid() && fill.alpha() > 0 ? QBrush(fill) : QBrush(Qt::NoBrush));
    if (stroke.width <= 0) {
        painter_->setPen(Qt::NoPen);
        return;
    }
    QPen pen(stroke.color, stroke.width * kUnitsPerPoint, Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin);
    if (stroke.style == analysis::LineStyle::kDashed) pen.setDashPattern({4, 2.5});
    if (stroke.style == analysis::LineStyle::kDotted) pen.setDashPattern({1.2, 1.8});
    painter_->setPen(pen);
}

void PainterCanvas::polyline(const QPolygonF& points, const Stroke& stroke) {
    use({}, stroke);
    painter_->drawPolyline(units(points));
}

void PainterCanvas::polygon(const QPolygonF& points, const QColor& fill, const Stroke& stroke) {
    use(fill, stroke);
    painter_->drawPolygon(units(points));
}

void PainterCanvas::rect(const QRectF& rect, const QColor& fill, const Stroke& stroke, double radius) {
    use(fill, stroke);
    if (radius > 0) painter_->drawRoundedRect(units(rect), radius * kUnitsPerPoint, radius * kUnitsPerPoint);
    else painter_->drawRect(units(rect));
}

void PainterCanvas::circle(QPointF centre, double radius, const QColor& fill, const Stroke& stroke) {
    use(fill, stroke);
    painter_->drawEllipse(units(centre), radius * kUnitsPerPoint, radius * kUnitsPerPoint);
}

void PainterCanvas::image(const QRectF& rect, const QImage& image) { painter_->drawImage(units(rect), image); }

void PainterCanvas::drawText(QPointF at, const QString& text, const TextStyle& style) {
    const double width = fonts().width(text, style.pt, style.bold, style.italic);
    const double before = style.anchor == Anchor::kStart ? 0 : style.anchor == Anchor::kMiddle ? width / 2 : width;
    painter_->setPen(style.color);
    painter_->save();
    painter_->translate(units(at));
    if (style.upwards) painter_->rotate(-90);
    QPointF pen(-before, 0);
    for (const TextRun& run : fonts().runs(text)) {
        const QFont font = fonts().font(style.pt, style.bold, style.italic, run.fallback);
        painter_->setFont(font);
        painter_->drawText(units(pen), run.text);
        pen.rx() += QFontMetricsF(font).horizontalAdvance(run.text) / kUnitsPerPoint;
    }
    painter_->restore();
}

}  // namespace es::views::page
