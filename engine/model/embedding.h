// SPDX-License-Identifier: GPL-3.0-or-later
// Patches and words become token vectors: content or mask token, plus learned position, plus modality. D width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "engine/data/batch.h"
#include "engine/model/linear.h"
#include "engine/model/token_layout.h"

namespace es::engine {

struct EmbeddingSizes {
    std::int64_t width = 0;
    std::int64_t patch_numbers = 0;  ///< numbers a patch: patch * patch * 3
    std::int64_t patches = 0, max_words = 0;
    std::int64_t vocabulary = 0;  ///< without the mask token, whose id it is
};

class Embedding : public torch::nn::Module {
public:
    explicit Embedding(const EmbeddingSizes& sizes);
    /// Token vectors in the rows of `layout`. Throws c10::Error when the batch does not fit the sizes or a word id is out of range.
    [[nodiscard]] at::Tensor forward(const Batch& batch, const TokenLayout& layout) const;

private:
    [[nodiscard]] at::Tensor embedPatches(const Batch& batch, const TokenLayout& layout) const;
    [[nodiscard]] at::Tensor embedWords(const Batch& batch, const TokenLayout& layout) const;

    EmbeddingSizes sizes_;
    std::shared_ptr<Linear> patch_;
    at::Tensor mask_patch_D_, word_VD_, position_v_PD_, position_t_LD_, modality_2D_;
};

}  // namespace es::engine
