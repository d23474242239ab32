// SPDX-License-Identifier: GPL-3.0-or-later
// How the scrubber is drawn: strip of experts, curves, axes, playhead, read-out.
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "views/inspect/scrubber_view.h"
#include "views/inspect/token_words.h"
#include "views/overlay/overlay_painter.h"
#include "views/plots/axis_text.h"
#include "views/theme/color_math.h"

namespace es::views {
namespace {

constexpr double kLeft = 52, kRight = 76, kStripTop = 6, kStripHeight = 18, kPlotTop = 44, kBottom = 34;
constexpr double kWordsHeight = 15, kWordsGap = 14, kLeastWords = 110;  // words of spikes; fewer pixels of them say nothing
constexpr double kAloneReach = 14;                                      // of the only checkpoint, to both sides
constexpr double kLineReach = 4;                                        // of a spike's line, for the pointer
constexpr int kTipLines = 12;

/// y of the curve at the point nearest to x; NaN without points.
double valueNear(const analysis::Curve& curve, double x) {
    double best = analysis::kMissing, distance = 1e300;
    for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
        if (!std::isfinite(curve.y[i]) || std::abs(curve.x[i] - x) >= distance) continue;
        distance = std::abs(curve.x[i] - x);
        best = curve.y[i];
    }
    return best;
}

}  // namespace

QRectF ScrubberView::plotArea() const {
    return QRectF(kLeft, kPlotTop, std::max(40.0, width() - kLeft - kRight), std::max(20.0, height() - kPlotTop - kBottom));
}

QRectF ScrubberView::stripArea() const { return QRectF(plotArea().left(), kStripTop, plotArea().width(), kStripHeight); }

double ScrubberView::xOf(double step) const { return plotArea().left() + plotArea().width() * step / last_; }

/// From half way to the checkpoint before to half way to the one after.
QRectF ScrubberView::stripCell(std::size_t index) const {
    const QRectF strip = stripArea();
    const auto& steps = history_->step;
    const auto x = [&](std::size_t i) { return xOf(static_cast<double>(steps[i])); };
    // Ends reach as far beyond as to their neighbour; one alone says nothing of other steps.
    const double before = index > 0 ? (x(index) - x(index - 1)) / 2 : index + 1 < steps.size() ? (x(index + 1) - x(index)) / 2 : kAloneReach;
    const double after = index + 1 < steps.size() ? (x(index + 1) - x(index)) / 2 : index > 0 ? before : kAloneReach;
    double left = x(index) - before, right = x(index) + after;
    left = std::max(left, strip.left());
    right = std::clamp(right, left + 3, std::max(left + 3, strip.right()));
    return QRectF(left, strip.top(), right - left, strip.height());
}

QString ScrubberView::readout(int index) const {
    if (index < 0 || index >= static_cast<int>(steps_.size())) return {};
    const std::int64_t step = steps_[static_cast<std::size_t>(index)];
    QStringList parts{tr("step %1").arg(stepText(step))};
    if (history_) {
        const auto at = std::find(history_->step.begin(), history_->step.end(), step);
        const auto place = static_cast<std::size_t>(at - history_->step.begin());
        if (at != history_->step.end())
            parts << (history_->expert[place] < 0 ? tr("no expert")
                                                  : tr("expert %1 (%2)").arg(history_->expert[place]).arg(numberText(history_->weight[place])));
    }
    if (curves_) {
        if (const double churn = valueNear(curves_->churn, static_cast<double>(step)); std::isfinite(churn) && index > 0)
            parts << tr("churn %1 %").arg(numberText(churn * 100, 1));
        if (const double own = valueNear(sample_churn_, static_cast<double>(step)); std::isfinite(own) && index > 0)
            parts << tr("of this sample %1 %").arg(numberText(own * 100, 1));
        if (const double saturation = valueNear(curves_->saturation, static_cast<double>(step)); std::isfinite(saturation))
            parts << tr("saturation %1 %").arg(numberText(saturation * 100, 0));
        if (const double loss = valueNear(curves_->loss, static_cast<double>(step)); std::isfinite(loss)) parts << tr("loss %1").arg(numberText(loss));
    }
    return parts.join(QStringLiteral(" · "));
}

void ScrubberView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const qreal ratio = devicePixelRatioF();
    if (ratio == std::floor(ratio)) {
        const QSize pixels = size() * static_cast<int>(ratio);
        if (still_.size() != pixels) {
            still_ = QPixmap(pixels);
            still_.setDevicePixelRatio(ratio);
            still_.fill(theme_->colors().panel);  // the ground that it lies on
            QPainter below(&still_);
            paintStill(below);
        }
        painter.drawPixmap(0, 0, still_);
    } else {
        paintStill(painter);  // a pixmap would lie between the pixels of the screen
    }
    if (steps_.empty()) return;
    painter.setRenderHint(QPainter::Antialiasing);
    paintPlayhead(painter);
    paintReadout(painter);
}

void ScrubberView::paintStill(QPainter& painter) {
    painter.setRenderHint(QPainter::Antialiasing);
    paintAxes(painter);
    paintStrip(painter);
    paintCurves(painter);
}

void ScrubberView::paintAxes(QPainter& painter) const {
    const ThemeColors& colors = theme_->colors();
    const QRectF area = plotArea();
    painter.setFont(theme_->font(Theme::FontRole::kAxis));
    const QFontMetrics metrics(painter.font());
    const int levels = area.height() > 90 ? 4 : 2;
    for (int i = 0; i <= levels; ++i) {
        const double y = area.bottom() - area.height() * i / levels;
        if (i > 0) {
            painter.setPen(QPen(colors.gridLine, 1, Qt::DashLine));
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
        }
        painter.setPen(colors.muted);
        painter.drawText(QRectF(0, y - 8, kLeft - 7, 16), Qt::AlignRight | Qt::AlignVCenter, numberText(static_cast<double>(i) / levels, levels == 4 ? 2 : 1));
    }
    const page::AxisRange range{0, last_, analysis::Scale::kLinear};
    const page::Ticks ticks = screenTicks(range, area.width(), 90);
    for (std::size_t i = 0; i < ticks.at.size(); ++i) {
        const double x = xOf(ticks.at[i]);
        painter.setPen(QPen(colors.faint, 1));
        painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 4));
        painter.setPen(colors.muted);
        painter.drawText(QRectF(x - 40, area.bottom() + 4, 80, 14), Qt::AlignHCenter | Qt::AlignTop, ticks.labels[i]);
    }
    painter.setPen(QPen(colors.faint, 1));
    painter.drawLine(area.topLeft(), area.bottomLeft());
    painter.drawLine(area.bottomLeft(), area.bottomRight());
    painter.setPen(colors.muted);
    painter.drawText(QRectF(area.left(), height() - 15, area.width(), 14), Qt::AlignHCenter | Qt::AlignVCenter,
                     page::titleWithExponent(tr("training step"), ticks.exponent));
    painter.save();
    painter.translate(8, area.center().y());
    painter.rotate(-90);
    QString title = largest_loss_ > 0 ? tr("share · loss ÷ %1").arg(numberText(largest_loss_)) : tr("share");
    if (metrics.horizontalAdvance(title) > area.height() + kBottom) title = largest_loss_ > 0 ? tr("share · loss") : tr("share");
    painter.drawText(QRectF(-100, -8, 200, 16), Qt::AlignCenter, title);
    painter.restore();
}

void ScrubberView::paintStrip(QPainter& painter) const {
    const ThemeColors& colors = theme_->colors();
    const QRectF strip = stripArea();
    if (!history_ || history_->step.empty()) {
        painter.setPen(colors.faint);
        painter.setFont(theme_->font(Theme::FontRole::kSecondary));
        painter.drawText(strip, Qt::AlignLeft | Qt::AlignVCenter, history_caption_);
        return;
    }
    painter.setFont(theme_->font(Theme::FontRole::kAxis));
    for (std::size_t i = 0; i < history_->step.size(); ++i) {
        const QRectF cell = stripCell(i).adjusted(0, 0, -1, 0);
        const int expert = history_->expert[i];
        if (expert < 0) {
            painter.setRenderHint(QPainter::Antialiasing, true);
            paintHatching(painter, cell, colors.faint, 5, 1);
            continue;
        }
        const QColor color = Theme::expertColor(expert, colors);
        painter.setRenderHint(QPainter::Antialiasing, false);
        painter.fillRect(cell, color);
        painter.setRenderHint(QPainter::Antialiasing, true);
        const QString number = QString::number(expert);
        if (painter.fontMetrics().horizontalAdvance(number) + 4 > cell.width()) continue;
        painter.setPen(Theme::inkOn(color));
        painter.drawText(cell, Qt::AlignCenter, number);
    }
    painter.setPen(colors.muted);
    painter.drawText(QRectF(strip.left() + 2, strip.bottom() + 1, strip.width(), 15), Qt::AlignLeft | Qt::AlignVCenter, history_caption_);
}

QString ScrubberView::spikeText(const analysis::XMarker& spike) const {
    QString text = QString::fromStdString(spike.label);
    for (std::size_t i = 0; i < std::min(sample_churn_.x.size(), sample_churn_.y.size()); ++i) {
        if (sample_churn_.x[i] < spike.x || !std::isfinite(sample_churn_.y[i])) continue;
        // Known is what changed between two checkpoints, and the spike lies somewhere between them.
        const auto to = static_cast<std::int64_t>(sample_churn_.x[i]);
        const auto after = std::lower_bound(steps_.begin(), steps_.end(), to);
        if (after == steps_.begin()) break;
        return tr("%1 · %2 % of its tokens changed expert, steps %3 to %4")
            .arg(text, numberText(sample_churn_.y[i] * 100, 0), stepText(*std::prev(after)), stepText(to));
    }
    return text;
}

std::vector<ScrubberView::SpikeWords> ScrubberView::spikeWords() const {
    if (!curves_ || curves_->spikes.empty()) return {};
    const QFontMetrics metrics(theme_->font(Theme::FontRole::kAxis));
    const auto& spikes = curves_->spikes;
    const QRectF strip = stripArea();
    const double top = strip.bottom() + 1, right = width() - 4;
    const double first = strip.left() + 2 + (history_ && !history_->step.empty() ? metrics.horizontalAdvance(history_caption_) + kWordsGap : 0);
    std::vector<SpikeWords> groups;
    const auto fill = [&](SpikeWords& group, double left) {
        const auto& one = spikes[group.spikes.front()];
        group.text = group.spikes.size() == 1
                         ? spikeText(one)
                         : tr("%n spikes, steps %1 to %2", nullptr, static_cast<int>(group.spikes.size()))
                               .arg(stepText(static_cast<std::int64_t>(one.x)), stepText(static_cast<std::int64_t>(spikes[group.spikes.back()].x)));
        group.place = QRectF(left, top, metrics.horizontalAdvance(group.text) + 2, kWordsHeight);
    };
    for (std::size_t i = 0; i < spikes.size(); ++i) {
        const double wanted = std::max(first, xOf(spikes[i].x));
        // Near the one before there is no room for words of both.
        if (!groups.empty() && wanted < groups.back().place.left() + kLeastWords + kWordsGap) {
            groups.back().spikes.push_back(i);
            fill(groups.back(), groups.back().place.left());
            continue;
        }
        groups.emplace_back().spikes.push_back(i);
        fill(groups.back(), wanted);
    }
    // What reaches beyond the right edge moves left as far as there is room, and takes the end of what stands before it.
    double limit = right;
    for (std::size_t g = groups.size(); g-- > 0;) {
        QRectF& place = groups[g].place;
        const double least = g > 0 ? groups[g - 1].place.left() + kLeastWords + kWordsGap : first;
        if (place.right() > limit) place.moveLeft(std::max(std::min(least, place.left()), limit - place.width()));
        place.setRight(std::min(place.right(), limit));
        limit = place.left() - kWordsGap;
        groups[g].text = metrics.elidedText(groups[g].text, Qt::ElideRight, static_cast<int>(place.width()));
    }
    std::erase_if(groups, [](const SpikeWords& group) { return group.place.width() < kLeastWords / 2; });
    return groups;
}

QString ScrubberView::spikeTip(const QPointF& at) const {
    if (!curves_) return {};
    QStringList lines;
    std::vector<std::size_t> told;
    for (const SpikeWords& group : spikeWords())
        if (group.place.contains(at)) told = group.spikes;
    if (told.empty() && at.y() >= stripArea().bottom())
        for (std::size_t i = 0; i < curves_->spikes.size(); ++i)
            if (std::abs(xOf(curves_->spikes[i].x) - at.x()) <= kLineReach) told.push_back(i);
    for (const std::size_t i : told) {
        if (lines.size() == kTipLines) {
            lines << tr("and %n more", nullptr, static_cast<int>(told.size()) - kTipLines);
            break;
        }
        lines << spikeText(curves_->spikes[i]);
    }
    return lines.join(QLatin1Char('\n'));
}

/// Lines down to the axis; words in the row of the caption, where no curve runs.
void ScrubberView::paintSpikes(QPainter& painter) const {
    const ThemeColors& colors = theme_->colors();
    const QRectF area = plotArea();
    painter.setFont(theme_->font(Theme::FontRole::kAxis));
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(colors.bad, 1, Qt::DashLine));
    for (const auto& spike : curves_->spikes) painter.drawLine(QPointF(xOf(spike.x), area.top()), QPointF(xOf(spike.x), area.bottom()));
    painter.setPen(legibleOn(colors.bad, colors.panel));
    for (const SpikeWords& group : spikeWords()) painter.drawText(group.place, Qt::AlignLeft | Qt::AlignVCenter, group.text);
}

void ScrubberView::paintCurves(QPainter& painter) const {
    if (!curves_) return;
    const ThemeColors& colors = theme_->colors();
    const QRectF area = plotArea();
    struct Name {
        QPointF end;
        QString text;
        QColor color;
    };
    std::vector<Name> names;
    const auto draw = [&](const analysis::Curve& curve, double scale, const QColor& color, const QString& name, Qt::PenStyle line_style) {
        if (curve.x.empty() || !(scale > 0)) return;
        const auto known = std::count_if(curve.y.begin(), curve.y.end(), [](double y) { return std::isfinite(y); });
        const bool dots = known == 1 || (curve.x.size() <= 60 && line_style == Qt::SolidLine && scale == 1);
        const double radius = known == 1 ? 4 : 2;  // a point without a line is easily overlooked
        QPolygonF line;
        painter.setBrush(Qt::NoBrush);
        const auto flush = [&] {
            painter.setPen(QPen(color, 1.5, line_style));
            painter.drawPolyline(line);
            if (dots) {
                painter.setBrush(color);
                for (const QPointF& point : line) painter.drawEllipse(point, radius, radius);
                painter.setBrush(Qt::NoBrush);
            }
            line.clear();
        };
        QPointF last;
        for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
            if (!std::isfinite(curve.y[i])) {
                flush();
                continue;
            }
            last = QPointF(xOf(curve.x[i]), area.bottom() - area.height() * std::clamp(curve.y[i] / scale, 0.0, 1.0));
            line << last;
        }
        flush();
        if (!last.isNull()) names.push_back({last, name, color});
    };
    const QColor churn = Theme::color({analysis::ColorRole::Kind::kSeries, 1}, colors);
    draw(curves_->loss, largest_loss_, colors.muted, tr("loss"), Qt::SolidLine);
    draw(curves_->saturation, 1, Theme::color({analysis::ColorRole::Kind::kSeries, 2}, colors), tr("saturation"), Qt::SolidLine);
    draw(sample_churn_, 1, mix(colors.panel, churn, 0.6), tr("this sample"), Qt::DashLine);
    draw(curves_->churn, 1, churn, tr("churn"), Qt::SolidLine);
    // Names stand at the ends of their curves, pushed apart where these meet.
    constexpr double kLine = 13;
    std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.end.y() < b.end.y(); });
    double y = area.top() - kLine / 2;
    std::vector<double> at;
    for (const Name& name : names) at.push_back(y = std::max(name.end.y(), y + kLine));
    double lowest = area.bottom() - kLine / 2;
    for (std::size_t i = at.size(); i-- > 0;) lowest = (at[i] = std::min(at[i], lowest)) - kLine;
    painter.setFont(theme_->font(Theme::FontRole::kAxis));
    for (std::size_t i = 0; i < names.size(); ++i) {
        painter.setPen(legibleOn(names[i].color, colors.panel));
        painter.drawText(QRectF(names[i].end.x() + 6, at[i] - 8, kRight, 16), Qt::AlignLeft | Qt::AlignVCenter, names[i].text);
    }
    paintSpikes(painter);
}

void ScrubberView::paintPlayhead(QPainter& painter) const {
    const ThemeColors& colors = theme_->colors();
    const QRectF area = plotArea();
    const double x = xOf(static_cast<double>(steps_[static_cast<std::size_t>(std::clamp(value(), 0, static_cast<int>(steps_.size()) - 1))]));
    painter.setPen(QPen(colors.accent, 2));
    painter.drawLine(QPointF(x, stripArea().top() - 4), QPointF(x, area.bottom()));
    painter.setBrush(colors.accent);
    painter.setPen(QPen(colors.panel, 1.5));
    painter.drawEllipse(QPointF(x, area.bottom()), 6, 6);
    if (!hasFocus()) return;
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(colors.accent, 2));
    painter.drawEllipse(QPointF(x, area.bottom()), 9, 9);
}

void ScrubberView::paintReadout(QPainter& painter) const {
    if (hovered_ < 0 || hovered_ >= static_cast<int>(steps_.size())) return;
    const ThemeColors& colors = theme_->colors();
    const QRectF area = plotArea();
    const double x = xOf(static_cast<double>(steps_[static_cast<std::size_t>(hovered_)]));
    painter.setPen(QPen(colors.faint, 1));
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
    painter.setFont(theme_->font(Theme::FontRole::kSecondary));
    const QString text = readout(hovered_);
    QRectF plate(0, 0, painter.fontMetrics().horizontalAdvance(text) + 16, 22);
    plate.moveTopLeft(QPointF(x + 8, area.top() + 4));
    if (plate.right() > width() - 4) plate.moveRight(x - 8);
    plate.moveLeft(std::max(2.0, plate.left()));
    painter.setPen(QPen(colors.line, 1));
    painter.setBrush(colors.panel);
    painter.drawRoundedRect(plate, 4, 4);
    painter.setPen(colors.text);
    painter.drawText(plate, Qt::AlignCenter, text);
}

}  // namespace es::views
