// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>

#include "views/export/page_canvas.h"

namespace es::views::page {

/// Writes SVG: text stays whole, anchored text with its font named, panels are groups, sizes are in millimetres. The same calls give
/// the same bytes.
class SvgCanvas : public PageCanvas {
public:
    SvgCanvas(PageFonts fonts, double width_mm, double height_mm, const QString& title);
    void polyline(const QPolygonF& points, const Stroke& stroke) override;
    void polygon(const QPolygonF& points, const QColor& fill, const Stroke& stroke) override;
    void rect(const QRectF& rect, const QColor& fill, const Stroke& stroke, double radius) override;
    void circle(QPointF centre, double radius, const QColor& fill, const Stroke& stroke) override;
    void image(const QRectF& rect, const QImage& image) override;
    void beginGroup(const QString& id) override;
    void endGroup() override;
    /// The document; nothing may be drawn afterwards.
    [[nodiscard]] QByteArray finish();

protected:
    void drawText(QPointF at, const QString& text, const TextStyle& style) override;

private:
    QByteArray out_;
};

}  // namespace es::views::page
