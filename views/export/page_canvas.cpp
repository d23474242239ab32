// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/page_canvas.h"

#include <cmath>

namespace es::views::page {

void PageCanvas::text(QPointF at, const QString& text, const TextStyle& style) {
    if (text.isEmpty()) return;
    const double width = fonts_.width(text, style.pt, style.bold, style.italic);
    const double before = style.anchor == Anchor::kStart ? 0 : style.anchor == Anchor::kMiddle ? width / 2 : width;
    const double up = fonts_.ascent(style.pt), down = fonts_.descent(style.pt);
    const QRectF box = style.upwards ? QRectF(at.x() - up, at.y() + before - width, up + down, width) : QRectF(at.x() - before, at.y() - up, width, up + down);
    placed_.push_back({text, style.pt, box, panel_});
    drawText(at, text, style);
}

namespace {

/// Liang-Barsky: shortens the segment to the rectangle. False when nothing is left.
bool clipSegment(QPointF& a, QPointF& b, const QRectF& rect) {
    double from = 0, to = 1;
    const double dx = b.x() - a.x(), dy = b.y() - a.y();
    const double p[4] = {-dx, dx, -dy, dy};
    const double q[4] = {a.x() - rect.left(), rect.right() - a.x(), a.y() - rect.top(), rect.bottom() - a.y()};
    for (int i = 0; i < 4; ++i) {
        if (p[i] == 0) {
            if (q[i] < 0) return false;
            continue;
        }
        const double at = q[i] / p[i];
        if (p[i] < 0) from = std::max(from, at);
        else to = std::min(to, at);
    }
    if (from > to) return false;
    const QPointF start = a;
    a = start + QPointF(from * dx, from * dy);
    b = start + QPointF(to * dx, to * dy);
    return true;
}

}  // namespace

std::vector<QPolygonF> clipPolyline(const QPolygonF& points, const QRectF& rect) {
    std::vector<QPolygonF> pieces;
    QPolygonF piece;
    const auto finish = [&] {
        if (piece.size() > 1) pieces.push_back(piece);
        piece.clear();
    };
    for (qsizetype i = 0; i + 1 < points.size(); ++i) {
        QPointF a = points[i], b = points[i + 1];
        if (!std::isfinite(a.x() + a.y() + b.x() + b.y()) || !clipSegment(a, b, rect)) {
            finish();
            continue;
        }
        if (piece.isEmpty() || piece.last() != a) {
            finish();
            piece.append(a);
        }
        piece.append(b);
        if (b != points[i + 1]) finish();
    }
    finish();
    return pieces;
}

QPolygonF clipPolygon(const QPolygonF& points, const QRectF& rect) {
    // Sutherland-Hodgman, one side after the other: inside(p) >= 0 within.
    QPolygonF in = points;
    for (int side = 0; side < 4 && !in.isEmpty(); ++side) {
        const auto inside = [&](QPointF p) {
            return side == 0 ? p.x() - rect.left() : side == 1 ? rect.right() - p.x() : side == 2 ? p.y() - rect.top() : rect.bottom() - p.y();
        };
        QPolygonF out;
        for (qsizetype i = 0; i < in.size(); ++i) {
            const QPointF a = in[i], b = in[(i + 1) % in.size()];
            const double da = inside(a), db = inside(b);
            if (da >= 0) out.append(a);
            if ((da >= 0) != (db >= 0)) out.append(a + (b - a) * (da / (da - db)));
        }
        in = out;
    }
    return in;
}

void hatch(PageCanvas& canvas, const QRectF& rect, const QColor& color, double spacing) {
    // Lines of x + y = c, counted from the page's corner so that neighbouring cells continue each other.
    const double first = std::ceil((rect.left() + rect.top()) / spacing) * spacing;
    for (double c = first; c < rect.right() + rect.bottom(); c += spacing) {
        QPointF a(rect.left(), c - rect.left()), b(c - rect.top(), rect.top());
        if (clipSegment(a, b, rect)) canvas.line(a, b, {color, 0.35, analysis::LineStyle::kSolid});
    }
}

}  // namespace es::views::page
