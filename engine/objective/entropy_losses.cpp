// SPDX-License-Identifier: GPL-3.0-or-later
// LIMoE's losses by modality (arXiv:2206.02770), in nats.
#include "engine/objective/label_groups.h"
#include "engine/objective/router_losses.h"

namespace es::engine {
namespace {

/// H of each row of the last dimension. Where p is 0 a constant 1 stands in: value and gradient 0 instead of 0 · ∞.
at::Tensor entropyOfRows(const at::Tensor& p) {
    const at::Tensor safe = at::where(p.gt(0), p, at::ones({}, p.options()));
    return -(safe * safe.log()).sum(-1);
}

}  // namespace

at::Tensor localEntropyLoss(const at::Tensor& probs_TE, const at::Tensor& modality_T) {
    const LabelGroups groups = groupByLabel(modality_T, probs_TE.size(0));
    if (groups.count == 0) return probs_TE.sum() * 0;
    return groups.meanOf(entropyOfRows(probs_TE.to(at::kDouble))).mean().to(probs_TE.scalar_type());
}

at::Tensor globalEntropyLoss(const at::Tensor& probs_TE, const at::Tensor& modality_T, double tau) {
    const LabelGroups groups = groupByLabel(modality_T, probs_TE.size(0));
    if (groups.count == 0) return probs_TE.sum() * 0;
    return (tau - entropyOfRows(groups.meanOf(probs_TE.to(at::kDouble)))).relu().mean().to(probs_TE.scalar_type());
}

}  // namespace es::engine
