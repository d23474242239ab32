// SPDX-License-Identifier: GPL-3.0-or-later
// What panels are drawn with: a handful of vector shapes, text and one kind of picture, in points from the page's top left corner.
// A page painted by QPainter (screen, PDF, PNG) and one written as SVG come from the same calls.
#pragma once

#include <QColor>
#include <QImage>
#include <QPolygonF>
#include <QRectF>
#include <QString>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "views/export/page_fonts.h"

namespace es::views::page {

enum class Anchor { kStart, kMiddle, kEnd };

struct TextStyle {
    double pt = 8;
    QColor color = Qt::black;
    bool bold = false, italic = false;
    Anchor anchor = Anchor::kStart;
    bool upwards = false;  ///< turned a quarter to the left, as beside a vertical axis
};

struct Stroke {
    QColor color = Qt::black;
    double width = 0.5;  ///< points; 0: none
    analysis::LineStyle style = analysis::LineStyle::kSolid;
};
inline const Stroke kNoStroke{Qt::transparent, 0, analysis::LineStyle::kSolid};

/// A piece of text that was drawn: what checks and tests ask about.
struct PlacedText {
    QString text;
    double pt = 0;
    QRectF box;
    int panel = 0;
};

/// A mark whose meaning is told by its colour (and line style) alone, by way of a legend.
struct ColorKey {
    QString label;
    QColor color;
    analysis::LineStyle line = analysis::LineStyle::kSolid;
    bool points = false;
    int panel = 0;
};

/// Not for sharing between threads; each page is painted with a canvas of its own.
class PageCanvas {
public:
    explicit PageCanvas(PageFonts fonts) : fonts_(std::move(fonts)) {}
    PageCanvas(const PageCanvas&) = delete;
    PageCanvas& operator=(const PageCanvas&) = delete;
    virtual ~PageCanvas() = default;

    [[nodiscard]] const PageFonts& fonts() const { return fonts_; }
    /// Draws one line of text with its baseline starting, centred or ending at `at`.
    void text(QPointF at, const QString& text, const TextStyle& style);
    void line(QPointF from, QPointF to, const Stroke& stroke) { polyline(QPolygonF({from, to}), stroke); }
    [[nodiscard]] const std::vector<PlacedText>& placedTexts() const { return placed_; }
    /// Says that `key` is told from others of its panel by colour; checks ask whether everybody can.
    void noteColorKey(ColorKey key) {
        key.panel = panel_;
        keys_.push_back(std::move(key));
    }
    [[nodiscard]] const std::vector<ColorKey>& colorKeys() const { return keys_; }
    void setPanel(int panel) { panel_ = panel; }  ///< what is drawn from now on belongs to it

    virtual void polyline(const QPolygonF& points, const Stroke& stroke) = 0;
    virtual void polygon(const QPolygonF& points, const QColor& fill, const Stroke& stroke = kNoStroke) = 0;
    virtual void rect(const QRectF& rect, const QColor& fill, const Stroke& stroke = kNoStroke, double radius = 0) = 0;
    virtual void circle(QPointF centre, double radius, const QColor& fill, const Stroke& stroke = kNoStroke) = 0;
    virtual void image(const QRectF& rect, const QImage& image) = 0;
    /// What follows belongs together, under a name (in files that keep groups).
    virtual void beginGroup(const QString& id) = 0;
    virtual void endGroup() = 0;

protected:
    virtual void drawText(QPointF at, const QString& text, const TextStyle& style) = 0;

private:
    PageFonts fonts_;
    std::vector<PlacedText> placed_;
    std::vector<ColorKey> keys_;
    int panel_ = 0;
};

/// Draws nothing: for measuring a panel before there is a place for it.
class MeasuringCanvas : public PageCanvas {
public:
    using PageCanvas::PageCanvas;
    void polyline(const QPolygonF&, const Stroke&) override {}
    void polygon(const QPolygonF&, const QColor&, const Stroke&) override {}
    void rect(const QRectF&, const QColor&, const Stroke&, double) override {}
    void circle(QPointF, double, const QColor&, const Stroke&) override {}
    void image(const QRectF&, const QImage&) override {}
    void beginGroup(const QString&) override {}
    void endGroup() override {}

protected:
    void drawText(QPointF, const QString&, const TextStyle&) override {}
};

/// The part of a polyline inside `rect`, cut into pieces. NaN breaks the line.
[[nodiscard]] std::vector<QPolygonF> clipPolyline(const QPolygonF& points, const QRectF& rect);
/// The part of a polygon inside `rect`; empty when there is none.
[[nodiscard]] QPolygonF clipPolygon(const QPolygonF& points, const QRectF& rect);
/// Thin diagonal lines: what stands for "missing".
void hatch(PageCanvas& canvas, const QRectF& rect, const QColor& color, double spacing = 2.5);

}  // namespace es::views::page
