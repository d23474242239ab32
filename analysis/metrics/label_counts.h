// SPDX-License-Identifier: GPL-3.0-or-later
// How often label and expert meet, observed and with the labels dealt anew. A draw walks units and the experts of each, not tokens: a picture of 200
// patches that go to 3 experts is 3 steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "analysis/metrics/dependence.h"
#include "analysis/metrics/token_labels.h"

namespace es::analysis {

/// Tokens by label and expert (row-major), with both sums.
struct LabelCounts {
    std::size_t labels = 0, experts = 0;
    std::vector<double> counts, label_sum, expert_sum;
    double total = 0;

    /// Labels of -1 and experts that the router has not (kNoExpert) leave a token out.
    [[nodiscard]] static LabelCounts of(std::span<const std::int32_t> label_T, std::span<const std::uint16_t> expert_T, std::size_t labels,
                                        std::size_t experts);
    [[nodiscard]] MutualInformation information() const;
    /// Count over what independence would give, in deviations of single tokens: only a scale that makes pairs comparable, since the p-value comes
    /// from the same number under permutation.
    [[nodiscard]] double deviation(std::size_t label, std::size_t expert) const;
    /// Of pairs whose label and expert have at least so many tokens; 0 when none deviates upwards.
    [[nodiscard]] double largestDeviation(double least_tokens) const;

private:
    friend class DealtCounts;
    [[nodiscard]] static LabelCounts of(const std::vector<std::uint32_t>& whole, std::size_t labels, std::size_t experts);
};
inline constexpr std::uint16_t kNoExpert = 0xFFFF;

/// The counts of draws of labels, which must outlive it.
class DealtCounts {
public:
    DealtCounts(const TokenLabels& labels, std::span<const std::uint16_t> expert_T, std::size_t experts);
    /// Equal to LabelCounts of TokenLabels::draw(seed, index).
    [[nodiscard]] LabelCounts deal(std::uint64_t seed, std::uint64_t index) const;
    /// About how many steps a draw takes.
    [[nodiscard]] std::int64_t steps() const;

private:
    const TokenLabels& labels_;
    std::size_t label_count_ = 0, experts_ = 0;
    std::vector<std::uint32_t> fixed_;  ///< of tokens whose label stays
    std::vector<std::uint32_t> begin_;  ///< of each unit in the next; one more at the end
    struct Cell {
        std::uint16_t expert = 0, place = 0;  ///< place: of positions
        std::uint32_t tokens = 1;
    };
    std::vector<Cell> cells_;
};

}  // namespace es::analysis
