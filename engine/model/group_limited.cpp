// SPDX-License-Identifier: GPL-3.0-or-later
// Rules that choose by a score with bias and weigh with the score alone (DeepSeek-V2 and V3): sigmoid top-k, and top-k within the best groups.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/model/routing_rules.h"
#include "engine/model/rule_precision.h"
#include "engine/model/selection.h"

namespace es::engine {
namespace {

constexpr double kNormaliser = 1e-20;
constexpr std::int64_t kGrainScores = 8192;

/// Sigmoids to choose by, without gradient. On the CPU one by one: ATen's vectors and their scalar remainders round differently, and equal
/// logits would be no tie.
at::Tensor comparableSigmoid(const at::Tensor& wide_TE) {
    if (!wide_TE.is_cpu()) return wide_TE.detach().sigmoid();
    const at::Tensor source = wide_TE.detach().contiguous();
    at::Tensor score_TE = at::empty_like(source);
    const double* from = source.const_data_ptr<double>();
    double* to = score_TE.mutable_data_ptr<double>();
    at::parallel_for(0, source.numel(), kGrainScores, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) to[i] = 1.0 / (1.0 + std::exp(-from[i]));
    });
    return score_TE;
}

at::Tensor withBias(const at::Tensor& score_TE, const at::Tensor& bias_E) {
    if (!bias_E.defined()) return score_TE;
    TORCH_CHECK(bias_E.dim() == 1 ? bias_E.size(0) == score_TE.size(1) : bias_E.sizes() == score_TE.sizes(), "bias has shape ", bias_E.sizes(), " for ",
                score_TE.size(1), " experts");
    return score_TE + widened(bias_E.detach());
}

/// Gates of the chosen from their scores; `score_TE` in double.
TokenChoice weighed(const at::Tensor& logits_TE, const at::Tensor& score_TE, const at::Tensor& indices_TK, bool normalize, double scale) {
    TokenChoice choice{logits_TE, score_TE, indices_TK, score_TE.gather(1, indices_TK)};
    if (normalize) choice.weights_TK = choice.weights_TK / (choice.weights_TK.sum(1, /*keepdim=*/true) + kNormaliser);
    if (scale != 1.0) choice.weights_TK = choice.weights_TK * scale;
    return narrowed(std::move(choice), logits_TE.scalar_type());
}

/// `chooser_TE` with the experts of all but the best groups at minus infinity. `some_forbidden`: some of it is already.
at::Tensor withinBestGroups(const at::Tensor& chooser_TE, const GroupLimitedOptions& options, bool some_forbidden) {
    const std::int64_t tokens = chooser_TE.size(0), experts = chooser_TE.size(1), size = experts / options.groups;
    const at::Tensor grouped_TGS = chooser_TE.view({tokens, options.groups, size});
    const std::int64_t counted = options.group_score == GroupScore::kMax ? 1 : std::min<std::int64_t>(2, size);
    at::Tensor best_TGC = std::get<0>(grouped_TGS.topk(counted, 2));
    if (some_forbidden && counted == 2) {
        // A group in which one expert is allowed counts as a group of one.
        const at::Tensor second_TG1 = best_TGC.narrow(2, 1, 1);
        best_TGC = at::cat({best_TGC.narrow(2, 0, 1), second_TG1.masked_fill(second_TG1.isneginf(), 0)}, 2);
    }
    const at::Tensor score_TG = best_TGC.sum(2);
    const at::Tensor kept = selectTopK(score_TG, options.groups_kept);
    const at::Tensor rejected_TG = at::ones({tokens, options.groups}, kept.options().dtype(at::kBool)).scatter_(1, kept, false);
    return grouped_TGS.masked_fill(rejected_TG.unsqueeze(2), -std::numeric_limits<double>::infinity()).view({tokens, experts});
}

}  // namespace

TokenChoice sigmoidTopK(const at::Tensor& logits_TE, const at::Tensor& bias_E, const SigmoidOptions& options, const at::Tensor& chooser_TE) {
    const at::Tensor wide_TE = widened(logits_TE);
    const at::Tensor indices_TK = selectTopK(chooser_TE.defined() ? chooser_TE : withBias(comparableSigmoid(wide_TE), bias_E), options.k);
    return weighed(logits_TE, wide_TE.sigmoid(), indices_TK, options.normalize, options.scale);
}

TokenChoice groupLimitedTopK(const at::Tensor& logits_TE, const at::Tensor& bias_E, const GroupLimitedOptions& options) {
    TORCH_CHECK(logits_TE.dim() == 2, "logits have shape ", logits_TE.sizes());
    const std::int64_t experts = logits_TE.size(1);
    TORCH_CHECK(options.groups >= 1 && experts % options.groups == 0, options.groups, " groups do not divide ", experts, " experts");
    TORCH_CHECK(options.groups_kept >= 1 && options.groups_kept <= options.groups, "groups_kept is ", options.groups_kept, " of ", options.groups);
    TORCH_CHECK(options.k >= 1 && options.k <= options.groups_kept * (experts / options.groups), "k is ", options.k, ", but ", options.groups_kept,
                " groups have ", options.groups_kept * (experts / options.groups), " experts");
    const at::Tensor wide_TE = widened(logits_TE);
    const bool softmax = options.score == ScoreFunction::kSoftmax;
    const at::Tensor score_TE = softmax ? wide_TE.softmax(1) : wide_TE.sigmoid();
    const at::Tensor chooser_TE = withBias(softmax ? score_TE.detach() : comparableSigmoid(wide_TE), bias_E).contiguous();
    const at::Tensor allowed_TE = withinBestGroups(chooser_TE, options, bias_E.defined() && bias_E.dim() == 2);
    return weighed(logits_TE, score_TE, selectTopK(allowed_TE, options.k), options.normalize, options.scale);
}

}  // namespace es::engine
