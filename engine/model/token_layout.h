// SPDX-License-Identifier: GPL-3.0-or-later
// How the tokens of a batch lie in one matrix. Padding words have no row: nothing is computed for them.
//
// Rows: [patches of single pictures | patches of pairs | words of pairs | words of single texts], each sample by sample. So vision tokens,
// text tokens and the tokens of pairs are each one run of rows, and every branch takes its tokens without a copy.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "engine/data/batch.h"
#include "engine/kernels/packed_attention_cpu.h"
#include "engine/routing/routing_event.h"

namespace es::engine {

/// Words of one stream (all samples of pairs, or of single texts).
struct WordRows {
    std::int64_t samples = 0, per_sample = 0;  ///< padded size: samples x per_sample
    std::int64_t begin = 0, count = 0;         ///< its rows in the matrix
    std::vector<std::int64_t> padded_of_row;   ///< sample * per_sample + position of each row
    std::vector<std::int64_t> row_of_padded;   ///< -1 for padding
};

struct TokenLayout {
    std::int64_t patches = 0;            ///< a picture; 0 without pictures
    std::int64_t images = 0, pairs = 0;  ///< samples
    std::int64_t rows = 0, vision_rows = 0;
    std::int64_t image_rows = 0;  ///< patches of single pictures: rows [0, image_rows)
    WordRows pair_words, words;
    std::vector<kernels::SequenceRows> sequences;
    /// For routing events. "single": without the pairs, as layers with a vision-language branch see it.
    std::vector<TokenBlock> vision_blocks, text_blocks, single_vision_blocks, single_text_blocks;
    /// int64 on the device: row in the padded blocks of each word; undefined when there is no padding.
    at::Tensor text_rows, single_text_rows;

    [[nodiscard]] std::int64_t pairRows() const { return pairs * patches + pair_words.count; }
};

/// What a token is to routers and losses that ask for more than its vector: int64 on the host, one a row. Undefined where nobody asks.
struct TokenNames {
    at::Tensor id_N;             ///< id of the word as the model sees it (a hidden one is the mask token), -1 for patches
    at::Tensor position_N;       ///< patch (row by row) or word within its sample
    at::Tensor modality_N = {};  ///< as es::Modality
    at::Tensor sequence_N = {};  ///< which sequence of the layout: patches and words of a pair are one

    /// Those of `count` rows from `begin`; undefined ones stay undefined.
    [[nodiscard]] TokenNames rows(std::int64_t begin, std::int64_t count) const;
};

/// `mask_token` is the id of a hidden word.
[[nodiscard]] TokenNames nameTokenRows(const Batch& batch, const TokenLayout& layout, std::int64_t mask_token);

/// Reads the shapes and `valid` masks of the batch. Throws c10::Error when the streams contradict each other.
[[nodiscard]] TokenLayout makeTokenLayout(const Batch& batch);

}  // namespace es::engine
