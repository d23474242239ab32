// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "views/export/page_canvas.h"

class QPainter;

namespace es::views::page {

/// Draws on a QPainter whose unit is 1 / kUnitsPerPoint of a point: a PDF writer of 1440 dpi, or a picture or widget scaled to it.
class PainterCanvas : public PageCanvas {
public:
    PainterCanvas(QPainter* painter, PageFonts fonts);
    void polyline(const QPolygonF& points, const Stroke& stroke) override;
    void polygon(const QPolygonF& points, const QColor& fill, const Stroke& stroke) override;
    void rect(const QRectF& rect, const QColor& fill, const Stroke& stroke, double radius) override;
    void circle(QPointF centre, double radius, const QColor& fill, const Stroke& stroke) override;
    void image(const QRectF& rect, const QImage& image) override;
    void beginGroup(const QString&) override {}
    void endGroup() override {}

protected:
    void drawText(QPointF at, const QString& text, const TextStyle& style) override;

private:
    void use(const QColor& fill, const Stroke& stroke);
    QPainter* painter_;
};

}  // namespace es::views::page
