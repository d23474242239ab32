// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/picture_patches.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace es::engine {
namespace {

struct Cut {
    std::vector<float> input, target;
    std::vector<std::uint8_t> countable;
};

Cut cut(const std::vector<std::uint8_t>& rgba, std::int64_t size, std::int64_t patch, const PictureScale& scale = {{0, 0, 0}, {1, 1, 1}}) {
    const auto patches = static_cast<std::size_t>((size / patch) * (size / patch)), numbers = static_cast<std::size_t>(patch * patch * 3);
    Cut out{std::vector<float>(patches * numbers), std::vector<float>(patches * numbers), std::vector<std::uint8_t>(patches)};
    cutPatches(rgba, size, patch, scale, out.input.data(), out.target.data(), out.countable.data());
    return out;
}

TEST(PicturePatches, RunRowByRowAndCompositeOnWhite) {
    std::vector<std::uint8_t> rgba(4 * 4 * 4, 255);
    const auto set = [&](std::size_t x, std::size_t y, std::uint8_t value, std::uint8_t alpha) {
        for (std::size_t c = 0; c < 3; ++c) rgba[(y * 4 + x) * 4 + c] = value;
        rgba[(y * 4 + x) * 4 + 3] = alpha;
    };
    set(2, 1, 0, 255);  // second patch of the first row, its third pixel
    set(0, 3, 0, 51);   // third patch: black at a fifth of opacity
    const Cut out = cut(rgba, 4, 2);
    EXPECT_EQ(out.input[1 * 12 + 2 * 3], 0.0f);
    EXPECT_NEAR(out.input[2 * 12 + 2 * 3], 0.8f, 1e-6);
    EXPECT_EQ(out.input[0], 1.0f);
}

TEST(PicturePatches, FlatAndTransparentPatchesDoNotCount) {
    std::vector<std::uint8_t> rgba(4 * 4 * 4, 0);                         // wholly transparent
    for (std::size_t i = 0; i < 2; ++i) rgba[(0 * 4 + i) * 4 + 3] = 255;  // first patch: two black pixels
    for (std::size_t y = 0; y < 2; ++y)
        for (std::size_t x = 2; x < 4; ++x) rgba[(y * 4 + x) * 4 + 3] = 255;  // second: all black, flat
    for (std::size_t c = 0; c < 3; ++c) rgba[(2 * 4 + 0) * 4 + c] = 200;      // third: coloured but transparent
    const Cut out = cut(rgba, 4, 2);
    EXPECT_EQ(out.countable, (std::vector<std::uint8_t>{1, 0, 0, 0}));
}

TEST(PicturePatches, TargetIsNormalisedWithItsEpsilon) {
    std::vector<std::uint8_t> rgba(2 * 2 * 4, 255);
    for (std::size_t c = 0; c < 3; ++c) rgba[c] = 0;  // one black pixel of four
    const Cut out = cut(rgba, 2, 2);
    const double mean = 0.75, variance = 0.1875;
    EXPECT_NEAR(out.target[0], (0 - mean) / std::sqrt(variance + 1e-4), 1e-5);
    EXPECT_NEAR(out.target[3], (1 - mean) / std::sqrt(variance + 1e-4), 1e-5);
}

}  // namespace
}  // namespace es::engine
