// SPDX-License-Identifier: GPL-3.0-or-later
// Drawn scenes to pixels: 16 samples a pixel, whole numbers only, so that every build on every machine draws the same bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/scenes/scene_spec.h"

namespace es::datasets {

struct DrawnPicture {
    std::vector<std::uint8_t> rgba;   ///< size x size x 4, opaque
    std::vector<std::uint8_t> owner;  ///< size x size, as SceneTruth::owner
};
[[nodiscard]] DrawnPicture drawScene(const DrawnScene& scene, std::int64_t size);
/// A background at the centre of a pixel.
[[nodiscard]] Rgb backgroundAt(const Background& background, std::int64_t x, std::int64_t y, std::int64_t size);

}  // namespace es::datasets
