// SPDX-License-Identifier: GPL-3.0-or-later
// Pairs once more, with nothing hidden, as contrastive learning and matching see them. They go to the end of the batch's streams, so that one
// forward pass carries everything: a router sees, balances and tells of all tokens of a step at once.
#pragma once

#include <cstdint>

#include "engine/data/batch.h"
#include "engine/model/token_layout.h"
#include "engine/objective/matching.h"

namespace es::engine {

/// The batch with its pairs appended: each picture and each caption by itself (`contrastive`), and the judged pairs (`negatives`, or nullptr).
[[nodiscard]] Batch withAlignmentStreams(const Batch& batch, bool contrastive, const NegativePairs* negatives);
/// Only the pictures and captions of its pairs, each by itself, nothing hidden.
[[nodiscard]] Batch pairsAlone(const Batch& batch);

/// A run of rows of the token matrix that holds samples of one modality.
struct SampleRows {
    std::int64_t begin = 0, count = 0, samples = 0;
    std::vector<std::int64_t> sample_of;  ///< of each row, from 0, ascending
};

/// Where the appended samples lie: those alone at the end of the pictures and texts, the judged ones at the end of the pairs.
struct AppendedRows {
    SampleRows pictures, captions;
};
[[nodiscard]] AppendedRows rowsAlone(const TokenLayout& layout, std::int64_t samples);
[[nodiscard]] AppendedRows rowsJudged(const TokenLayout& layout, std::int64_t samples);

/// Mean of the rows of each sample, with gradient. A sample without rows gets zeros.
[[nodiscard]] at::Tensor meanOfSamples(const at::Tensor& x_ND, const SampleRows& rows);

}  // namespace es::engine
