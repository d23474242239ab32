// SPDX-License-Identifier: GPL-3.0-or-later
// From the pixels of a picture to the numbers of its patches.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace es::engine {

/// Mean and deviation of each colour over the training pictures, on white, in 0..1. Input pixels are (x - mean) / deviation.
struct PictureScale {
    std::array<float, 3> mean{0.5f, 0.5f, 0.5f};
    std::array<float, 3> deviation{0.5f, 0.5f, 0.5f};
    bool operator==(const PictureScale&) const = default;
};

inline constexpr double kOpaqueAlpha = 0.02;         ///< a patch counts when its mean alpha is above this
inline constexpr double kFlatDeviation = 2.0 / 255;  ///< and its pixels deviate by more than this
inline constexpr double kTargetEpsilon = 0.01;       ///< target: (x - mean) / sqrt(variance + epsilon^2)

/// Cuts one RGBA picture (size x size, alpha not multiplied in) into patches, row by row. Each patch has patch * patch * 3 numbers:
/// rows of pixels, colours last. `input`, `target`: patches x numbers; `countable`: 1 where a patch is neither transparent nor flat.
void cutPatches(std::span<const std::uint8_t> rgba, std::int64_t size, std::int64_t patch, const PictureScale& scale, float* input, float* target,
                std::uint8_t* countable);

/// Adds one picture's colours, on white, in 0..1, to sums (for PictureScale).
void addColours(std::span<const std::uint8_t> rgba, std::array<double, 3>& sum, std::array<double, 3>& squares);

}  // namespace es::engine
