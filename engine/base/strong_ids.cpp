// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/strong_ids.h"

#include <array>
#include <utility>

namespace es {
namespace {

template <class E, std::size_t N>
using Names = std::array<std::pair<E, std::string_view>, N>;

constexpr Names<Branch, 4> kBranches{{{Branch::kVision, "v"}, {Branch::kText, "t"}, {Branch::kVisionLanguage, "vl"}, {Branch::kAll, "all"}}};
constexpr Names<Modality, 3> kModalities{{{Modality::kVision, "vision"}, {Modality::kText, "text"}, {Modality::kUnknown, "unknown"}}};
constexpr Names<Split, 4> kSplits{{{Split::kTrain, "train"}, {Split::kValidation, "validation"}, {Split::kTest, "test"}, {Split::kNone, "none"}}};
constexpr Names<Objective, kObjectiveCount> kObjectives{{{Objective::kImage, "image"},
                                                         {Objective::kText, "text"},
                                                         {Objective::kPairImage, "pair_image"},
                                                         {Objective::kPairText, "pair_text"},
                                                         {Objective::kContrastive, "contrastive"},
                                                         {Objective::kMatching, "matching"}}};

template <class E, std::size_t N>
std::string_view nameOf(const Names<E, N>& names, E value) {
    for (const auto& [candidate, name] : names)
        if (candidate == value) return name;
    return "?";
}

template <class E, std::size_t N>
std::optional<E> valueOf(const Names<E, N>& names, std::string_view text) {
    for (const auto& [value, name] : names)
        if (name == text) return value;
    return std::nullopt;
}

}  // namespace

std::string_view toString(Branch branch) { return nameOf(kBranches, branch); }
std::string_view toString(Modality modality) { return nameOf(kModalities, modality); }
std::string_view toString(Split split) { return nameOf(kSplits, split); }
std::string_view toString(Objective objective) { return nameOf(kObjectives, objective); }
std::optional<Branch> branchFromString(std::string_view text) { return valueOf(kBranches, text); }
std::optional<Split> splitFromString(std::string_view text) { return valueOf(kSplits, text); }
std::optional<Objective> objectiveFromString(std::string_view text) { return valueOf(kObjectives, text); }

}  // namespace es
