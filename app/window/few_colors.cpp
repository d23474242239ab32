// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/few_colors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace es::app {
namespace {

struct Shade {
    QRgb rgb = 0;
    std::int64_t pixels = 0;
};
using Shades = std::vector<Shade>;

constexpr std::array<int, 3> kShifts = {16, 8, 0};
int channel(QRgb rgb, int shift) { return static_cast<int>(rgb >> shift & 0xFF); }

struct Spread {
    int shift = 0;
    double error = 0;  ///< squared, over the box's pixels, in its widest channel
};

Spread spreadOf(const Shades& box) {
    Spread widest;
    for (const int shift : kShifts) {
        double sum = 0, square = 0, pixels = 0;
        for (const Shade& shade : box) {
            const double value = channel(shade.rgb, shift), n = static_cast<double>(shade.pixels);
            sum += n * value;
            square += n * value * value;
            pixels += n;
        }
        if (const double error = square - sum * sum / pixels; error > widest.error) widest = {shift, error};
    }
    return widest;
}

/// Cuts a box of two shades or more at its middle pixel; both parts have some.
Shades cut(Shades& box, int shift) {
    std::sort(box.begin(), box.end(), [shift](const Shade& a, const Shade& b) {
        return channel(a.rgb, shift) != channel(b.rgb, shift) ? channel(a.rgb, shift) < channel(b.rgb, shift) : a.rgb < b.rgb;
    });
    std::int64_t all = 0, before = 0;
    for (const Shade& shade : box) all += shade.pixels;
    std::size_t at = 0;
    while (at + 1 < box.size() && (before + box[at].pixels) * 2 <= all) before += box[at++].pixels;
    at = std::clamp<std::size_t>(at, 1, box.size() - 1);
    Shades upper(box.begin() + static_cast<std::ptrdiff_t>(at), box.end());
    box.resize(at);
    return upper;
}

QRgb colorOf(const Shades& box) {
    const auto commonest = std::max_element(box.begin(), box.end(), [](const Shade& a, const Shade& b) { return a.pixels < b.pixels; });
    std::int64_t all = 0;
    std::array<std::int64_t, 3> sums{};
    for (const Shade& shade : box) {
        all += shade.pixels;
        for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += shade.pixels * channel(shade.rgb, kShifts[c]);
    }
    if (commonest->pixels * 2 >= all) return commonest->rgb;
    return qRgb(static_cast<int>(sums[0] / all), static_cast<int>(sums[1] / all), static_cast<int>(sums[2] / all));
}

}  // namespace

QImage withFewColors(const QImage& picture, int most) {
    const QImage source = picture.convertToFormat(QImage::Format_RGB32);
    std::unordered_map<QRgb, std::int64_t> counts;
    for (int y = 0; y < source.height(); ++y) {
        const auto* line = reinterpret_cast<const QRgb*>(source.constScanLine(y));
        for (int x = 0; x < source.width(); ++x) ++counts[line[x] | 0xFF000000U];
    }
    if (counts.empty()) return {};
    Shades shades;
    for (const auto& [rgb, pixels] : counts) shades.push_back({rgb, pixels});
    std::sort(shades.begin(), shades.end(), [](const Shade& a, const Shade& b) { return a.pixels != b.pixels ? a.pixels > b.pixels : a.rgb < b.rgb; });
    const auto wanted = static_cast<std::size_t>(std::clamp(most, 1, 256));
    // What is drawn in one colour (grounds, text, swatches of a legend) keeps it; the other half is for pictures.
    constexpr std::int64_t kDrawn = 24;  // pixels
    std::size_t kept = 0;
    while (kept < std::min(shades.size(), wanted / 2) && shades[kept].pixels >= kDrawn) ++kept;
    if (shades.size() <= wanted) kept = 0;  // all are kept anyway
    std::vector<Shades> boxes{Shades(shades.begin() + static_cast<std::ptrdiff_t>(kept), shades.end())};
    for (std::size_t i = 0; i < kept; ++i) boxes.push_back({shades[i]});
    std::vector<Spread> spreads;
    for (const Shades& box : boxes) spreads.push_back(spreadOf(box));
    while (boxes.size() < wanted) {
        const auto widest = std::max_element(spreads.begin(), spreads.end(), [](const Spread& a, const Spread& b) { return a.error < b.error; });
        if (!(widest->error > 0)) break;
        const auto at = static_cast<std::size_t>(widest - spreads.begin());
        boxes.push_back(cut(boxes[at], widest->shift));
        spreads[at] = spreadOf(boxes[at]);
        spreads.push_back(spreadOf(boxes.back()));
    }
    QImage few(source.size(), QImage::Format_Indexed8);
    QList<QRgb> palette;
    std::unordered_map<QRgb, uchar> place;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        palette << colorOf(boxes[i]);
        for (const Shade& shade : boxes[i]) place[shade.rgb] = static_cast<uchar>(i);
    }
    few.setColorTable(palette);
    for (int y = 0; y < source.height(); ++y) {
        const auto* from = reinterpret_cast<const QRgb*>(source.constScanLine(y));
        uchar* to = few.scanLine(y);
        for (int x = 0; x < source.width(); ++x) to[x] = place[from[x] | 0xFF000000U];
    }
    return few;
}

}  // namespace es::app
