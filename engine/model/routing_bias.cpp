// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"
#include "engine/model/selection.h"

namespace es::engine {

at::Tensor updatedBias(const at::Tensor& counts_E, const at::Tensor& bias_E, double rate) {
    TORCH_CHECK(counts_E.dim() == 1 && counts_E.sizes() == bias_E.sizes(), "counts ", counts_E.sizes(), " and bias ", bias_E.sizes());
    const at::NoGradGuard no_grad;
    // In integers, so that an expert exactly at the mean is left alone.
    const at::Tensor below_mean_E = (counts_E.sum() - counts_E * counts_E.size(0)).sign();
    return (widened(bias_E) + widened(below_mean_E) * rate).to(bias_E.scalar_type());
}

at::Tensor quantileScores(const at::Tensor& logits_TE, const at::Tensor& bias_E) { return widened(logits_TE.detach()) - widened(bias_E.detach()); }

at::Tensor quantileBias(const at::Tensor& logits_TE, const at::Tensor& bias_E, std::int64_t k) {
    TORCH_CHECK(logits_TE.dim() == 2 && logits_TE.size(0) > 0 && bias_E.dim() == 1 && bias_E.size(0) == logits_TE.size(1), "logits ", logits_TE.sizes(),
                " and bias ", bias_E.sizes());
    const std::int64_t tokens = logits_TE.size(0), experts = logits_TE.size(1);
    TORCH_CHECK(k >= 1 && k < experts, "k is ", k, " of ", experts, " experts");
    const at::NoGradGuard no_grad;
    const at::Tensor wide_TE = widened(logits_TE), biased_TE = quantileScores(logits_TE, bias_E);
    const at::Tensor next_T1 = biased_TE.gather(1, selectTopK(biased_TE, k + 1).narrow(1, k, 1));
    const at::Tensor ascending_TE = std::get<0>((wide_TE - next_T1).sort(0));
    // The empirical quantile that leaves at most k T / E tokens above it.
    const std::int64_t rank = (tokens * (experts - k) + experts - 1) / experts;
    return ascending_TE.select(0, rank - 1).to(bias_E.scalar_type());
}

}  // namespace es::engine
