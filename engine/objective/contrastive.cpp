// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/contrastive.h"

#include <cmath>

namespace es::engine {
namespace {

constexpr double kSmallestNorm = 1e-12;

at::Tensor wideEnough(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

}  // namespace

at::Tensor unitRows(const at::Tensor& x_BC) {
    const at::Tensor x = wideEnough(x_BC);
    // Under the root, so that a row of zeros has a gradient that is not NaN.
    return x / (x.square().sum(1, /*keepdim=*/true) + kSmallestNorm).sqrt();
}

ContrastiveLosses contrastiveLosses(const at::Tensor& vision_BC, const at::Tensor& text_BC, const at::Tensor& scale) {
    TORCH_CHECK(vision_BC.dim() == 2 && vision_BC.sizes() == text_BC.sizes(), "vectors of shape ", vision_BC.sizes(), " and ", text_BC.sizes());
    const at::Tensor logits_BB = scale * wideEnough(vision_BC).mm(wideEnough(text_BC).t());
    const at::Tensor own_B = at::arange(vision_BC.size(0), at::TensorOptions(at::kLong).device(vision_BC.device()));
    ContrastiveLosses out;
    out.loss_B =
        0.5 * (at::cross_entropy_loss(logits_BB, own_B, {}, at::Reduction::None) + at::cross_entropy_loss(logits_BB.t(), own_B, {}, at::Reduction::None));
    const at::NoGradGuard no_grad;
    const at::Tensor values_BB = logits_BB.detach();
    out.image_to_text_B = values_BB.argmax(1).eq(own_B).to(at::kFloat);
    out.text_to_image_B = values_BB.argmax(0).eq(own_B).to(at::kFloat);
    return out;
}

double contrastiveTrivialLoss(std::int64_t pairs) { return pairs > 0 ? std::log(static_cast<double>(pairs)) : 0; }

}  // namespace es::engine
