// SPDX-License-Identifier: GPL-3.0-or-later
// Index types that cannot be mixed up, and the small enumerations every layer of the program shares.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace es {

template <class Tag, class Rep = std::int32_t>
struct StrongIndex {
    Rep value{-1};
    constexpr StrongIndex() = default;
    constexpr explicit StrongIndex(Rep v) : value(v) {}
    [[nodiscard]] constexpr bool valid() const { return value >= 0; }
    constexpr auto operator<=>(const StrongIndex&) const = default;
};

using LayerIndex = StrongIndex<struct LayerTag>;    ///< transformer block, from 0
using ExpertIndex = StrongIndex<struct ExpertTag>;  ///< expert within one router, from 0
using RouterId = StrongIndex<struct RouterTag>;     ///< row of a run's router table, from 0
using TokenIndex = StrongIndex<struct TokenTag>;    ///< token within a sample: patches row by row, or words in order

/// Which feed-forward branch a router belongs to (multiway transformer: vision, text, vision-language; kAll: one pool).
enum class Branch : std::uint8_t { kVision = 0, kText = 1, kVisionLanguage = 2, kAll = 3 };
/// What a token is. kUnknown is legal: imported and text-only runs.
enum class Modality : std::uint8_t { kVision = 0, kText = 1, kUnknown = 255 };
enum class Split : std::uint8_t { kTrain = 0, kValidation = 1, kTest = 2, kNone = 255 };
/// What is learnt: four masked objectives, then two that bring pictures and captions together. Values are stored in files: append only.
enum class Objective : std::uint8_t { kImage = 0, kText = 1, kPairImage = 2, kPairText = 3, kContrastive = 4, kMatching = 5 };
inline constexpr int kObjectiveCount = 6;
inline constexpr int kMaskedObjectiveCount = 4;  ///< the first ones

[[nodiscard]] std::string_view toString(Branch branch);        ///< "v" "t" "vl" "all"
[[nodiscard]] std::string_view toString(Modality modality);    ///< "vision" "text" "unknown"
[[nodiscard]] std::string_view toString(Split split);          ///< "train" "validation" "test" "none"
[[nodiscard]] std::string_view toString(Objective objective);  ///< "image" "text" "pair_image" "pair_text" "contrastive" "matching"
[[nodiscard]] std::optional<Branch> branchFromString(std::string_view text);
[[nodiscard]] std::optional<Split> splitFromString(std::string_view text);
[[nodiscard]] std::optional<Objective> objectiveFromString(std::string_view text);

}  // namespace es

template <class Tag, class Rep>
struct std::hash<es::StrongIndex<Tag, Rep>> {
    std::size_t operator()(const es::StrongIndex<Tag, Rep>& index) const noexcept { return std::hash<Rep>{}(index.value); }
};
