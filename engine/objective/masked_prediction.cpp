// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/masked_prediction.h"

namespace es::engine {
namespace {

at::Tensor atLeastFp32(const at::Tensor& tensor) { return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat); }

}  // namespace

TokenLosses pixelLosses(const at::Tensor& predicted_MD, const at::Tensor& target_MD) {
    const at::Tensor predicted = atLeastFp32(predicted_MD);
    return {at::mse_loss(predicted, target_MD.to(predicted.scalar_type()), at::Reduction::None).mean(1), at::Tensor()};
}

TokenLosses classLosses(const at::Tensor& logits_MV, const at::Tensor& target_M) {
    const at::Tensor logits = atLeastFp32(logits_MV);
    TokenLosses losses;
    losses.loss_M = at::cross_entropy_loss(logits, target_M, {}, at::Reduction::None);
    const at::NoGradGuard no_grad;
    losses.correct_M = logits.detach().argmax(1).eq(target_M).to(at::kFloat);
    return losses;
}

at::Tensor sumBySample(const at::Tensor& value_M, const at::Tensor& sample_M, std::int64_t samples) {
    const at::NoGradGuard no_grad;
    return at::zeros({samples}, value_M.options().dtype(at::kFloat)).index_add_(0, sample_M, value_M.detach().to(at::kFloat));
}

}  // namespace es::engine
