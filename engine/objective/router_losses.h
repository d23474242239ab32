// SPDX-License-Identifier: GPL-3.0-or-later
// Losses that keep routers balanced, decisive and their logits small. Unscaled 0-d tensors with gradient to the logits or probabilities;
// counts carry none. T tokens, E experts, K choices. An index of -1 is no choice, a modality or sequence of -1 leaves the token out. T > 0.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace es::engine {

/// n_e (int64): choices of each expert.
[[nodiscard]] at::Tensor countChoices(const at::Tensor& indices_TK, std::int64_t experts);

/// E * sum_e f_e P_e with f_e = n_e / (k T) and P_e = mean_t p: 1 at perfect balance whatever k (Switch, arXiv:2101.03961 eq. 4, normalised
/// by k as in Megatron and MegaBlocks). With k = 1 it is Switch's.
[[nodiscard]] at::Tensor balanceLoss(const at::Tensor& probs_TE, const at::Tensor& counts_E, std::int64_t k);
/// E * sum_e (n_e / T) P_e: k at balance (flaxformer, Hugging Face Mixtral).
[[nodiscard]] at::Tensor unnormalizedBalanceLoss(const at::Tensor& probs_TE, const at::Tensor& counts_E);
/// E^2 * mean_e(c_e P_e), c_e the share of tokens whose first choice is e (GShard, arXiv:2006.16668, as V-MoE, Tutel and torchscale code it).
[[nodiscard]] at::Tensor gshardLoss(const at::Tensor& probs_TE, const at::Tensor& indices_TK);
/// (std / mean)^2 over experts of sum_t p, population variance (V-MoE, arXiv:2106.05974 app. A). Gradient 0 at perfect balance.
[[nodiscard]] at::Tensor importanceLoss(const at::Tensor& probs_TE);
/// V-MoE's load loss: with thr_t the k-th largest of logits + noise, q = 1 - Phi((thr_t - logits) / sigma), (std / mean)^2 of mean_t q.
/// Gradient flows through the threshold too.
[[nodiscard]] at::Tensor loadLoss(const at::Tensor& logits_TE, const at::Tensor& noise_TE, std::int64_t k, double sigma);
/// mean_t (log sum_e exp z)^2 (ST-MoE, arXiv:2202.08906 eq. 5).
[[nodiscard]] at::Tensor zLoss(const at::Tensor& logits_TE);
/// Mean over the modalities present of mean_t H(p_t) (LIMoE, arXiv:2206.02770 eq. 4). `modality_T` int64.
[[nodiscard]] at::Tensor localEntropyLoss(const at::Tensor& probs_TE, const at::Tensor& modality_T);
/// Mean over the modalities present of max(0, tau - H(mean_t p_t)) (LIMoE eq. 5, thresholded).
[[nodiscard]] at::Tensor globalEntropyLoss(const at::Tensor& probs_TE, const at::Tensor& modality_T, double tau);
/// balanceLoss within each sequence, averaged over the sequences (DeepSeek-V3, arXiv:2412.19437 eq. 17-20). `sequence_T` int64.
[[nodiscard]] at::Tensor sequenceBalanceLoss(const at::Tensor& probs_TE, const at::Tensor& indices_TK, const at::Tensor& sequence_T);

}  // namespace es::engine
