// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/selection.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace es::engine {
namespace {

constexpr std::int64_t kGrainElements = 32768;

template <class T>
void selectRow(const T* scores, std::int64_t experts, std::int64_t k, std::int64_t* indices) {
    for (std::int64_t j = 0; j < k; ++j) {
        std::int64_t best = -1;
        for (std::int64_t e = 0; e < experts; ++e) {
            if (std::find(indices, indices + j, e) != indices + j) continue;
            // Written so that a NaN in `best` gives way to a number and a NaN candidate never wins over one.
            if (best < 0 || scores[e] > scores[best] || (scores[best] != scores[best] && scores[e] == scores[e])) best = e;
        }
        indices[j] = best;
    }
}

}  // namespace

at::Tensor selectTopK(const at::Tensor& scores_TE, std::int64_t k) {
    const at::NoGradGuard no_grad;
    TORCH_CHECK(scores_TE.dim() == 2 && k >= 1 && k <= scores_TE.size(1), "selectTopK: k = ", k, " of scores ", scores_TE.sizes());
    const std::int64_t tokens = scores_TE.size(0), experts = scores_TE.size(1);
    // Many choices of many experts: sorting beats scanning once for each choice.
    if (!scores_TE.is_cpu() || k > 16) return std::get<1>(scores_TE.detach().sort(/*stable=*/true, 1, /*descending=*/true)).narrow(1, 0, k).contiguous();
    const at::Tensor scores = scores_TE.detach().contiguous();
    at::Tensor indices_TK = at::empty({tokens, k}, scores.options().dtype(at::kLong));
    AT_DISPATCH_FLOATING_TYPES(scores.scalar_type(), "selectTopK", [&] {
        const scalar_t* source = scores.const_data_ptr<scalar_t>();
        std::int64_t* target = indices_TK.data_ptr<std::int64_t>();
        at::parallel_for(0, tokens, std::max<std::int64_t>(1, kGrainElements / (experts * k)), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t t = begin; t < end; ++t) selectRow(source + t * experts, experts, k, target + t * k);
        });
    });
    return indices_TK;
}

}  // namespace es::engine
