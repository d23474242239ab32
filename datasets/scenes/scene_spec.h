// SPDX-License-Identifier: GPL-3.0-or-later
// Drawn scenes: which objects, where, on what, and the caption, decided by whole numbers alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/scene_truth.h"

namespace es::datasets {

inline constexpr std::int32_t kSceneUnit = 65536;           ///< the side of a scene
inline constexpr std::int64_t kSceneBlock = 160;            ///< scenes of a block; its last ones are a probe series
inline constexpr std::int64_t kProbeSeries = 8;             ///< scenes of a probe series
inline constexpr std::uint32_t kSceneGeneratorVersion = 2;  ///< rises when a scene changes
inline constexpr int kMostSceneObjects = 6;

inline constexpr std::array<std::string_view, 8> kSceneShapes{"circle", "square", "triangle", "diamond", "cross", "star", "ring", "hexagon"};
inline constexpr std::array<std::string_view, 8> kSceneColours{"red", "green", "blue", "yellow", "purple", "orange", "cyan", "black"};
inline constexpr std::array<std::string_view, 3> kSceneSizes{"small", "medium", "large"};
inline constexpr std::array<std::string_view, 4> kSceneTextures{"plain", "striped", "dotted", "checked"};

using Rgb = std::array<std::uint8_t, 3>;

/// One drawn object. Indices into the lists above.
struct DrawnObject {
    int shape = 0, colour = 0, size = 0, texture = 0;
    std::int32_t x = 0, y = 0, radius = 0;  ///< centre and half extent in 1/65536 of the side
    std::int32_t tint = 0;                  ///< added to each colour
    bool operator==(const DrawnObject&) const = default;
};

struct Background {
    int kind = 0;  ///< 0 plain, 1 gradient from top to bottom, 2 gradient from left to right, 3 noise
    Rgb first{255, 255, 255}, second{255, 255, 255};
    std::uint64_t noise = 0;  ///< seed
    bool operator==(const Background&) const = default;
};

enum class CaptionKind { kAttribute, kBinding, kCount, kRelation, kSame, kNegation };
enum class Relation { kLeft, kRight, kAbove, kBelow, kInside };

inline constexpr int kHeldOutWording = 3;  ///< of the wordings 0..3 of each kind of caption, the one that training never sees

/// What the caption says; with the objects it decides every word.
struct CaptionPlan {
    CaptionKind kind = CaptionKind::kAttribute;
    int wording = 0;
    int first = 0, second = -1;                         ///< objects that it speaks of
    bool colour = true, size = false, texture = false;  ///< whether they are named
    Relation relation = Relation::kLeft;
    int absent_shape = 0, absent_colour = 0;  ///< of a negation
    bool about_object = false;                ///< negation of an object's colour, not of a kind of object
};

struct DrawnScene {
    std::vector<DrawnObject> objects;  ///< farthest first
    Background background;
    CaptionPlan plan;
    std::string holdout, changed;  ///< as in SceneTruth
    std::int64_t variant_of = -1;  ///< index of the scene that it is a variant of
    std::string caption;
    std::vector<SceneWord> words;
};

/// Scene `index` of a seed. Depends on nothing else.
[[nodiscard]] DrawnScene makeScene(std::uint64_t seed, std::int64_t index);
/// Which hold-outs a scene falls under, by what it shows and says.
struct HoldOuts {
    bool colour_shape = false, count = false, position = false, paraphrase = false;
    [[nodiscard]] bool any() const { return colour_shape || count || position || paraphrase; }
};
[[nodiscard]] HoldOuts holdOutsOf(const DrawnScene& scene);
/// True of the six pairs of shape and colour that training never sees together.
[[nodiscard]] bool isHeldOutPair(int shape, int colour);

/// Whether a scene's caption is true of these objects, read as widely as anybody may: "left of" holds of any bit to the left. Numbers are exact.
[[nodiscard]] bool captionHolds(const DrawnScene& said, const std::vector<DrawnObject>& objects);
/// Writes caption and words from plan and objects.
void writeCaption(DrawnScene& scene);
[[nodiscard]] std::string_view toString(CaptionKind kind);  ///< "attribute" "binding" "count" "relation" "same" "negation"
/// What is true of it, without owner map and pair_of.
[[nodiscard]] SceneTruth truthOf(const DrawnScene& scene);
/// Objects and background in one line: equal exactly when the pictures are.
[[nodiscard]] std::string describe(const DrawnScene& scene);
[[nodiscard]] std::string describe(const Background& ground);

}  // namespace es::datasets
