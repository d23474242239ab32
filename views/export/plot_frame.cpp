// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/plot_frame.h"

#include <algorithm>
#include <cmath>

namespace es::views::page {

namespace {

constexpr double kTick = 2.5;  // points

struct AxisText {
    std::vector<double> at;
    std::vector<QString> labels;
    QString title;
    bool upwards = false;  // labels turned because they would touch
    double widest = 0;
};

AxisText textOf(const PageCanvas& canvas, const PageStyle& style, double length, const analysis::Axis& axis, const AxisRange& range, bool bottom) {
    AxisText text;
    text.title = QString::fromStdString(axis.title);
    const PageFonts& fonts = canvas.fonts();
    if (!axis.categories.empty()) {
        double sum = 0;
        for (std::size_t i = 0; i < axis.categories.size(); ++i) {
            text.at.push_back(static_cast<double>(i));
            text.labels.push_back(QString::fromStdString(axis.categories[i]));
            sum = std::max(sum, fonts.width(text.labels.back(), style.small_pt));
        }
        text.widest = sum;
        const double each = length / static_cast<double>(axis.categories.size());
        const bool numbers = std::all_of(text.labels.begin(), text.labels.end(), [](const QString& label) {
            bool ok = false;
            label.toDouble(&ok);
            return ok;
        });
        const double needed = bottom && (numbers || sum + 3 <= each) ? sum + 3 : style.small_pt * 1.1;
        text.upwards = bottom && !numbers && sum + 3 > each;
        if (numbers && needed > each) {
            // Every n-th number is enough to read the others by; words are never left out.
            const auto stride = static_cast<std::size_t>(std::ceil(needed / each));
            AxisText thin;
            for (std::size_t i = 0; i < text.at.size(); i += stride) {
                thin.at.push_back(text.at[i]);
                thin.labels.push_back(text.labels[i]);
            }
            thin.title = text.title;
            thin.widest = text.widest;
            return thin;
        }
        return text;
    }
    int wanted =
        bottom ? std::clamp(static_cast<int>(length / (style.small_pt * 3.2)), 2, 7) : std::clamp(static_cast<int>(length / (style.small_pt * 3)), 2, 6);
    Ticks ticks = makeTicks(range, wanted);
    text.widest = 0;
    for (const QString& label : ticks.labels) text.widest = std::max(text.widest, fonts.width(label, style.small_pt));
    if (bottom && ticks.at.size() > 2 && (text.widest + 4) * static_cast<double>(ticks.at.size()) > length) ticks = makeTicks(range, std::max(1, wanted / 2));
    text.at = ticks.at;
    text.labels = ticks.labels;
    text.title = titleWithExponent(text.title, ticks.exponent);
    return text;
}

double bottomHeight(const PageStyle& style, const AxisText& text) {
    const double labels = text.upwards ? text.widest : style.small_pt;
    return kTick + 1.5 + labels + (text.title.isEmpty() ? 1 : style.text_pt * 1.35 + 1);
}

double drawBottom(PageCanvas& canvas, const PageStyle& style, const QRectF& area, const AxisText& text, const AxisRange& range) {
    canvas.line(area.bottomLeft(), area.bottomRight(), style.axisStroke());
    for (std::size_t i = 0; i < text.at.size(); ++i) {
        const double x = area.left() + range.fraction(text.at[i]) * area.width();
        if (!std::isfinite(x) || x < area.left() - 0.5 || x > area.right() + 0.5) continue;
        canvas.line({x, area.bottom()}, {x, area.bottom() + kTick}, style.axisStroke());
        if (text.upwards) {
            TextStyle turned = style.small(Anchor::kEnd);
            turned.upwards = true;
            canvas.text({x + style.small_pt * 0.33, area.bottom() + kTick + 1.5}, text.labels[i], turned);
        } else {
            canvas.text({x, area.bottom() + kTick + 1.5 + canvas.fonts().ascent(style.small_pt)}, text.labels[i], style.small(Anchor::kMiddle));
        }
    }
    const double height = bottomHeight(style, text);
    if (!text.title.isEmpty())
        canvas.text({area.center().x(), area.bottom() + height - 1 - canvas.fonts().descent(style.text_pt)}, text.title, style.text(Anchor::kMiddle));
    return height;
}

}  // namespace

double centredBaseline(const PageCanvas& canvas, double y, double pt) { return y + canvas.fonts().digitHeight(pt) / 2; }

AxisRange rangeOf(const analysis::Axis& axis, double low, double high, bool nice) {
    if (!axis.categories.empty()) return {-0.5, static_cast<double>(axis.categories.size()) - 0.5, analysis::Scale::kLinear};
    if (!std::isfinite(low) || !std::isfinite(high)) low = 0, high = 1;
    analysis::Scale scale = axis.scale;
    if (scale == analysis::Scale::kLog && !(std::min(axis.min.value_or(low), axis.max.value_or(high)) > 0)) scale = analysis::Scale::kLinear;
    // Zero belongs on an axis that nearly reaches it.
    if (scale == analysis::Scale::kLinear && low > 0 && low < 0.12 * high) low = 0;
    AxisRange range = nice ? niceRange(low, high, scale) : (high > low ? AxisRange{low, high, scale} : niceRange(low, high, scale));
    range.scale = scale;
    if (axis.min) range.low = *axis.min;
    if (axis.max) range.high = *axis.max;
    if (range.low == range.high) range.high = range.low + 1;
    return range;
}

double bottomAxisHeight(const PageCanvas& canvas, const PageStyle& style, double width, const analysis::Axis& axis, const AxisRange& range) {
    return bottomHeight(style, textOf(canvas, style, width, axis, range, true));
}

double drawBottomAxis(PageCanvas& canvas, const PageStyle& style, const QRectF& area, const analysis::Axis& axis, const AxisRange& range) {
    return drawBottom(canvas, style, area, textOf(canvas, style, area.width(), axis, range, true), range);
}

PlotFrame drawFrame(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const analysis::Axis& x, AxisRange x_range, const analysis::Axis& y,
                    AxisRange y_range, FrameRoom room) {
    // Widths and heights depend on each other only through the number of ticks: two rounds settle it.
    AxisText x_text = textOf(canvas, style, target.width() * 0.7, x, x_range, true);
    AxisText y_text;
    QRectF area;
    for (int round = 0; round < 2; ++round) {
        const double bottom = bottomHeight(style, x_text);
        const double top = std::max(room.top, style.small_pt * 0.45);
        y_text = textOf(canvas, style, std::max(1.0, target.height() - bottom - top), y, y_range, false);
        const double left = y_text.widest + kTick + 2 + (y_text.title.isEmpty() ? 0 : style.text_pt * 1.3);
        const double last = x_text.labels.empty() || x_text.upwards ? 0 : canvas.fonts().width(x_text.labels.back(), style.small_pt) / 2;
        const double right = std::max(room.right, last);
        area = QRectF(target.left() + left, target.top() + top, std::max(1.0, target.width() - left - right), std::max(1.0, target.height() - top - bottom));
        x_text = textOf(canvas, style, area.width(), x, x_range, true);
    }
    PlotFrame frame{area, x_range, y_range};
    for (std::size_t i = 0; i < y_text.at.size(); ++i) {
        const double at = frame.yAt(y_text.at[i]);
        if (!std::isfinite(at) || at < area.top() - 0.5 || at > area.bottom() + 0.5) continue;
        if (style.show_grid && y.categories.empty() && at < area.bottom() - 1) canvas.line({area.left(), at}, {area.right(), at}, style.gridStroke());
        canvas.line({area.left() - kTick, at}, {area.left(), at}, style.axisStroke());
        canvas.text({area.left() - kTick - 1.5, centredBaseline(canvas, at, style.small_pt)}, y_text.labels[i], style.small(Anchor::kEnd));
    }
    canvas.line(area.topLeft(), area.bottomLeft(), style.axisStroke());
    if (!y_text.title.isEmpty()) {
        TextStyle turned = style.text(Anchor::kMiddle);
        turned.upwards = true;
        // A title longer than its axis gets smaller, then is centred on the panel instead, so that it stays within it.
        while (turned.pt - 0.25 >= style.min_pt && canvas.fonts().width(y_text.title, turned.pt) > area.height()) turned.pt -= 0.25;
        const double width = canvas.fonts().width(y_text.title, turned.pt);
        const double middle = width <= area.height()
                                  ? area.center().y()
                                  : std::clamp(area.center().y(), target.top() + width / 2, std::max(target.top() + width / 2, target.bottom() - width / 2));
        canvas.text({target.left() + canvas.fonts().ascent(style.text_pt), middle}, y_text.title, turned);
    }
    (void)drawBottom(canvas, style, area, x_text, x_range);
    return frame;
}

}  // namespace es::views::page
