// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/alignment_head.h"

#include <cmath>

#include "engine/objective/contrastive.h"

namespace es::engine {
namespace {

/// Sums over the `repeats` targets of each sample, which come as so many runs of all samples.
at::Tensor sumOfRuns(const at::Tensor& value_M, std::int64_t repeats) { return value_M.detach().to(at::kFloat).view({repeats, -1}).sum(0); }

ObjectiveResult resultOf(const at::Tensor& loss_M, const at::Tensor& correct_M, std::int64_t repeats) {
    ObjectiveResult result;
    result.loss = loss_M.mean();
    const at::NoGradGuard no_grad;
    result.sample_loss_sum_B = sumOfRuns(loss_M, repeats);
    result.sample_correct_B = sumOfRuns(correct_M, repeats);
    result.sample_targets_B = at::full_like(result.sample_loss_sum_B, static_cast<double>(repeats));
    return result;
}

}  // namespace

AlignmentHead::AlignmentHead(const AlignmentOptions& options) : options_(options) {
    const std::int64_t width = options.width;
    if (options.contrastive) {
        norm_v_ = register_module("norm_v", std::make_shared<LayerNorm>(width));
        norm_t_ = register_module("norm_t", std::make_shared<LayerNorm>(width));
        vision_DD_ = register_parameter("vision", at::zeros({width, width}));
        text_DD_ = register_parameter("text", at::zeros({width, width}));
        log_scale_ = register_parameter("log_scale", at::full({1}, std::log(1 / kFirstTemperature)));
    }
    if (options.matching) {
        norm_pair_v_ = register_module("norm_pair_v", std::make_shared<LayerNorm>(width));
        norm_pair_t_ = register_module("norm_pair_t", std::make_shared<LayerNorm>(width));
        pool_ = register_module("pool", std::make_shared<Linear>(2 * width, width));
        judge_ = register_module("judge", std::make_shared<Linear>(width, 1));
    }
}

void AlignmentHead::clampTemperature() {
    if (!options_.contrastive) return;
    const at::NoGradGuard no_grad;
    log_scale_.clamp_(std::log(1 / kHighestTemperature), std::log(1 / kLowestTemperature));
}

at::Tensor AlignmentHead::scale() const { return log_scale_.to(at::kFloat).exp(); }

AlignmentHead::Embedded AlignmentHead::embed(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const {
    TORCH_CHECK(options_.contrastive, "the model has no contrastive head");
    const AppendedRows rows = rowsAlone(layout, pairs);
    return {unitRows(at::linear(norm_v_->forward(meanOfSamples(x_ND, rows.pictures)), vision_DD_)),
            unitRows(at::linear(norm_t_->forward(meanOfSamples(x_ND, rows.captions)), text_DD_))};
}

at::Tensor AlignmentHead::logits(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const {
    const Embedded embedded = embed(x_ND, layout, pairs);
    return scale() * embedded.vision_BD.mm(embedded.text_BD.t());
}

AlignmentResult AlignmentHead::contrast(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const {
    const Embedded embedded = embed(x_ND, layout, pairs);
    const at::Tensor scale_1 = scale();
    const ContrastiveLosses losses = contrastiveLosses(embedded.vision_BD, embedded.text_BD, scale_1);
    AlignmentResult out{resultOf(losses.loss_B, 0.5 * (losses.image_to_text_B + losses.text_to_image_B), 1), {}};
    const at::NoGradGuard no_grad;
    out.figures = {{"contrastive/accuracy_image_to_text", losses.image_to_text_B.mean()},
                   {"contrastive/accuracy_text_to_image", losses.text_to_image_B.mean()},
                   {"contrastive/temperature", scale_1.detach().reciprocal().squeeze(0)}};
    return out;
}

AlignmentResult AlignmentHead::match(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const {
    TORCH_CHECK(options_.matching, "the model has no matching head");
    const AppendedRows rows = rowsJudged(layout, 3 * pairs);
    const at::Tensor means_MD =
        at::cat({norm_pair_v_->forward(meanOfSamples(x_ND, rows.pictures)), norm_pair_t_->forward(meanOfSamples(x_ND, rows.captions))}, 1);
    const MatchingLosses losses = matchingLosses(judge_->forward(pool_->forward(means_MD).tanh()).squeeze(1));
    return {resultOf(losses.loss_M, losses.correct_M, 3), {{"matching/accuracy", losses.correct_M.mean()}}};
}

AlignmentParameters alignmentParameters(const AlignmentOptions& options) {
    const std::int64_t width = options.width;
    AlignmentParameters count;
    if (options.contrastive) {
        count.head += 2 * width * width + 1;
        count.norms += 4 * width;
    }
    if (options.matching) {
        count.head += 2 * width * width + width + width + 1;
        count.norms += 4 * width;
    }
    return count;
}

}  // namespace es::engine
