// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/picture_patches.h"

#include <cmath>
#include <cstddef>

namespace es::engine {
namespace {

float onWhite(std::uint8_t colour, std::uint8_t alpha) {
    return (static_cast<float>(colour) * static_cast<float>(alpha) + 255.0f * (255.0f - static_cast<float>(alpha))) / (255.0f * 255.0f);
}

}  // namespace

void cutPatches(std::span<const std::uint8_t> rgba, std::int64_t size, std::int64_t patch, const PictureScale& scale, float* input, float* target,
                std::uint8_t* countable) {
    const std::int64_t grid = size / patch, numbers = patch * patch * 3;
    for (std::int64_t p = 0; p < grid * grid; ++p) {
        const std::int64_t top = p / grid * patch, left = p % grid * patch;
        float* in = input + p * numbers;
        float* out = target + p * numbers;
        double sum = 0, squares = 0, alpha_sum = 0;
        std::int64_t i = 0;
        for (std::int64_t y = top; y < top + patch; ++y)
            for (std::int64_t x = left; x < left + patch; ++x) {
                const std::uint8_t* pixel = rgba.data() + static_cast<std::size_t>((y * size + x) * 4);
                alpha_sum += pixel[3];
                for (std::size_t c = 0; c < 3; ++c, ++i) {
                    const float value = onWhite(pixel[c], pixel[3]);
                    sum += value;
                    squares += static_cast<double>(value) * value;
                    out[i] = value;
                    in[i] = (value - scale.mean[c]) / scale.deviation[c];
                }
            }
        const double mean = sum / static_cast<double>(numbers);
        const double variance = std::max(0.0, squares / static_cast<double>(numbers) - mean * mean);
        const double divisor = std::sqrt(variance + kTargetEpsilon * kTargetEpsilon);
        for (std::int64_t n = 0; n < numbers; ++n) out[n] = static_cast<float>((out[n] - mean) / divisor);
        const double alpha = alpha_sum / (255.0 * static_cast<double>(patch * patch));
        countable[p] = alpha > kOpaqueAlpha && std::sqrt(variance) > kFlatDeviation;
    }
}

void addColours(std::span<const std::uint8_t> rgba, std::array<double, 3>& sum, std::array<double, 3>& squares) {
    for (std::size_t i = 0; i + 3 < rgba.size(); i += 4)
        for (std::size_t c = 0; c < 3; ++c) {
            const double value = onWhite(rgba[i + c], rgba[i + 3]);
            sum[c] += value;
            squares[c] += value * value;
        }
}

}  // namespace es::engine
