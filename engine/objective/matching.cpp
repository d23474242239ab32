// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/matching.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace es::engine {
namespace {

constexpr std::int64_t kJudged = 3;  // of a pair: itself and two wrong ones

/// Index drawn in proportion to the weights; the last of positive weight where rounding leaves a rest.
std::int64_t drawWeighted(std::span<const double> weights, RandomStream& random) {
    double rest = random.uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
    std::int64_t last = -1;
    for (std::size_t j = 0; j < weights.size(); ++j) {
        if (weights[j] <= 0) continue;
        last = static_cast<std::int64_t>(j);
        rest -= weights[j];
        if (rest < 0) break;
    }
    return last;
}

/// exp(logit - largest) of the allowed ones, 0 for the others.
std::vector<double> softmaxWeights(const std::vector<double>& logits, const std::vector<bool>& allowed) {
    double largest = -INFINITY;
    for (std::size_t j = 0; j < logits.size(); ++j)
        if (allowed[j]) largest = std::max(largest, logits[j]);
    std::vector<double> weights(logits.size(), 0.0);
    for (std::size_t j = 0; j < logits.size(); ++j)
        if (allowed[j]) weights[j] = std::isfinite(largest) ? std::exp(logits[j] - largest) : 1.0;
    return weights;
}

}  // namespace

NegativePairs drawNegatives(const at::Tensor& logits_BB, std::int64_t pairs, std::span<const std::int64_t> samples, RandomStream& random) {
    TORCH_CHECK(pairs >= 2, "a wrong pair takes at least two pairs, there are ", pairs);
    TORCH_CHECK(!logits_BB.defined() || (logits_BB.dim() == 2 && logits_BB.size(0) == pairs && logits_BB.size(1) == pairs), "similarities of shape ",
                logits_BB.defined() ? logits_BB.sizes() : at::IntArrayRef(), " for ", pairs, " pairs");
    const at::Tensor table = logits_BB.defined() ? logits_BB.to(at::kCPU, at::kDouble).contiguous() : at::Tensor();
    const double* logits = table.defined() ? table.const_data_ptr<double>() : nullptr;
    const auto size = static_cast<std::size_t>(pairs);
    const auto drawFor = [&](std::int64_t self, bool picture) {
        std::vector<double> row(size, 0.0);
        std::vector<bool> allowed(size, true);
        for (std::size_t j = 0; j < size; ++j) {
            const auto other = static_cast<std::int64_t>(j);
            if (logits) row[j] = picture ? logits[self * pairs + other] : logits[other * pairs + self];
            if (!samples.empty() && samples[j] == samples[static_cast<std::size_t>(self)]) allowed[j] = false;
        }
        allowed[static_cast<std::size_t>(self)] = false;
        if (std::ranges::find(allowed, true) == allowed.end()) {
            allowed.assign(size, true);
            allowed[static_cast<std::size_t>(self)] = false;
        }
        return drawWeighted(softmaxWeights(row, allowed), random);
    };
    NegativePairs out;
    for (std::int64_t i = 0; i < pairs; ++i) out.caption_of_picture.push_back(drawFor(i, true));
    for (std::int64_t i = 0; i < pairs; ++i) out.picture_of_caption.push_back(drawFor(i, false));
    return out;
}

NegativePairs fixedNegatives(std::int64_t pairs) {
    TORCH_CHECK(pairs >= 2, "a wrong pair takes at least two pairs, there are ", pairs);
    NegativePairs out;
    for (std::int64_t i = 0; i < pairs; ++i) out.caption_of_picture.push_back((i + pairs / 2) % pairs);
    out.picture_of_caption = out.caption_of_picture;
    return out;
}

JudgedPairs judgedPairs(const NegativePairs& negatives) {
    const std::size_t pairs = negatives.caption_of_picture.size();
    std::vector<std::int64_t> own(pairs);
    std::iota(own.begin(), own.end(), 0);
    JudgedPairs out{own, own};
    out.picture_of.insert(out.picture_of.end(), own.begin(), own.end());
    out.caption_of.insert(out.caption_of.end(), negatives.caption_of_picture.begin(), negatives.caption_of_picture.end());
    out.picture_of.insert(out.picture_of.end(), negatives.picture_of_caption.begin(), negatives.picture_of_caption.end());
    out.caption_of.insert(out.caption_of.end(), own.begin(), own.end());
    return out;
}

MatchingLosses matchingLosses(const at::Tensor& logit_M) {
    TORCH_CHECK(logit_M.dim() == 1 && logit_M.size(0) % kJudged == 0, "logits of shape ", logit_M.sizes());
    const at::Tensor logit = logit_M.scalar_type() == at::kDouble ? logit_M : logit_M.to(at::kFloat);
    const at::Tensor label_M = at::zeros_like(logit, logit.options().requires_grad(false));
    label_M.narrow(0, 0, logit.size(0) / kJudged).fill_(1);
    MatchingLosses out;
    out.loss_M = at::binary_cross_entropy_with_logits(logit, label_M, {}, {}, at::Reduction::None);
    const at::NoGradGuard no_grad;
    out.correct_M = logit.detach().gt(0).eq(label_M.gt(0)).to(at::kFloat);
    return out;
}

double matchingTrivialLoss() {
    constexpr double kRate = 1.0 / kJudged;
    return -kRate * std::log(kRate) - (1 - kRate) * std::log(1 - kRate);
}

}  // namespace es::engine
