// SPDX-License-Identifier: GPL-3.0-or-later
// Trains a picture tokenizer on the training split of a data set.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/dataset.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/tokenizer/image_tokenizer.h"

namespace es::engine {

/// How training went at a step: means since the line before.
struct TokenizerLine {
    std::int64_t step = 0;
    double reconstruction = 0, commitment = 0;  ///< mean squared error of the scaled colours; mean squared distance to the code
    double perplexity = 0;                      ///< of the codes of these steps
    std::int64_t unused = 0, revived = 0;       ///< codes that none of these steps took; that started again
};

/// On pictures that were not trained on, or on those that were where there are no others.
struct TokenizerQuality {
    bool held_out = false;
    std::int64_t patches = 0;
    double reconstruction = 0;  ///< mean squared error of the scaled colours
    double variance = 0;        ///< the same for the mean patch of the training split: the trivial predictor
    double perplexity = 0;
    std::int64_t unused = 0;  ///< codes that no patch of the training split takes (of at most 4,096 pictures)
};

struct TrainedTokenizer {
    std::shared_ptr<const ImageTokenizer> tokenizer;
    std::vector<TokenizerLine> lines;
    TokenizerQuality quality;
    std::int64_t revived = 0;
};

/// The mean squared error of colours plus `commitment` times the squared distance of encoder and code; the decoder's gradient goes straight
/// through to the encoder (van den Oord et al., arXiv:1711.00937, eq. 3). Patches that are transparent or flat take no part, as in the loss of
/// the codes. Codes start from k-means of the first batch. Progress counts steps and names error and perplexity. Fails when stopped, when there
/// is no picture with a patch to learn from, or when the loss is not finite.
[[nodiscard]] Result<TrainedTokenizer> trainTokenizer(const datasets::Dataset& dataset, std::int64_t patch, const config::TokenizerOptions& options,
                                                      const JobContext& context);

}  // namespace es::engine
