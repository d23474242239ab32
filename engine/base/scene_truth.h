// SPDX-License-Identifier: GPL-3.0-or-later
// What is really in a composed picture and what each word of its caption does. Known for scenes that the product makes itself; no other data has it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace es {

/// What a word of a caption is about. Values are stored in files: append only.
enum class WordRole : std::uint8_t { kFunction = 0, kShape = 1, kColour = 2, kSize = 3, kTexture = 4, kNumber = 5, kRelation = 6, kObject = 7, kNegation = 8 };
inline constexpr int kWordRoleCount = 9;
[[nodiscard]] std::string_view toString(WordRole role);  ///< "function" "shape" "colour" "size" "texture" "number" "relation" "object" "negation"
[[nodiscard]] std::optional<WordRole> wordRoleFromString(std::string_view text);

/// One thing in a scene. Drawn ones have the first four, pasted pictures of real things the last two; what is not known is empty.
struct SceneObject {
    std::string shape, colour, size, texture;
    std::string name, category;
    bool operator==(const SceneObject&) const = default;
};

/// One word of the caption.
struct SceneWord {
    std::uint32_t begin = 0, end = 0;  ///< bytes [begin, end) of the caption
    WordRole role = WordRole::kFunction;
    std::int32_t object = -1;  ///< index into objects of what it refers to; -1: none or several
    bool operator==(const SceneWord&) const = default;
};

/// Everything that is true of one scene.
struct SceneTruth {
    std::vector<SceneObject> objects;  ///< z-order, farthest first; at most 254
    std::int32_t side = 0;             ///< the owner map's rows and columns: the picture's
    std::vector<std::uint8_t> owner;   ///< side x side, rows top down: 0 background, i + 1 what objects[i] covers (at least half of the pixel)
    std::vector<SceneWord> words;      ///< in order of the caption
    std::string holdout;               ///< the hold-out that keeps it out of training ("colour_shape", "count", "position", "paraphrase"); empty: none
    std::uint64_t pair_of = 0;         ///< hash of the scene that it is a minimal pair of; 0: none
    std::string changed;               ///< what differs from that scene: "attribute" "binding" "relation" "count"
    bool operator==(const SceneTruth&) const = default;
};

/// What one patch of a grid over the picture holds.
struct PatchTruth {
    float background = 1;              ///< share of the patch's pixels
    std::vector<float> object_shares;  ///< one an object
    std::int32_t object = -1;          ///< the object that covers at least half of it; -1: background or mixed
    bool mixed = false;                ///< neither background nor one object covers half
};
/// Patches row by row. Pixels are counted where their centre lies. Empty without an owner map or with a grid of no cells.
[[nodiscard]] std::vector<PatchTruth> patchTruth(const SceneTruth& truth, std::int32_t grid_width, std::int32_t grid_height);

}  // namespace es
