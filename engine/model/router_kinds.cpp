// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/router_kinds.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/random.h"
#include "engine/model/selection.h"
#include "engine/model/token_dispatcher.h"

namespace es::engine {
namespace {

RouterOutput bySoftmax(TokenChoice choice, const at::Tensor& clean_logits_TE) { return {std::move(choice), clean_logits_TE, true}; }
RouterOutput bySigmoid(TokenChoice choice, const at::Tensor& clean_logits_TE) { return {std::move(choice), clean_logits_TE, false}; }

RandomStream drawsOf(const RouterOptions& options, const RouterCall& call) {
    return RandomStream(options.seed, RandomPurpose::kRouterNoise, static_cast<std::uint64_t>(call.step), static_cast<std::uint32_t>(call.micro_batch));
}

/// Normal noise of deviation noise / E. Drawn on the host, so that every device gets the same.
at::Tensor drawNoise(const at::Tensor& logits_TE, const RouterOptions& options, const RouterCall& call) {
    RandomStream random = drawsOf(options, call);
    const double deviation = options.noise / static_cast<double>(options.experts);
    at::Tensor noise_TE = at::empty(logits_TE.sizes(), at::kDouble);
    double* noise = noise_TE.mutable_data_ptr<double>();
    for (std::int64_t i = 0; i < noise_TE.numel(); ++i) noise[i] = random.normal() * deviation;
    return noise_TE.to(logits_TE.device(), logits_TE.scalar_type());
}

/// What the choice is made by where quantiles balance; undefined: by the rule's own scores.
at::Tensor chooserOf(const at::Tensor& z_TE, const RouterCall& call) {
    if (!call.quantile_E.defined()) return {};
    const at::Tensor score_TE = quantileScores(z_TE, call.quantile_E);
    return call.choice_TE.defined() ? score_TE + call.choice_TE : score_TE;
}

RouterOutput softmaxTopKRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    return bySoftmax(softmaxTopK(z_TE, o.k, o.renormalize, chooserOf(z_TE, call)), z_TE);
}

RouterOutput topKSoftmaxRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    return bySoftmax(softmaxTopK(z_TE, o.k, /*renormalize=*/true, chooserOf(z_TE, call)), z_TE);
}

RouterOutput noisyTopKRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    if (!call.training || o.noise == 0) return bySoftmax(softmaxTopK(z_TE, o.k, /*renormalize=*/false), z_TE);
    const at::Tensor noise_TE = drawNoise(z_TE, o, call);
    RouterOutput output = bySoftmax(noisyTopK(z_TE, noise_TE, o.k), z_TE);
    output.noise_TE = noise_TE;
    return output;
}

RouterOutput sigmoidTopKRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    return bySigmoid(sigmoidTopK(z_TE, call.bias_E, {o.k, o.renormalize, o.gate_scale}, chooserOf(z_TE, call)), z_TE);
}

RouterOutput groupLimitedRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    TokenChoice choice = groupLimitedTopK(z_TE, call.bias_E, {o.k, o.groups, o.groups_kept, o.group_score, o.score, o.renormalize, o.gate_scale});
    return o.score == ScoreFunction::kSoftmax ? bySoftmax(std::move(choice), z_TE) : bySigmoid(std::move(choice), z_TE);
}

RouterOutput cosineRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall&) {
    return bySoftmax(softmaxTopK(z_TE, o.k, /*renormalize=*/false), z_TE);
}

RouterOutput sinkhornRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    TokenChoice choice = sinkhornTopK(z_TE, {o.k, o.sinkhorn_tolerance, call.training ? o.sinkhorn_rounds : 0});
    return o.k == 1 ? bySigmoid(std::move(choice), z_TE) : bySoftmax(std::move(choice), z_TE);
}

RouterOutput topPRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall&) { return bySoftmax(topP(z_TE, o.top_p, o.k).choice, z_TE); }

/// The experts' choice seen from the tokens: for each token the experts that took it, best first, then -1. As wide as the token that most
/// experts took needs.
RouterOutput expertChoiceRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    const std::int64_t capacity = capacityOf(call.training ? o.capacity_factor : o.capacity_factor_eval, o.k, z_TE.size(0), o.experts);
    const ExpertChoice taken = expertChoice(z_TE, capacity);
    at::Tensor taken_TE = at::zeros(z_TE.sizes(), z_TE.options().dtype(at::kBool)).scatter_(0, taken.token_indices_EC.t(), true);
    // A forbidden expert would take any tokens, for gates of 0.
    if (call.choice_TE.defined()) taken_TE.logical_and_(z_TE.isneginf().logical_not());
    const std::int64_t width = std::max<std::int64_t>(1, taken_TE.sum(1).max().item<std::int64_t>());
    const at::Tensor order_TK = selectTopK(taken.probs_TE.detach().masked_fill(taken_TE.logical_not(), -1), width);
    const at::Tensor unused_TK = taken_TE.gather(1, order_TK).logical_not();
    TokenChoice choice{z_TE, taken.probs_TE, order_TK.masked_fill(unused_TK, -1), taken.probs_TE.gather(1, order_TK).masked_fill(unused_TK, 0)};
    return bySoftmax(std::move(choice), z_TE);
}

/// In training the best plan that gives no expert more than its even share, rounded up; otherwise each token's best expert. The gate is
/// sigmoid(logit) (BASE, arXiv:2103.16716).
RouterOutput baseRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    TORCH_CHECK(o.k == 1, "a BASE router chooses one expert, not ", o.k);
    TokenChoice choice;
    choice.logits_TE = z_TE;
    choice.probs_TE = z_TE.sigmoid();
    choice.indices_TK = call.training ? assignmentWithin(z_TE, (z_TE.size(0) + o.experts - 1) / o.experts).to(z_TE.device()).unsqueeze(1) : selectTopK(z_TE, 1);
    choice.weights_TK = choice.probs_TE.gather(1, choice.indices_TK);
    return bySigmoid(std::move(choice), z_TE);
}

/// One expert a word, with gate 1 (Hash Layers, arXiv:2106.04426).
RouterOutput hashRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    TORCH_CHECK(o.k == 1, "a hash router chooses one expert, not ", o.k);
    TORCH_CHECK(call.token_id_T.defined() && call.position_T.defined(), "a hash router needs the ids and positions of the tokens");
    TokenChoice choice;
    choice.logits_TE = z_TE;
    choice.indices_TK = hashChoice(call.token_id_T, call.position_T, o.experts).to(z_TE.device());
    choice.probs_TE = at::zeros_like(z_TE).scatter_(1, choice.indices_TK, 1);
    choice.weights_TK = at::ones(choice.indices_TK.sizes(), z_TE.options());
    return {std::move(choice), z_TE, false};
}

/// k different experts, each as likely, with gates 1/k; drawn anew for each step, in evaluation too.
RouterOutput randomRule(const at::Tensor& z_TE, const RouterOptions& o, const RouterCall& call) {
    const std::int64_t tokens = z_TE.size(0);
    RandomStream random = drawsOf(o, call);
    std::vector<std::int64_t> experts(static_cast<std::size_t>(o.experts));
    std::iota(experts.begin(), experts.end(), 0);
    at::Tensor indices_TK = at::empty({tokens, o.k}, at::kLong);
    std::int64_t* chosen = indices_TK.mutable_data_ptr<std::int64_t>();
    for (std::int64_t t = 0; t < tokens; ++t) {
        // The first k of a shuffle; that it starts from the last token's order makes no difference to its distribution.
        for (std::size_t j = 0; j < static_cast<std::size_t>(o.k); ++j) {
            std::swap(experts[j], experts[j + random.below(static_cast<std::uint32_t>(experts.size() - j))]);
            *chosen++ = experts[j];
        }
    }
    TokenChoice choice;
    choice.logits_TE = z_TE;
    choice.indices_TK = indices_TK.to(z_TE.device());
    choice.probs_TE = z_TE.softmax(1);
    choice.weights_TK = at::full({tokens, o.k}, 1.0 / static_cast<double>(o.k), z_TE.options());
    return {std::move(choice), z_TE, true};
}

constexpr std::array kRouterKinds = {
    RouterKind{.name = "softmax_topk", .quantiles = true, .rule = softmaxTopKRule},
    RouterKind{.name = "topk_softmax", .quantiles = true, .rule = topKSoftmaxRule},
    RouterKind{.name = "noisy_topk", .rule = noisyTopKRule},
    RouterKind{.name = "sigmoid_topk", .biased = true, .quantiles = true, .rule = sigmoidTopKRule},
    RouterKind{.name = "group_limited", .biased = true, .rule = groupLimitedRule},
    RouterKind{.name = "cosine", .source = LogitSource::kCosine, .rule = cosineRule},
    RouterKind{.name = "sinkhorn", .rule = sinkhornRule},
    RouterKind{.name = "base", .rule = baseRule},
    RouterKind{.name = "top_p", .uneven = true, .rule = topPRule},
    RouterKind{.name = "expert_choice", .uneven = true, .rule = expertChoiceRule},
    RouterKind{.name = "hash", .source = LogitSource::kNone, .names = true, .rule = hashRule},
    RouterKind{.name = "random", .source = LogitSource::kNone, .rule = randomRule},
};

}  // namespace

std::span<const RouterKind> routerKindTable() { return kRouterKinds; }

const RouterKind& routerKindNamed(std::string_view name) {
    for (const RouterKind& kind : kRouterKinds)
        if (kind.name == name) return kind;
    TORCH_CHECK(false, "unknown router '", std::string(name), "'");
}

}  // namespace es::engine
