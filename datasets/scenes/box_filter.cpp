// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/scenes/box_filter.h"

#include <algorithm>

namespace es::datasets {
namespace {

/// The part of one axis that a pixel of the result covers.
struct Cover {
    std::int64_t first = 0;             ///< pixel of the original
    std::vector<std::int64_t> weights;  ///< of it and those behind it
};

/// In units of 1 / (2 x to) original pixels all ends are whole.
std::vector<Cover> coversOf(std::int64_t from, std::int64_t to) {
    std::vector<Cover> covers(static_cast<std::size_t>(to));
    const std::int64_t pixel = 2 * to, half = std::max(from, to);
    for (std::int64_t i = 0; i < to; ++i) {
        const std::int64_t centre = (2 * i + 1) * from, begin = std::max<std::int64_t>(0, centre - half), end = std::min(centre + half, pixel * from);
        Cover& cover = covers[static_cast<std::size_t>(i)];
        cover.first = begin / pixel;
        for (std::int64_t at = cover.first; at * pixel < end; ++at) cover.weights.push_back(std::min(end, (at + 1) * pixel) - std::max(begin, at * pixel));
    }
    return covers;
}

}  // namespace

std::vector<std::uint8_t> boxFitted(std::span<const std::uint8_t> rgba, std::int64_t width, std::int64_t height, std::int64_t side) {
    const std::int64_t larger = std::max(width, height);
    const auto fitted = [&](std::int64_t length) { return std::max<std::int64_t>(1, (2 * length * side + larger) / (2 * larger)); };
    const std::int64_t columns = fitted(width), rows = fitted(height), left = (side - columns) / 2, top = (side - rows) / 2;
    const auto across = coversOf(width, columns), down = coversOf(height, rows);
    std::vector<std::uint8_t> out(static_cast<std::size_t>(side * side * 4), 0);
    for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t x = 0; x < columns; ++x) {
            const Cover &wide = across[static_cast<std::size_t>(x)], &high = down[static_cast<std::size_t>(y)];
            std::int64_t weight = 0, alpha = 0, colour[3] = {0, 0, 0};
            for (std::size_t j = 0; j < high.weights.size(); ++j)
                for (std::size_t i = 0; i < wide.weights.size(); ++i) {
                    const auto at =
                        static_cast<std::size_t>(((high.first + static_cast<std::int64_t>(j)) * width + wide.first + static_cast<std::int64_t>(i)) * 4);
                    const std::int64_t area = high.weights[j] * wide.weights[i], covered = area * rgba[at + 3];
                    weight += area;
                    alpha += covered;
                    for (std::size_t c = 0; c < 3; ++c) colour[c] += covered * rgba[at + c];
                }
            if (alpha == 0) continue;
            std::uint8_t* to = &out[static_cast<std::size_t>(((top + y) * side + left + x) * 4)];
            for (std::size_t c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>((2 * colour[c] + alpha) / (2 * alpha));
            to[3] = static_cast<std::uint8_t>((2 * alpha + weight) / (2 * weight));
        }
    return out;
}

}  // namespace es::datasets
