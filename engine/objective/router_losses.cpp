// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/router_losses.h"

namespace es::engine {

at::Tensor balanceLoss(const at::Tensor& probs_TE, const at::Tensor& counts_E, std::int64_t k) {
    const double tokens = static_cast<double>(probs_TE.size(0)), experts = static_cast<double>(probs_TE.size(1));
    // E · f_e / T at once, so that the mean over tokens is a sum.
    const at::Tensor factor_E = counts_E.detach().to(probs_TE.scalar_type()).mul(experts / (static_cast<double>(k) * tokens * tokens));
    return (probs_TE.sum(0) * factor_E).sum();
}

at::Tensor zLoss(const at::Tensor& logits_TE) { return logits_TE.logsumexp(1).square().mean(); }

}  // namespace es::engine
