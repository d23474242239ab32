// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"
#include "engine/model/selection.h"

namespace es::engine {

ExpertChoice expertChoice(const at::Tensor& logits_TE, std::int64_t capacity) {
    TORCH_CHECK(logits_TE.dim() == 2 && capacity >= 1 && capacity <= logits_TE.size(0), "capacity is ", capacity, " for logits ", logits_TE.sizes());
    const at::Tensor probs_TE = widened(logits_TE).softmax(1), probs_ET = probs_TE.t().contiguous();
    ExpertChoice choice;
    choice.token_indices_EC = selectTopK(probs_ET, capacity);
    choice.weights_EC = probs_ET.gather(1, choice.token_indices_EC).to(logits_TE.scalar_type());
    choice.probs_TE = probs_TE.to(logits_TE.scalar_type());
    return choice;
}

}  // namespace es::engine
