// SPDX-License-Identifier: GPL-3.0-or-later
// Labels of tokens: what the picture they belong to shows, and which patches show nothing at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// 1 for each patch (row by row) that is transparent (mean alpha <= 0.02) or flat (the standard deviation of every colour channel over the
/// patch, on white, is <= 2/255). Empty when the sample has no picture or no grid.
[[nodiscard]] std::vector<std::uint8_t> blankPatches(const store::SampleRecord& sample);

/// Categories of samples, numbered in order of name; blank patches carry a label of their own after them.
struct CategoryLabels {
    std::vector<std::string> names;                            ///< one a category
    std::unordered_map<std::uint64_t, std::int32_t> category;  ///< of a sample; absent: none known
    std::unordered_map<std::uint64_t, std::vector<std::uint8_t>> blank;
    [[nodiscard]] std::int32_t blankLabel() const { return static_cast<std::int32_t>(names.size()); }
    /// Of each token of a table: its category, blankLabel(), or -1 (masked, sample without category, unknown sample).
    [[nodiscard]] std::vector<std::int32_t> of(const store::RoutingTable& table, bool leave_out_masked = true) const;
};
/// Reads the pictures of these samples. Samples that the run does not hold are left out.
[[nodiscard]] Result<CategoryLabels> categoryLabels(const store::RunReader& run, std::span<const std::uint64_t> samples);

/// Distinct samples of a table in order of appearance.
[[nodiscard]] std::vector<std::uint64_t> samplesOf(const store::RoutingTable& table);

/// Vocabulary ids, -1 for patches, unknown and (if asked) masked words.
[[nodiscard]] std::vector<std::int32_t> tokenIdLabels(const store::RoutingTable& table, bool leave_out_masked = true);

}  // namespace es::analysis
