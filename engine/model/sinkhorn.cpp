// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>

#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"
#include "engine/model/selection.h"

namespace es::engine {
namespace {

/// Scores whose logarithms differ by less count as equal: what is equal by symmetry comes out of sums in another order, with other last bits.
constexpr double kSameLogarithm = 1e-9;

/// mean |exp(b) - exp(a)|, 0 where a equals b even if exp overflows.
double meanChange(const at::Tensor& a_E, const at::Tensor& b_E) {
    const at::Tensor change = at::maximum(a_E, b_E).exp() * -at::expm1(-(b_E - a_E).abs());
    return change.masked_fill(a_E.eq(b_E), 0).mean().item<double>();
}

/// log d1: one factor an expert, such that the columns of K · d1 · d0 are balanced. Logarithms, because K spans e^±1000 for logits of ±500.
at::Tensor logColumnFactors(const at::Tensor& logits_TE, const SinkhornOptions& options) {
    const double log_tokens = std::log(static_cast<double>(logits_TE.size(0))), log_experts = std::log(static_cast<double>(logits_TE.size(1)));
    at::Tensor log_d1_E = at::zeros({logits_TE.size(1)}, logits_TE.options());
    for (std::int64_t round = 0; round < options.max_iterations; ++round) {
        const at::Tensor log_d0_T = -((logits_TE + log_d1_E).logsumexp(1) + log_tokens);
        const at::Tensor next_E = -((logits_TE + log_d0_T.unsqueeze(1)).logsumexp(0) + log_experts);
        const double change = meanChange(log_d1_E, next_E);
        log_d1_E = next_E;
        if (change <= options.tolerance) break;
    }
    return log_d1_E;
}

}  // namespace

TokenChoice sinkhornTopK(const at::Tensor& logits_TE, const SinkhornOptions& options) {
    TORCH_CHECK(logits_TE.dim() == 2 && logits_TE.size(0) > 0, "logits have shape ", logits_TE.sizes());
    TORCH_CHECK(options.max_iterations >= 0 && !(options.tolerance < 0), "tolerance is ", options.tolerance, ", max_iterations ", options.max_iterations);
    TokenChoice choice;
    choice.logits_TE = logits_TE;
    choice.probs_TE = options.k == 1 ? logits_TE.sigmoid() : logits_TE.softmax(1);
    const at::Tensor wide_TE = widened(logits_TE.detach());
    // d0 is common to a token's experts and cannot change their order.
    if (options.max_iterations == 0) choice.indices_TK = selectTopK(wide_TE, options.k);
    else choice.indices_TK = selectTopK(((wide_TE + logColumnFactors(wide_TE, options)) / kSameLogarithm).round(), options.k);
    choice.weights_TK = choice.probs_TE.gather(1, choice.indices_TK);
    return choice;
}

}  // namespace es::engine
