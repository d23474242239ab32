// SPDX-License-Identifier: GPL-3.0-or-later
#include <limits>

#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"
#include "engine/model/soft_moe.h"

namespace es::engine {
namespace {

constexpr double kNormEpsilon = 1e-6;

at::Tensor normed(const at::Tensor& x, std::int64_t dimension) { return x / (x.square().sum(dimension, /*keepdim=*/true) + kNormEpsilon).sqrt(); }

/// In double.
at::Tensor softLogits(const at::Tensor& hidden_TD, const at::Tensor& phi_DS, const at::Tensor& scale) {
    TORCH_CHECK(hidden_TD.dim() == 2 && phi_DS.dim() == 2 && hidden_TD.size(1) == phi_DS.size(0), "soft routing of hidden ", hidden_TD.sizes(), " and phi ",
                phi_DS.sizes());
    TORCH_CHECK(scale.dim() == 0, "scale has shape ", scale.sizes(), ", not 0-d");
    return widened(scale) * at::mm(normed(widened(hidden_TD), 1), normed(widened(phi_DS), 0));
}

}  // namespace

SoftRouting softRouting(const at::Tensor& hidden_TD, const at::Tensor& phi_DS, const at::Tensor& scale) {
    const at::ScalarType type = hidden_TD.scalar_type();
    const at::Tensor logits_TS = softLogits(hidden_TD, phi_DS, scale);
    return {logits_TS.to(type), logits_TS.softmax(0).to(type), logits_TS.softmax(1).to(type)};
}

GroupedSoftRouting softRoutingInGroups(const at::Tensor& hidden_TD, const at::Tensor& phi_DS, const at::Tensor& scale, const TokenGroups& groups) {
    const at::ScalarType type = hidden_TD.scalar_type();
    const at::Tensor logits_TS = softLogits(hidden_TD, phi_DS, scale);
    const at::Tensor padded_GLS = logits_TS.index_select(0, groups.row_GL.reshape({-1})).view({groups.row_GL.size(0), groups.row_GL.size(1), phi_DS.size(1)});
    // Every group has a token, so that no softmax is over padding alone.
    const at::Tensor dispatch_GLS = padded_GLS.masked_fill(groups.valid_GL.logical_not().unsqueeze(2), -std::numeric_limits<double>::infinity()).softmax(1);
    return {logits_TS.to(type), dispatch_GLS.to(type), logits_TS.softmax(1).to(type)};
}

}  // namespace es::engine
