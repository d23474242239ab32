// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/axis_ticks.h"

#include <algorithm>
#include <cmath>

namespace es::views::page {

namespace {

constexpr QChar kMinus(0x2212);

double roundStep(double raw) {
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    for (const double factor : {1.0, 2.0, 2.5, 5.0})
        if (factor * power >= raw * 0.999) return factor * power;
    return 10 * power;
}

QString withMinus(QString text) {
    text.replace(QLatin1Char('-'), kMinus);
    return text;
}

QString superscript(int value) {
    static const QString digits = QStringLiteral("⁰¹²³⁴⁵⁶⁷⁸⁹");
    QString text = value < 0 ? QStringLiteral("⁻") : QString();
    for (const QChar c : QString::number(std::abs(value))) text += digits[c.digitValue()];
    return text;
}

QString powerOfTen(int exponent) { return QStringLiteral("10") + superscript(exponent); }

Ticks logTicks(double low, double high, int wanted) {
    Ticks ticks;
    const int first = static_cast<int>(std::ceil(std::log10(low) - 1e-9)), last = static_cast<int>(std::floor(std::log10(high) + 1e-9));
    if (last - first >= 1) {
        const int stride = std::max(1, (last - first + wanted) / std::max(1, wanted));
        for (int e = first; e <= last; e += stride) {
            ticks.at.push_back(std::pow(10.0, e));
            ticks.labels.push_back(std::abs(e) <= 3 ? numberText(ticks.at.back()) : powerOfTen(e));
        }
        return ticks;
    }
    const int decade = static_cast<int>(std::floor(std::log10(low)));
    for (int e = decade; e <= decade + 1; ++e)
        for (const double factor : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) {
            const double value = factor * std::pow(10.0, e);
            if (value < low * 0.9999 || value > high * 1.0001) continue;
            ticks.at.push_back(value);
            ticks.labels.push_back(numberText(value));
        }
    return ticks;
}

}  // namespace

double AxisRange::fraction(double value) const {
    if (scale == analysis::Scale::kLinear) return (value - low) / (high - low);
    if (!(value > 0)) return analysis::kMissing;
    return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
}

Ticks makeTicks(const AxisRange& range, int wanted) {
    const double low = std::min(range.low, range.high), high = std::max(range.low, range.high);
    Ticks ticks;
    if (!(high > low) || !std::isfinite(high - low)) return ticks;
    if (range.scale == analysis::Scale::kLog && low > 0) {
        ticks = logTicks(low, high, std::max(2, wanted));
        if (ticks.at.size() >= 2) return ticks;
        ticks = {};
    }
    const double step = roundStep((high - low) / std::max(1, wanted));
    const double largest = std::max(std::abs(low), std::abs(high));
    if (largest >= 1e5 || largest < 1e-2) ticks.exponent = static_cast<int>(std::floor(std::log10(largest) + 1e-9));
    const double unit = std::pow(10.0, ticks.exponent);
    const double magnitude = std::floor(std::log10(step / unit) + 1e-9);
    const bool quarters = std::abs(step / unit / std::pow(10.0, magnitude) - 2.5) < 1e-6;
    const int decimals = std::max(0, static_cast<int>(-magnitude) + (quarters ? 1 : 0));
    for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) {
        const double value = i * step;
        ticks.at.push_back(value);
        ticks.labels.push_back(i == 0 ? QStringLiteral("0") : withMinus(QString::number(value / unit, 'f', decimals)));
    }
    return ticks;
}

AxisRange niceRange(double low, double high, analysis::Scale scale, int wanted) {
    if (!(high > low)) {
        const double margin = low == 0 ? 1 : std::abs(low) * 0.1;
        if (scale == analysis::Scale::kLog && low > 0) return {low / 1.5, low * 1.5, scale};
        return {low - margin, high + margin, scale};
    }
    if (scale == analysis::Scale::kLog) {
        const double room = std::pow(high / low, 0.04);
        return {low / room, high * room, scale};
    }
    const double step = roundStep((high - low) / std::max(1, wanted));
    // Half a step is enough to end on a tick's half; whole steps would leave up to a fifth of the panel empty.
    const double grain = step / 2;
    return {std::floor(low / grain + 1e-9) * grain, std::ceil(high / grain - 1e-9) * grain, scale};
}

QString titleWithExponent(const QString& title, int exponent) {
    if (exponent == 0) return title;
    const qsizetype open = title.lastIndexOf(QLatin1Char('('));
    if (open >= 0 && title.endsWith(QLatin1Char(')'))) {
        QString scaled = title;
        return scaled.insert(open + 1, powerOfTen(exponent) + QLatin1Char(' '));
    }
    return title + QStringLiteral(" (") + powerOfTen(exponent) + QLatin1Char(')');
}

QString numberText(double value, int digits) {
    if (!std::isfinite(value)) return QStringLiteral("—");
    if (value == 0) return QStringLiteral("0");
    const double size = std::abs(value);
    if (size >= 1e6 || size < 1e-4) {
        const int exponent = static_cast<int>(std::floor(std::log10(size)));
        const QString mantissa = numberText(value / std::pow(10.0, exponent), digits);
        return (mantissa == QStringLiteral("1") ? QString() : mantissa + QStringLiteral(" × ")) + powerOfTen(exponent);
    }
    const int decimals = std::max(0, digits - 1 - static_cast<int>(std::floor(std::log10(size))));
    QString text = QString::number(value, 'f', decimals);
    if (text.contains(QLatin1Char('.'))) {
        while (text.endsWith(QLatin1Char('0'))) text.chop(1);
        if (text.endsWith(QLatin1Char('.'))) text.chop(1);
    }
    return withMinus(text);
}

}  // namespace es::views::page
