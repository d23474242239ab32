// SPDX-License-Identifier: GPL-3.0-or-later
// Losses that keep routers balanced and their logits small. Unscaled 0-d tensors with gradient. T tokens, E experts.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace es::engine {

/// E · Σ_e f_e · P_e with f_e = n_e / (k · T) and P_e = mean_t p_{t,e}: 1 at perfect balance whatever k (Switch, arXiv:2101.03961 eq. 4,
/// normalised by k). The counts carry no gradient. Needs T > 0.
[[nodiscard]] at::Tensor balanceLoss(const at::Tensor& probs_TE, const at::Tensor& counts_E, std::int64_t k);

/// mean_t (log Σ_e exp z_{t,e})² (ST-MoE, arXiv:2202.08906 eq. 5). Needs T > 0.
[[nodiscard]] at::Tensor zLoss(const at::Tensor& logits_TE);

}  // namespace es::engine
