// SPDX-License-Identifier: GPL-3.0-or-later
// Finding texts for pictures and pictures for texts. I pictures, T texts, K ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace es::analysis {

/// Share of queries with a match among their k best, for each k.
struct RetrievalRecall {
    std::vector<double> image_to_text_K, text_to_image_K;
    std::int64_t images = 0, texts = 0;  ///< queries that have a match; the others are left out
};
/// Recall at each of `ranks_K` (>= 1; more than there are items: all of them), from similarities (I x T, row-major, larger is nearer). A text
/// matches a picture when their groups are equal: any of several captions counts, as in COCO and Flickr30k retrieval. Equal similarities
/// count by their expectation under a random order, so that a model that cannot tell apart is not lucky. 0 without queries.
[[nodiscard]] RetrievalRecall retrievalRecall(std::span<const double> similarity_IT, std::span<const std::int64_t> group_I,
                                              std::span<const std::int64_t> group_T, std::span<const std::int64_t> ranks_K);

}  // namespace es::analysis
