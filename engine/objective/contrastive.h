// SPDX-License-Identifier: GPL-3.0-or-later
// Contrastive learning of pictures and captions (CLIP, arXiv:2103.00020; VLMo's image-text contrast, arXiv:2111.02358). B pairs, C numbers a vector.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace es::engine {

struct ContrastiveLosses {
    at::Tensor loss_B;           ///< with gradient: mean of both directions' cross entropies of each pair, nats
    at::Tensor image_to_text_B;  ///< fp32, no gradient: 1 where the picture's own caption is the most similar one
    at::Tensor text_to_image_B;  ///< the same for the caption's own picture
};

/// x / |x| of each row, computed in at least fp32; a row of zeros stays zero.
[[nodiscard]] at::Tensor unitRows(const at::Tensor& x_BC);

/// Softmax cross entropy of each picture over all captions and of each caption over all pictures, logits `scale` times the dot products (the
/// cosines, for unit vectors). `scale` is 0-d or {1} and may carry gradient; 1 / scale is the temperature. Among equals the first is found.
[[nodiscard]] ContrastiveLosses contrastiveLosses(const at::Tensor& vision_BC, const at::Tensor& text_BC, const at::Tensor& scale);

/// What guessing without looking costs: log B nats.
[[nodiscard]] double contrastiveTrivialLoss(std::int64_t pairs);

}  // namespace es::engine
