// SPDX-License-Identifier: GPL-3.0-or-later
// Rules compute in double and answer in the precision they were given: near ±500 an fp32 sum or quotient of logits loses the digits that
// decide, and small fp32 probabilities underflow to false ties.
#pragma once

#include <ATen/ATen.h>

#include "engine/model/routing_rules.h"

namespace es::engine {

[[nodiscard]] inline at::Tensor widened(const at::Tensor& x) { return x.to(at::kDouble); }

[[nodiscard]] inline TokenChoice narrowed(TokenChoice choice, at::ScalarType type) {
    choice.logits_TE = choice.logits_TE.to(type);
    choice.probs_TE = choice.probs_TE.to(type);
    choice.weights_TK = choice.weights_TK.to(type);
    return choice;
}

}  // namespace es::engine
