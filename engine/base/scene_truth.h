// SPDX-License-Identifier: GPL-3.0-or-later
// What is really in a composed picture and what each word of its caption does. Known for scenes that the product makes itself; no other data has it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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
    std::vector<std::uint8_t>
        owner;  ///< side x side, rows top down: 0 background, i + 1 objects[i]: where objects cover at least half of a pixel, the one that covers most
    std::vector<SceneWord> words;  ///< in order of the caption
    std::string holdout;           ///< what keeps it out of training: "colour_shape" "count" "position" "paraphrase", or "probe" (below); empty: nothing
    std::uint64_t pair_of = 0;     ///< hash of the scene that it differs from in one thing: its minimal pair, or the first of its probe series; 0: none
    std::string changed;           ///< what differs: "attribute" "binding" "relation" "count"; in a probe series "colour" "shape" "size" "texture" "position"
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

/// As it lies in files (engine/store/FORMAT.md): one JSON object; the owner map as run lengths.
[[nodiscard]] std::string sceneTruthToJson(const SceneTruth& truth);
/// Empty when the text is no such object, or contradicts itself.
[[nodiscard]] std::optional<SceneTruth> sceneTruthFromJson(std::string_view json);

/// Bytes [begin, end) of a caption; begin == end: no place in it.
struct TextRange {
    std::uint32_t begin = 0, end = 0;
    bool operator==(const TextRange&) const = default;
};
/// Where each token of a caption stands in it, from the readable texts alone (SampleRecord::token_texts): pieces in order, without the marker of
/// a word's start. A marker that stands alone ("_") has no place; "<unk>" takes what lies between its neighbours. A piece that the tokenizer
/// changed (Unicode compatibility forms) has no place.
[[nodiscard]] std::vector<TextRange> tokenRanges(std::string_view caption, std::span<const std::string> token_texts);
/// For each token, which of the words it begins in; -1: none (punctuation, captions without words).
[[nodiscard]] std::vector<std::int32_t> tokenWords(std::string_view caption, std::span<const std::string> token_texts, std::span<const SceneWord> words);

}  // namespace es
