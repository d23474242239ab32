// SPDX-License-Identifier: GPL-3.0-or-later
// Masked data modelling: what the heads predict at hidden positions, compared with what was there. M counted tokens, V vocabulary,
// D numbers a patch.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace es::engine {

/// Loss of each counted token, and what was right of it. Computed in fp32 (fp64 for fp64 input).
struct TokenLosses {
    at::Tensor loss_M;     ///< with gradient
    at::Tensor correct_M;  ///< 1 where the most likely word or code is the target, without gradient; undefined for pixels
};

/// Masked image modelling on pixels: mean squared error over the numbers of each patch (MAE, arXiv:2111.06377, with per-patch
/// normalised targets: the trivial predictor 0 has loss 1 up to the epsilon of the normalisation).
[[nodiscard]] TokenLosses pixelLosses(const at::Tensor& predicted_MD, const at::Tensor& target_MD);

/// Masked language modelling (BERT, arXiv:1810.04805) and masked image modelling on codes (BEiT, arXiv:2106.08254): cross entropy in nats.
[[nodiscard]] TokenLosses classLosses(const at::Tensor& logits_MV, const at::Tensor& target_M);

/// Sum over each sample's counted tokens (fp32, `samples` long) of `value_M`; `sample_M` int64 in [0, samples). No gradient.
[[nodiscard]] at::Tensor sumBySample(const at::Tensor& value_M, const at::Tensor& sample_M, std::int64_t samples);

}  // namespace es::engine
