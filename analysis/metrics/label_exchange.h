// SPDX-License-Identifier: GPL-3.0-or-later
// How labels may be dealt anew when chance is asked for: what varies independently is exchanged, what belongs together stays together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace es::analysis {

/// Labels of units (a picture, an object, a word of the vocabulary) and the ways in which they could as well have been dealt. Draw i of a seed is
/// the same whoever asks. Value type.
class LabelExchange {
public:
    LabelExchange() = default;
    /// Units exchange their labels with those of the same stratum (0 .. strata - 1; -1: keeps its own).
    [[nodiscard]] static LabelExchange ofUnits(std::vector<std::int32_t> unit_label, const std::vector<std::int32_t>& unit_stratum, std::int32_t strata);

    /// Units of one family (a scene with its variants) by member: each member's units in order, most units first.
    struct Family {
        std::vector<std::vector<std::int32_t>> members;
    };
    /// Families exchange all their labels at once, so that what the units of a picture, or of its variants, have in common stays in common: those with
    /// equal numbers of units in each member among themselves, members of equal size in random order. Shapes that fewer than kLeastFamilies share
    /// exchange with each other: all their labels are laid in a row, families in random order, and dealt along.
    static constexpr std::size_t kLeastFamilies = 5;
    [[nodiscard]] static LabelExchange ofFamilies(std::vector<std::int32_t> unit_label, std::vector<Family> families);

    /// Labels 0 and 1 of a cluster's units change places with chance 1/2, all of a cluster together (-1: keeps its own).
    [[nodiscard]] static LabelExchange ofFlips(std::vector<std::int32_t> unit_label, std::vector<std::int32_t> unit_cluster, std::int32_t clusters);

    [[nodiscard]] const std::vector<std::int32_t>& labels() const { return unit_label_; }
    /// The label of each unit in draw `index`.
    [[nodiscard]] std::vector<std::int32_t> draw(std::uint64_t seed, std::uint64_t index) const;

private:
    /// Clusters of `width` slots each, one after the other from `first` on: `members` of them interleaved (slot j of member a at j * members + a).
    struct Stratum {
        std::size_t first = 0, clusters = 0, width = 1, members = 1;
    };
    std::vector<std::int32_t> unit_label_;
    std::vector<std::int32_t> slots_;  ///< units
    std::vector<Stratum> strata_;
    std::vector<std::size_t> mixed_;  ///< where each cluster of the rest begins in slots_, and where the last ends
    std::vector<std::int32_t> flip_of_unit_;
    std::int32_t flips_ = 0;
};

}  // namespace es::analysis
