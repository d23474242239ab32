// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"

namespace es::engine {
namespace {

constexpr double kNormEpsilon = 1e-6;

at::Tensor normed(const at::Tensor& x, std::int64_t dimension) { return x / (x.square().sum(dimension, /*keepdim=*/true) + kNormEpsilon).sqrt(); }

}  // namespace

SoftRouting softRouting(const at::Tensor& hidden_TD, const at::Tensor& phi_DS, const at::Tensor& scale) {
    TORCH_CHECK(hidden_TD.dim() == 2 && phi_DS.dim() == 2 && hidden_TD.size(1) == phi_DS.size(0), "soft routing of hidden ", hidden_TD.sizes(), " and phi ",
                phi_DS.sizes());
    TORCH_CHECK(scale.dim() == 0, "scale has shape ", scale.sizes(), ", not 0-d");
    const at::ScalarType type = hidden_TD.scalar_type();
    const at::Tensor logits_TS = widened(scale) * at::mm(normed(widened(hidden_TD), 1), normed(widened(phi_DS), 0));
    return {logits_TS.to(type), logits_TS.softmax(0).to(type), logits_TS.softmax(1).to(type)};
}

}  // namespace es::engine
