// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/axis_text.h"

#include <algorithm>
#include <cmath>

namespace es::views {

namespace {

page::Ticks someTicks(const page::AxisRange& range, int wanted) {
    page::Ticks ticks = page::makeTicks(range, wanted);
    // An axis with one number or none cannot be read; two have room even on a short one.
    for (int more = 1; ticks.at.size() < 2 && more <= 3; ++more) ticks = page::makeTicks(range, wanted + more);
    return ticks;
}

}  // namespace

page::Ticks screenTicks(const page::AxisRange& range, double length, double spacing) {
    const int wanted = std::clamp(static_cast<int>(length / spacing), 1, 12);
    const double largest = std::max(std::abs(range.low), std::abs(range.high));
    if (range.scale == analysis::Scale::kLinear && largest >= 10000 && largest < 1e6) {
        page::Ticks ticks = someTicks({range.low / 1000, range.high / 1000, range.scale}, wanted);
        for (double& at : ticks.at) at *= 1000;
        for (QString& label : ticks.labels)
            if (label != QLatin1String("0")) label += QLatin1Char('k');
        return ticks;
    }
    return someTicks(range, wanted);
}

QString readout(double value) {
    if (!std::isfinite(value)) return QStringLiteral("—");
    if (std::abs(value) >= 1000 && std::abs(value) < 1e7) {
        QString digits = QString::number(std::llround(std::abs(value)));
        for (qsizetype at = digits.size() - 3; at > 0; at -= 3) digits.insert(at, QChar(0x2009));
        return (value < 0 ? QString(QChar(0x2212)) : QString()) + digits;
    }
    return page::numberText(value, 4);
}

page::AxisRange axisRange(const analysis::Axis& axis, double low, double high, bool round_ends) {
    analysis::Scale scale = axis.scale;
    if (scale == analysis::Scale::kLog && !(high > 0)) scale = analysis::Scale::kLinear;
    if (!std::isfinite(low) || !std::isfinite(high)) low = scale == analysis::Scale::kLog ? 0.1 : 0, high = 1;
    if (scale == analysis::Scale::kLog && !(low > 0)) low = high / 1e3;
    page::AxisRange range = round_ends || !(high > low) ? page::niceRange(low, high, scale) : page::AxisRange{low, high, scale};
    if (axis.min && (scale == analysis::Scale::kLinear || *axis.min > 0)) range.low = *axis.min;
    if (axis.max && (scale == analysis::Scale::kLinear || *axis.max > 0)) range.high = *axis.max;
    if (range.low == range.high) range.high = range.low + 1;
    return range;
}

}  // namespace es::views
