// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/line_overlay.h"

#include <QSet>
#include <algorithm>
#include <cmath>

#include "views/plots/label_layout.h"

namespace es::views {
namespace {

using analysis::Curve;

constexpr int kNameHeight = 15, kLegendRow = 18, kSwatch = 16, kMostLegendRows = 4, kMostReadings = 9;
constexpr std::size_t kFewPoints = 8;  // as many find room for their names

QString labelOf(const Curve& curve) { return QString::fromStdString(curve.label); }

/// A single point carries its name beside it, as in a scatter of configurations.
bool namedAtPoint(const Curve& curve) { return curve.points && curve.x.size() == 1; }

QPen namePen(const Curve& curve, const PlotStyle& style) {
    QPen pen(Theme::color(curve.color, style.colors), 2);
    if (curve.style == analysis::LineStyle::kDashed) pen.setDashPattern({2, 1.5});
    if (curve.style == analysis::LineStyle::kDotted) pen.setDashPattern({0.7, 1.3});
    pen.setCapStyle(Qt::FlatCap);
    return pen;
}

/// Pixels of the box's width in which the segment runs through it.
double coveredWidth(const QPointF& a, const QPointF& b, const QRectF& box) {
    const double left = std::max(std::min(a.x(), b.x()), box.left()), right = std::min(std::max(a.x(), b.x()), box.right());
    if (!(right >= left)) return 0;
    const auto at = [&](double x) { return b.x() == a.x() ? a.y() : a.y() + (b.y() - a.y()) * (x - a.x()) / (b.x() - a.x()); };
    const auto [top, bottom] = std::minmax({at(left), at(right)});
    return bottom >= box.top() && top <= box.bottom() ? right - left + 1 : 0;
}

}  // namespace

QRectF LinePlot::Overlay::lineNameBox(double y, double width) const {
    const QRectF area = plot_->dataArea();
    const double right = area.right() - 2 - width, above = y - 16, below = y + 2;
    QRectF best;
    double least = INFINITY;
    for (const QPointF& corner : {QPointF(right, above), QPointF(right, below), QPointF(area.left() + 4, above), QPointF(area.left() + 4, below)}) {
        const QRectF box(corner, QSizeF(width, 14));
        if (box.top() < area.top() || box.bottom() > area.bottom()) continue;
        double covered = 0;
        for (const Curve& curve : plot_->panel_->curves)
            for (std::size_t i = 1; i < curve.x.size() && i < curve.y.size(); ++i)
                if (std::isfinite(curve.y[i - 1]) && std::isfinite(curve.y[i]))
                    covered += coveredWidth(plot_->toPixel(curve.x[i - 1], curve.y[i - 1]), plot_->toPixel(curve.x[i], curve.y[i]), box);
        if (covered < least) least = covered, best = box;
    }
    return best.isNull() ? QRectF(right, below, width, 14) : best;
}

void LinePlot::planLabels() {
    names_.clear();
    point_key_.clear();
    QSet<QString> known, lines;
    for (const Curve& curve : panel_->curves)
        if (!curve.points) lines.insert(labelOf(curve));
    for (const Curve& curve : panel_->curves) {
        const QString text = labelOf(curve);
        if (text.isEmpty() || namedAtPoint(curve) || known.contains(text)) continue;
        // "sparse (held out)" beside a line "sparse" needs no name of its own: one key says what all such points are.
        if (const qsizetype bracket = text.lastIndexOf(QStringLiteral(" (")); curve.points && bracket > 0 && lines.contains(text.left(bracket))) {
            const QString key = text.mid(bracket + 2).chopped(1);
            if (point_key_.isEmpty() || point_key_ == key) {
                point_key_ = key;
                continue;
            }
        }
        known.insert(text);
        names_.push_back({text, &curve});
    }
    const QFontMetrics metrics(style_.label_font);
    int widest = 0;
    for (const Name& name : names_) widest = std::max(widest, metrics.horizontalAdvance(name.text));
    const bool labelled_markers = std::any_of(panel_->markers.begin(), panel_->markers.end(), [](const auto& m) { return !m.label.empty(); });
    top_room_ = panel_->markers.empty() ? 10 : labelled_markers ? 20 : 14;
    right_room_ = 16;
    naming_ = names_.empty() ? Naming::kNone : Naming::kDirect;
    const int count = static_cast<int>(names_.size());
    if (count > 10 || count * kNameHeight > height() - 70 || widest + 14 > std::max(70, width() * 3 / 10)) naming_ = Naming::kLegend;
    lines_beside_ = false;
    if (naming_ == Naming::kDirect) {
        // Names of lines stand beside those of curves, where no curve runs through them.
        int lines_widest = 0;
        for (const analysis::YLine& line : panel_->lines) lines_widest = std::max(lines_widest, metrics.horizontalAdvance(QString::fromStdString(line.label)));
        lines_beside_ = (count + static_cast<int>(panel_->lines.size())) * kNameHeight <= height() - 70 && lines_widest <= std::max(widest, 40);
        right_room_ = (lines_beside_ ? std::max(widest, lines_widest) : widest) + 16;
    }
    if (naming_ == Naming::kLegend) {
        int rows = 1, x = 0;
        for (const Name& name : names_) {
            const int need = kSwatch + 6 + metrics.horizontalAdvance(name.text) + 14;
            if (x > 0 && x + need > width() - 24) ++rows, x = 0;
            x += need;
        }
        top_room_ += std::min(rows, kMostLegendRows) * kLegendRow;
    }
}

void LinePlot::Overlay::paintEvent(QPaintEvent*) {
    if (!plot_->panel_ || plot_->drawn_.empty()) return;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setFont(plot_->style_.label_font);
    paintLines(painter);
    paintMarkers(painter);
    paintPointNames(painter);
    if (plot_->naming_ == Naming::kDirect) paintDirectNames(painter);
    if (plot_->naming_ == Naming::kLegend) paintLegend(painter);
    paintCursor(painter);
    if (plot_->hover_x_) paintReadout(painter);
    if (plot_->ring_) {
        painter.setPen(QPen(plot_->style_.colors.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(QRectF(rect()).adjusted(2, 2, -2, -2), 4, 4);
    }
}

void LinePlot::Overlay::paintLines(QPainter& painter) const {
    const ThemeColors& c = plot_->style_.colors;
    const QRectF area = plot_->dataArea();
    if (!plot_->cut_.isEmpty()) {
        painter.setFont(plot_->style_.axis_font);
        painter.setPen(Theme::legible(c.warn, c.panel));
        painter.drawText(area.adjusted(6, 0, -4, 0), Qt::AlignTop | Qt::AlignRight, plot_->cut_);
    }
    if (!plot_->point_key_.isEmpty()) {
        const int width = QFontMetrics(plot_->style_.axis_font).horizontalAdvance(plot_->point_key_);
        const QPointF at(area.right() - width - 14, area.top() + (plot_->cut_.isEmpty() ? 8 : 22));
        painter.setPen(Qt::NoPen);
        painter.setBrush(c.muted);
        painter.drawEllipse(at, 3.5, 3.5);
        painter.setPen(c.muted);
        painter.setFont(plot_->style_.axis_font);
        painter.drawText(at + QPointF(8, 4), plot_->point_key_);
        painter.setFont(plot_->style_.label_font);
    }
    QPen pen(c.muted, 1, Qt::CustomDashLine);
    pen.setDashPattern({4, 3});
    for (const analysis::YLine& line : plot_->panel_->lines) {
        const qreal y = std::round(plot_->toPixel(plot_->x_.low, line.y).y()) + 0.5;
        if (y < area.top() - 1 || y > area.bottom() + 1) continue;
        painter.setPen(pen);
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
        if (plot_->lines_beside_) continue;
        painter.setFont(plot_->style_.axis_font);
        const QFontMetrics metrics(plot_->style_.axis_font);
        const QString label = metrics.elidedText(QString::fromStdString(line.label), Qt::ElideRight, static_cast<int>(area.width()) - 12);
        const double wide = metrics.horizontalAdvance(label) + 6;
        const QRectF box = lineNameBox(y, wide);
        QColor veil = c.panel;
        veil.setAlphaF(0.8f);
        painter.fillRect(box, veil);  // curves behind the words stay visible, the words readable
        painter.setPen(c.muted);
        painter.drawText(box, Qt::AlignCenter, label);
        painter.setFont(plot_->style_.label_font);
    }
}

void LinePlot::Overlay::paintMarkers(QPainter& painter) const {
    const ThemeColors& c = plot_->style_.colors;
    const QRectF area = plot_->dataArea();
    const bool few = plot_->panel_->markers.size() <= 12;
    double free_from = area.left();
    painter.setFont(plot_->style_.axis_font);
    const QFontMetrics metrics(plot_->style_.axis_font);
    for (const analysis::XMarker& marker : plot_->panel_->markers) {
        const qreal x = plot_->toPixel(marker.x, plot_->y_.low).x();
        if (x < area.left() - 0.5 || x > area.right() + 0.5) continue;
        const QColor color = Theme::color(marker.color, c);
        if (few) {
            QColor thin = color;
            thin.setAlphaF(0.4f);
            QPen pen(thin, 1, Qt::CustomDashLine);
            pen.setDashPattern({3, 3});
            painter.setPen(pen);
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
        }
        painter.setPen(Qt::NoPen);
        painter.setBrush(color);
        const qreal top = area.top() - 9;
        painter.drawPolygon(QPolygonF({QPointF(x - 4, top), QPointF(x + 4, top), QPointF(x, top + 7)}));
        const QString label = QString::fromStdString(marker.label);
        const int text = metrics.horizontalAdvance(label);
        if (label.isEmpty() || x + 8 < free_from || x + 8 + text > area.right() + plot_->right_room_) continue;
        painter.setPen(Theme::legible(color, c.panel));
        painter.drawText(QPointF(x + 7, top + 7), label);
        free_from = x + text + 16;
    }
    painter.setFont(plot_->style_.label_font);
}

void LinePlot::Overlay::paintDirectNames(QPainter& painter) const {
    const ThemeColors& c = plot_->style_.colors;
    const QRectF area = plot_->dataArea();
    std::vector<double> wanted;
    std::vector<QPointF> ends;
    std::vector<QString> texts;
    std::vector<QColor> inks;
    for (const Name& name : plot_->names_) {
        // The rightmost point on the plot, whichever way the curve runs.
        QPointF end(area.right(), area.center().y());
        double rightmost = -INFINITY;
        for (std::size_t i = 0; i < name.curve->x.size(); ++i) {
            if (!std::isfinite(name.curve->y[i])) continue;
            const QPointF at = plot_->toPixel(name.curve->x[i], name.curve->y[i]);
            if (!std::isfinite(at.x()) || !std::isfinite(at.y()) || at.x() > area.right() + 0.5 || at.x() < rightmost) continue;
            rightmost = at.x();
            end = QPointF(std::max(at.x(), area.left()), std::clamp(at.y(), area.top(), area.bottom()));
        }
        ends.push_back(end);
        wanted.push_back(end.y());
        texts.push_back(name.text);
        inks.push_back(Theme::color(name.curve->color, c));
    }
    for (const analysis::YLine& line : plot_->panel_->lines) {
        const double y = plot_->toPixel(plot_->x_.low, line.y).y();
        if (!plot_->lines_beside_ || line.label.empty() || y < area.top() - 1 || y > area.bottom() + 1) continue;
        ends.emplace_back(area.right(), y);
        wanted.push_back(y);
        texts.push_back(QString::fromStdString(line.label));
        inks.push_back(c.muted);
    }
    const std::vector<double> placed = spreadLabels(wanted, kNameHeight, area.top() - 6, area.bottom() + 6);
    if (placed.empty()) return;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const QColor color = inks[i];
        if (std::abs(placed[i] - wanted[i]) > 4 || ends[i].x() < area.right() - 12) {
            QColor thin = color;
            thin.setAlphaF(0.5f);
            painter.setPen(QPen(thin, 1));
            painter.drawLine(ends[i] + QPointF(2, 0), QPointF(area.right() + 6, placed[i]));
        }
        painter.setPen(Theme::legible(color, c.panel));
        painter.drawText(QRectF(area.right() + 8, placed[i] - kNameHeight / 2.0, plot_->right_room_, kNameHeight), Qt::AlignLeft | Qt::AlignVCenter, texts[i]);
    }
}

void LinePlot::Overlay::paintPointNames(QPainter& painter) const {
    const ThemeColors& c = plot_->style_.colors;
    const QRectF area = plot_->dataArea();
    const QFontMetrics metrics(plot_->style_.label_font);
    QVector<QRectF> taken;
    for (const Curve& curve : plot_->panel_->curves)
        if (namedAtPoint(curve)) taken << QRectF(plot_->toPixel(curve.x[0], curve.y[0]) - QPointF(5, 5), QSizeF(10, 10));
    for (const Curve& curve : plot_->panel_->curves) {
        if (!namedAtPoint(curve) || curve.label.empty() || !std::isfinite(curve.y[0])) continue;
        const QPointF at = plot_->toPixel(curve.x[0], curve.y[0]);
        if (!area.adjusted(-1, -1, 1, 1).contains(at)) continue;
        const QSizeF size(metrics.horizontalAdvance(labelOf(curve)) + 2, kNameHeight);
        const QPointF spots[] = {
            {9, -size.height() / 2}, {-9 - size.width(), -size.height() / 2}, {-size.width() / 2, -9 - size.height()}, {-size.width() / 2, 9}};
        QRectF box;
        for (const QPointF& spot : spots) {
            const QRectF tried(at + spot, size);
            const bool free = std::none_of(taken.begin(), taken.end(), [&](const QRectF& other) { return other.intersects(tried); });
            if (!free || tried.left() < area.left() || tried.right() > width()) continue;
            box = tried;
            break;
        }
        // Of many points some have no room for their names; of few each has its own, wherever it lands.
        if (box.isNull() && plot_->panel_->curves.size() > kFewPoints) continue;
        if (box.isNull()) box = QRectF(at + spots[0], size);
        taken << box;
        painter.setPen(c.text);
        painter.drawText(box, Qt::AlignCenter, labelOf(curve));
    }
}

void LinePlot::Overlay::paintLegend(QPainter& painter) const {
    const ThemeColors& c = plot_->style_.colors;
    const QFontMetrics metrics(plot_->style_.label_font);
    const qreal left = 12, most = width() - 12;
    qreal x = left, y = 6;
    int row = 0;
    for (std::size_t i = 0; i < plot_->names_.size(); ++i) {
        const Name& name = plot_->names_[i];
        const qreal need = kSwatch + 6 + metrics.horizontalAdvance(name.text);
        if (x > left && x + need > most) {
            ++row;
            x = left;
            y += kLegendRow;
        }
        const bool full = row + 1 == kMostLegendRows && i + 1 < plot_->names_.size() && x + need + 14 + 80 > most;
        if (full || row >= kMostLegendRows) {
            painter.setPen(c.muted);
            painter.drawText(QPointF(x, y + 12), LinePlot::tr("… %1 more").arg(plot_->names_.size() - i));
            return;
        }
        const QColor color = Theme::color(name.curve->color, c);
        if (name.curve->points) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(color);
            painter.drawEllipse(QPointF(x + kSwatch / 2.0, y + 8), 4, 4);
        } else {
            painter.setPen(namePen(*name.curve, plot_->style_));
            painter.drawLine(QPointF(x, y + 8), QPointF(x + kSwatch, y + 8));
        }
        painter.setPen(c.text);
        painter.drawText(QPointF(x + kSwatch + 6, y + 12), metrics.elidedText(name.text, Qt::ElideMiddle, static_cast<int>(most - x - kSwatch - 6)));
        x += need + 14;
    }
}

void LinePlot::Overlay::paintCursor(QPainter& painter) const {
    if (!plot_->cursor_x_) return;
    const QRectF area = plot_->dataArea();
    const qreal x = plot_->toPixel(*plot_->cursor_x_, plot_->y_.low).x();
    if (!std::isfinite(x) || x < area.left() - 1 || x > area.right() + 1) return;
    painter.setPen(QPen(plot_->style_.colors.accent, 1.5));
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
    painter.setBrush(plot_->style_.colors.accent);
    painter.drawEllipse(QPointF(x, area.bottom()), 3.5, 3.5);
}

void LinePlot::Overlay::paintReadout(QPainter& painter) const {
    const ThemeColors& c = plot_->style_.colors;
    const QRectF area = plot_->dataArea();
    const double x = *plot_->hover_x_;
    struct Reading {
        QPointF at;
        QString text, value;
        QColor color;
        double distance;
    };
    std::vector<Reading> readings;
    double shown_x = x, nearest = INFINITY;
    const double x_px = plot_->toPixel(x, plot_->y_.low).x();
    for (const Curve& curve : plot_->panel_->curves) {
        double best = INFINITY;
        Reading reading{};
        double at_x = 0;
        const auto consider = [&](std::size_t i) {
            if (i >= curve.x.size() || !std::isfinite(curve.y[i])) return;
            const QPointF at = plot_->toPixel(curve.x[i], curve.y[i]);
            const double far = std::abs(at.x() - x_px);
            if (!(far < best)) return;
            best = far;
            at_x = curve.x[i];
            QString value = readout(curve.y[i]);
            if (curve.low.size() == curve.x.size() && std::isfinite(curve.low[i]))
                value += QStringLiteral("  [%1, %2]").arg(readout(curve.low[i]), readout(curve.high[i]));
            reading = {at, labelOf(curve), value, Theme::color(curve.color, c), std::abs(at.y() - plot_->hover_y_px_)};
        };
        if (std::is_sorted(curve.x.begin(), curve.x.end())) {
            const auto near = static_cast<std::size_t>(std::lower_bound(curve.x.begin(), curve.x.end(), x) - curve.x.begin());
            consider(near);
            if (near > 0) consider(near - 1);
        } else {
            for (std::size_t i = 0; i < curve.x.size(); ++i) consider(i);
        }
        if (!std::isfinite(best) || best > (curve.points ? 10 : 40) || !area.adjusted(-2, -2, 2, 2).contains(reading.at)) continue;
        if (best < nearest) nearest = best, shown_x = at_x;
        readings.push_back(reading);
    }
    painter.setPen(QPen(c.faint, 1));
    painter.drawLine(QPointF(x_px, area.top()), QPointF(x_px, area.bottom()));
    if (readings.empty()) return;
    const std::size_t all = readings.size();
    if (all > kMostReadings) {
        std::nth_element(readings.begin(), readings.begin() + kMostReadings, readings.end(),
                         [](const auto& a, const auto& b) { return a.distance < b.distance; });
        readings.resize(kMostReadings);
    }
    std::stable_sort(readings.begin(), readings.end(), [](const auto& a, const auto& b) { return a.at.y() < b.at.y(); });

    const auto& x_axis = plot_->panel_->x;
    const QString head = QString::fromStdString(x_axis.title) + QLatin1Char(' ') + readout(shown_x);
    const QFontMetrics metrics(plot_->style_.label_font), strong(plot_->style_.strong_font);
    int names = 0, values = 0;
    for (const Reading& r : readings) {
        names = std::max(names, metrics.horizontalAdvance(r.text));
        values = std::max(values, strong.horizontalAdvance(r.value));
    }
    names = std::min(names, 220);
    const QString rest = all > readings.size() ? LinePlot::tr("… %1 more").arg(all - readings.size()) : QString();
    const int row = 17;
    const int box_width = std::max(24 + names + 12 + values, metrics.horizontalAdvance(head)) + 16;
    const int box_height = static_cast<int>(readings.size() + 1 + (rest.isEmpty() ? 0 : 1)) * row + 8;
    QRectF box(x_px + 12, plot_->hover_y_px_ - box_height / 2.0, box_width, box_height);
    if (box.right() > width() - 4) box.moveRight(x_px - 12);
    box.moveTop(std::clamp(box.top(), 4.0, std::max(4.0, height() - 4.0 - box_height)));
    if (box.left() < 4) box.moveLeft(4);

    for (const Reading& r : readings) {
        painter.setPen(QPen(c.panel, 1.5));
        painter.setBrush(r.color);
        painter.drawEllipse(r.at, 4, 4);
    }
    painter.setPen(QPen(c.line, 1));
    painter.setBrush(c.panel);
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5);
    qreal y = box.top() + 4;
    painter.setPen(c.muted);
    painter.drawText(QRectF(box.left() + 8, y, box_width - 16, row), Qt::AlignVCenter, head);
    for (const Reading& r : readings) {
        y += row;
        painter.setPen(Qt::NoPen);
        painter.setBrush(r.color);
        painter.drawEllipse(QPointF(box.left() + 13, y + row / 2.0), 4, 4);
        painter.setPen(c.text);
        painter.setFont(plot_->style_.label_font);
        painter.drawText(QRectF(box.left() + 24, y, names + 2, row), Qt::AlignVCenter, metrics.elidedText(r.text, Qt::ElideMiddle, names));
        painter.setFont(plot_->style_.strong_font);
        painter.drawText(QRectF(box.right() - 8 - values, y, values + 2, row), Qt::AlignVCenter | Qt::AlignRight, r.value);
    }
    if (!rest.isEmpty()) {
        painter.setFont(plot_->style_.label_font);
        painter.setPen(c.muted);
        painter.drawText(QRectF(box.left() + 24, y + row, box_width - 24, row), Qt::AlignVCenter, rest);
    }
}

}  // namespace es::views
