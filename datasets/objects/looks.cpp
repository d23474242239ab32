// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/objects/looks.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "engine/base/hash.h"

namespace es::datasets {
namespace {

constexpr std::int64_t kCells = 9;
constexpr std::int64_t kLeastStep = 6;    // of 255: smaller differences are noise of scaling
constexpr std::int64_t kUniformStep = 2;  // of 255

std::int64_t onWhite(std::uint8_t colour, std::uint8_t alpha) { return (colour * alpha + 255 * (255 - alpha) + 127) / 255; }

}  // namespace

std::uint64_t looksOf(std::span<const std::uint8_t> rgba, std::int64_t size) {
    std::array<std::int64_t, kCells * kCells> sum{}, count{};
    for (std::int64_t y = 0; y < size; ++y)
        for (std::int64_t x = 0; x < size; ++x) {
            const std::uint8_t* pixel = &rgba[static_cast<std::size_t>((y * size + x) * 4)];
            const auto cell = static_cast<std::size_t>(y * kCells / size * kCells + x * kCells / size);
            sum[cell] += 299 * onWhite(pixel[0], pixel[3]) + 587 * onWhite(pixel[1], pixel[3]) + 114 * onWhite(pixel[2], pixel[3]);
            count[cell] += 1000;
        }
    const auto level = [&](std::int64_t row, std::int64_t column) {
        const auto cell = static_cast<std::size_t>(row * kCells + column);
        return count[cell] == 0 ? std::int64_t{255} : sum[cell] / count[cell];
    };
    std::string steps;
    bool flat = true;
    const auto compare = [&](std::int64_t a, std::int64_t b) {
        const char step = b - a > kLeastStep ? '+' : a - b > kLeastStep ? '-' : '0';
        flat = flat && step == '0';
        steps += step;
    };
    for (std::int64_t i = 0; i < kCells; ++i)
        for (std::int64_t j = 0; j + 1 < kCells; ++j) {
            compare(level(i, j), level(i, j + 1));
            compare(level(j, i), level(j + 1, i));
        }
    return flat ? 0 : hash64(std::string_view(steps)) | 1;
}

bool isUniform(std::span<const std::uint8_t> rgba) {
    std::array<std::int64_t, 3> low{255, 255, 255}, high{0, 0, 0};
    for (std::size_t i = 0; i + 3 < rgba.size(); i += 4)
        for (std::size_t c = 0; c < 3; ++c) {
            const std::int64_t value = onWhite(rgba[i + c], rgba[i + 3]);
            low[c] = std::min(low[c], value);
            high[c] = std::max(high[c], value);
        }
    for (std::size_t c = 0; c < 3; ++c)
        if (high[c] - low[c] > kUniformStep) return false;
    return true;
}

}  // namespace es::datasets
