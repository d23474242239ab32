// SPDX-License-Identifier: GPL-3.0-or-later
// The tokens of one probe as one expert sees them: what all analyses of an expert start from. Made once, read by many.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// Which expert of which router, at which checkpoint.
struct ExpertQuery {
    RouterId router;
    ExpertIndex expert;
    std::int64_t step = -1;        ///< of a probe of the trained model; -1: the newest
    bool leave_out_masked = true;  ///< tokens that the model saw a mask for; probes of ours have none
};

/// One token counts its assignments: fixed k and ragged routing 1 a choice, before capacity; dense mass the combine weights.
/// Tokens without any assignment, masked ones and those outside the set that was asked for do not count. Immutable.
struct ExpertTokens {
    ExpertQuery query;
    std::shared_ptr<const store::RoutingTable> table;
    std::vector<float> taken_T;          ///< what of the token goes to the expert; 0: nothing, or the token does not count
    std::vector<float> total_T;          ///< over all experts; 0: the token does not count
    std::vector<std::int32_t> sample_T;  ///< index into samples
    std::vector<std::uint64_t> samples;  ///< hashes, in order of appearance
    std::int64_t tokens = 0;             ///< that count
    std::int64_t takers = 0;             ///< of them, those that give something to the expert
    std::int64_t masked_left_out = 0;
    double taken = 0, total = 0;  ///< sums

    [[nodiscard]] const store::RouterInfo& router() const { return table->router; }
    [[nodiscard]] bool dense() const { return table->router.layout == store::RoutingLayout::kDenseMass; }
    [[nodiscard]] double share() const { return total > 0 ? taken / total : 0; }  ///< p(e) over assignments
    [[nodiscard]] Modality modality(std::size_t row) const { return table->modality_T.empty() ? Modality::kUnknown : table->modality_T[row]; }
    /// Combine weight with which the expert takes the token; NaN where it does not.
    [[nodiscard]] float weight(std::size_t row) const;
    /// Router probability; NaN when the distribution was not recorded.
    [[nodiscard]] float probability(std::size_t row) const;
    /// Place among the token's choices, 0 first; -1: not chosen. Dense mass: by weight.
    [[nodiscard]] std::int32_t rank(std::size_t row) const;
};

/// The newest probe of the trained model at `step` (-1: of any). Errors: none there.
[[nodiscard]] Result<store::ProbeKey> trainedProbe(const store::RunReader& run, std::int64_t step);

/// Of a table that is at hand. `include_T` (empty: all) is the set of tokens that is looked at. Errors: no such expert, damaged columns.
[[nodiscard]] Result<ExpertTokens> expertTokens(std::shared_ptr<const store::RoutingTable> table, const ExpertQuery& query,
                                                std::span<const std::uint8_t> include_T = {});
/// Of a run's probe; of a set of tokens when the run is restricted to one (restrictTo()). Errors also: no probe at that step, an unknown router.
[[nodiscard]] Result<ExpertTokens> expertTokens(const store::RunReader& run, const ExpertQuery& query);

}  // namespace es::analysis
