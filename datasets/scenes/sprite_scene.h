// SPDX-License-Identifier: GPL-3.0-or-later
// One scene of real cut-outs on a made-up background.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/scenes/scene_raster.h"
#include "datasets/scenes/sprite_pool.h"

namespace es::datasets {

struct PlacedCutout {
    std::size_t cutout = 0;                 ///< of the pool
    std::int32_t x = 0, y = 0, extent = 0;  ///< centre and larger side in 1/65536 of the picture's side
};
struct SpriteScene {
    std::vector<PlacedCutout> objects;  ///< farthest first
    Background background;
    Split split = Split::kTrain;
    std::string kind;  ///< of its caption: "naming" "listing" "relation"
    std::string caption;
    std::vector<SceneWord> words;
};

inline constexpr std::uint32_t kSpriteGeneratorVersion = 2;

/// Scene `index` of a seed and a pool that is not empty. Cut-outs are drawn by their identity: another one in the pool changes only the scenes that it
/// comes into.
[[nodiscard]] SpriteScene makeSpriteScene(const SpritePool& pool, std::uint64_t seed, std::int64_t index);
/// Pastes the cut-outs with their alpha. Owners as in SceneTruth. Whole numbers only: of equal cut-outs every build makes equal bytes.
[[nodiscard]] DrawnPicture pasteScene(const SpriteScene& scene, const SpritePool& pool, std::int64_t size);
/// Background, places and contents of the cut-outs in one line: equal exactly when the pictures are.
[[nodiscard]] std::string describe(const SpriteScene& scene, const SpritePool& pool);
/// What is true of it, without owner map.
[[nodiscard]] SceneTruth truthOf(const SpriteScene& scene, const SpritePool& pool);

}  // namespace es::datasets
