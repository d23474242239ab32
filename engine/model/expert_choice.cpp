// SPDX-License-Identifier: GPL-3.0-or-later
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"
#include "engine/model/selection.h"

namespace es::engine {
namespace {

constexpr std::int64_t kGrainTerms = 8192;

/// Probabilities (E x T) to choose by, without gradient. On the CPU the terms of a token's sum are added in the order of their size, so that
/// tokens whose logits are the same numbers in another order are equally likely to the last bit, and tie.
at::Tensor comparableSoftmax(const at::Tensor& wide_TE) {
    if (!wide_TE.is_cpu()) return wide_TE.detach().softmax(1).t().contiguous();
    const at::Tensor source = wide_TE.detach().contiguous();
    const std::int64_t tokens = source.size(0), experts = source.size(1);
    at::Tensor probs_ET = at::empty({experts, tokens}, source.options());
    const double* from = source.const_data_ptr<double>();
    double* to = probs_ET.mutable_data_ptr<double>();
    at::parallel_for(0, tokens, std::max<std::int64_t>(1, kGrainTerms / experts), [&](std::int64_t begin, std::int64_t end) {
        std::vector<double> terms(static_cast<std::size_t>(experts)), ascending;
        for (std::int64_t t = begin; t < end; ++t) {
            const double largest = *std::max_element(from + t * experts, from + (t + 1) * experts);
            for (std::size_t e = 0; e < terms.size(); ++e) terms[e] = std::exp(from[t * experts + static_cast<std::int64_t>(e)] - largest);
            ascending = terms;
            std::ranges::sort(ascending);
            double sum = 0;
            for (const double term : ascending) sum += term;
            for (std::size_t e = 0; e < terms.size(); ++e) to[static_cast<std::int64_t>(e) * tokens + t] = terms[e] / sum;
        }
    });
    return probs_ET;
}

}  // namespace

ExpertChoice expertChoice(const at::Tensor& logits_TE, std::int64_t capacity) {
    TORCH_CHECK(logits_TE.dim() == 2 && capacity >= 1 && capacity <= logits_TE.size(0), "capacity is ", capacity, " for logits ", logits_TE.sizes());
    const at::Tensor wide_TE = widened(logits_TE), probs_TE = wide_TE.softmax(1);
    ExpertChoice choice;
    choice.token_indices_EC = selectTopK(comparableSoftmax(wide_TE), capacity);
    choice.weights_EC = probs_TE.t().gather(1, choice.token_indices_EC).to(logits_TE.scalar_type());
    choice.probs_TE = probs_TE.to(logits_TE.scalar_type());
    return choice;
}

}  // namespace es::engine
