// SPDX-License-Identifier: GPL-3.0-or-later
// Rules in which each token takes its best experts by softmax: top-k in three forms, cosine logits, top-p.
#include <cmath>

#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"
#include "engine/model/selection.h"

namespace es::engine {
namespace {

constexpr double kSmallestNorm = 1e-12;

/// Rows divided by max(norm, 1e-12).
at::Tensor unitRows(const at::Tensor& x_RP) { return x_RP / x_RP.norm(2, 1, /*keepdim=*/true).clamp_min(kSmallestNorm); }

}  // namespace

TokenChoice softmaxTopK(const at::Tensor& logits_TE, std::int64_t k, bool renormalize, const at::Tensor& chooser_TE) {
    TokenChoice choice;
    choice.logits_TE = logits_TE;
    choice.probs_TE = logits_TE.softmax(1);
    choice.indices_TK = selectTopK(chooser_TE.defined() ? chooser_TE : logits_TE, k);
    // Renormalised: the same quotient from the chosen logits alone, exact even where the probabilities underflow.
    choice.weights_TK = renormalize ? logits_TE.gather(1, choice.indices_TK).softmax(1) : choice.probs_TE.gather(1, choice.indices_TK);
    return choice;
}

TokenChoice topKSoftmax(const at::Tensor& logits_TE, std::int64_t k) { return softmaxTopK(logits_TE, k, /*renormalize=*/true); }

TokenChoice noisyTopK(const at::Tensor& logits_TE, const at::Tensor& noise_TE, std::int64_t k) {
    TORCH_CHECK(noise_TE.sizes() == logits_TE.sizes(), "noise has shape ", noise_TE.sizes(), ", logits ", logits_TE.sizes());
    return narrowed(softmaxTopK(widened(logits_TE) + widened(noise_TE), k, /*renormalize=*/false), logits_TE.scalar_type());
}

at::Tensor cosineLogits(const at::Tensor& hidden_TD, const at::Tensor& proj_PD, const at::Tensor& centroid_EP, double tau) {
    TORCH_CHECK(
        hidden_TD.dim() == 2 && proj_PD.dim() == 2 && centroid_EP.dim() == 2 && hidden_TD.size(1) == proj_PD.size(1) && proj_PD.size(0) == centroid_EP.size(1),
        "cosine logits of hidden ", hidden_TD.sizes(), ", projection ", proj_PD.sizes(), ", centroids ", centroid_EP.sizes());
    TORCH_CHECK(tau > 0 && std::isfinite(tau), "tau is ", tau);
    const at::Tensor low_TP = at::mm(widened(hidden_TD), widened(proj_PD).t());
    return (at::mm(unitRows(low_TP), unitRows(widened(centroid_EP)).t()) / tau).to(hidden_TD.scalar_type());
}

TopP topP(const at::Tensor& logits_TE, double p, std::int64_t max_k) {
    TORCH_CHECK(std::isfinite(p), "p is ", p);
    TopP result;
    TokenChoice& choice = result.choice;
    choice.logits_TE = logits_TE;
    choice.probs_TE = widened(logits_TE).softmax(1);
    const at::Tensor order_TK = selectTopK(logits_TE, max_k), sorted_TK = choice.probs_TE.gather(1, order_TK);
    result.counts_T = sorted_TK.detach().cumsum(1).lt(p).sum(1).add_(1).clamp_max_(max_k);
    const at::Tensor unused_TK = at::arange(max_k, result.counts_T.options()).unsqueeze(0).ge(result.counts_T.unsqueeze(1));
    choice.indices_TK = order_TK.masked_fill(unused_TK, -1);
    choice.weights_TK = sorted_TK.masked_fill(unused_TK, 0);
    choice = narrowed(std::move(choice), logits_TE.scalar_type());
    return result;
}

}  // namespace es::engine
