// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/router_losses.h"

#include <cmath>
#include <numbers>

#include "engine/model/selection.h"
#include "engine/objective/label_groups.h"

namespace es::engine {
namespace {

constexpr double kSmallestSquare = 1e-300;

/// (std / mean)^2, population; `value_E` in double. Written with squares alone, so that perfect balance has gradient 0 and not 0/0.
at::Tensor squaredVariation(const at::Tensor& value_E) {
    const at::Tensor mean = value_E.mean();
    return (value_E - mean).square().mean() / mean.square().clamp_min(kSmallestSquare);
}

}  // namespace

at::Tensor countChoices(const at::Tensor& indices_TK, std::int64_t experts) {
    const at::NoGradGuard no_grad;
    const at::Tensor counts = at::bincount(indices_TK.reshape({-1}).clamp_min(-1) + 1, {}, experts + 1);
    TORCH_CHECK_INDEX(counts.size(0) == experts + 1, "expert ", counts.size(0) - 2, " of ", experts);
    return counts.narrow(0, 1, experts);
}

at::Tensor balanceLoss(const at::Tensor& probs_TE, const at::Tensor& counts_E, std::int64_t k) {
    const double tokens = static_cast<double>(probs_TE.size(0)), experts = static_cast<double>(probs_TE.size(1));
    // E · f_e / T at once, so that the mean over tokens is a sum.
    const at::Tensor factor_E = counts_E.detach().to(probs_TE.scalar_type()).mul(experts / (static_cast<double>(k) * tokens * tokens));
    return (probs_TE.sum(0) * factor_E).sum();
}

at::Tensor unnormalizedBalanceLoss(const at::Tensor& probs_TE, const at::Tensor& counts_E) { return balanceLoss(probs_TE, counts_E, 1); }

at::Tensor gshardLoss(const at::Tensor& probs_TE, const at::Tensor& indices_TK) {
    return unnormalizedBalanceLoss(probs_TE, countChoices(indices_TK.select(1, 0), probs_TE.size(1)));
}

at::Tensor importanceLoss(const at::Tensor& probs_TE) { return squaredVariation(probs_TE.to(at::kDouble).sum(0)).to(probs_TE.scalar_type()); }

at::Tensor loadLoss(const at::Tensor& logits_TE, const at::Tensor& noise_TE, std::int64_t k, double sigma) {
    TORCH_CHECK(noise_TE.sizes() == logits_TE.sizes(), "noise has shape ", noise_TE.sizes(), ", logits ", logits_TE.sizes());
    TORCH_CHECK(sigma > 0 && std::isfinite(sigma), "sigma is ", sigma);
    const at::Tensor wide_TE = logits_TE.to(at::kDouble), noisy_TE = wide_TE + noise_TE.to(at::kDouble);
    const at::Tensor threshold_T1 = noisy_TE.gather(1, selectTopK(noisy_TE, k).narrow(1, k - 1, 1));
    // 1 - Φ(u) = erfc(u / √2) / 2, without cancellation.
    const at::Tensor chance_TE = at::erfc((threshold_T1 - wide_TE) * (1 / (sigma * std::numbers::sqrt2))) * 0.5;
    return squaredVariation(chance_TE.mean(0)).to(logits_TE.scalar_type());
}

// In double: exp(z - logsumexp) of the gradient would carry the fp32 rounding of a large logsumexp.
at::Tensor zLoss(const at::Tensor& logits_TE) { return logits_TE.to(at::kDouble).logsumexp(1).square().mean().to(logits_TE.scalar_type()); }

at::Tensor sequenceBalanceLoss(const at::Tensor& probs_TE, const at::Tensor& indices_TK, const at::Tensor& sequence_T) {
    const std::int64_t experts = probs_TE.size(1), k = indices_TK.size(1);
    TORCH_CHECK(indices_TK.size(0) == probs_TE.size(0), "indices ", indices_TK.sizes(), " for probabilities ", probs_TE.sizes());
    const LabelGroups groups = groupByLabel(sequence_T, probs_TE.size(0));
    if (groups.count == 0) return probs_TE.sum() * 0;
    const at::Tensor indices_NK = indices_TK.index_select(0, groups.rows_N);
    TORCH_CHECK_INDEX(indices_NK.max().item<std::int64_t>() < experts, "an index is not below ", experts);
    // Experts of each sequence numbered through; 0 takes those that are no choice.
    const at::Tensor numbered_NK = (groups.group_N.unsqueeze(1) * experts + indices_NK + 1).masked_fill(indices_NK.lt(0), 0);
    const at::Tensor counts_ME =
        at::bincount(numbered_NK.reshape({-1}), {}, groups.count * experts + 1).narrow(0, 1, groups.count * experts).view({groups.count, experts});
    const at::Tensor share_ME = counts_ME / (groups.sizes_M.unsqueeze(1) * static_cast<double>(k));
    const at::Tensor mean_ME = groups.meanOf(probs_TE.to(at::kDouble));
    return ((share_ME * mean_ME).sum(1).mean() * static_cast<double>(experts)).to(probs_TE.scalar_type());
}

}  // namespace es::engine
