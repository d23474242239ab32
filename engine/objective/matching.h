// SPDX-License-Identifier: GPL-3.0-or-later
// Telling pairs that belong together from pairs that do not, the latter chosen to be hard (ALBEF, arXiv:2107.07651 section 3.2; VLMo's
// image-text matching). B pairs, M = 3 B judged ones.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/random.h"

namespace es::engine {

/// A wrong caption for each picture and a wrong picture for each caption, as indices of pairs.
struct NegativePairs {
    std::vector<std::int64_t> caption_of_picture, picture_of_caption;
};

/// Draws a caption j for picture i with probability softmax_j(logits_ij), and a picture i for caption j with softmax_i(logits_ij), the pair itself
/// left out. `logits_BB` on the CPU, pictures in rows, already over the temperature; undefined: all are equally likely. `samples` names what each
/// pair shows, B long or empty: pairs of the same sample are not wrong ones of each other, unless there is no other. B >= 2.
[[nodiscard]] NegativePairs drawNegatives(const at::Tensor& logits_BB, std::int64_t pairs, std::span<const std::int64_t> samples, RandomStream& random);
/// Those of evaluations, always the same: the pair half a batch away.
[[nodiscard]] NegativePairs fixedNegatives(std::int64_t pairs);

/// The judged pairs: all right ones, then each picture with its wrong caption, then each caption with its wrong picture.
struct JudgedPairs {
    std::vector<std::int64_t> picture_of, caption_of;  ///< M each
};
[[nodiscard]] JudgedPairs judgedPairs(const NegativePairs& negatives);

struct MatchingLosses {
    at::Tensor loss_M;     ///< with gradient: binary cross entropy in nats
    at::Tensor correct_M;  ///< fp32, no gradient: 1 where the sign of the logit is right
};
/// `logit_M`: large where the pair is thought right; the first third is.
[[nodiscard]] MatchingLosses matchingLosses(const at::Tensor& logit_M);

/// What knowing nothing but the rate of right pairs costs a judged pair: the entropy of 1/3, in nats.
[[nodiscard]] double matchingTrivialLoss();

}  // namespace es::engine
