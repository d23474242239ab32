// SPDX-License-Identifier: GPL-3.0-or-later
// The rules by which tokens choose experts, or experts tokens: pure functions of logits, with gradient where weights have one. Routers of a
// model and `doctor --reference` call the same functions. T tokens, E experts, K choices, D width, P projected width, C capacity, S slots.
//
// For all of them: logits are finite fp32 or fp64 on any device; equal scores go to the lower index; indices are int64, best first, and
// carry no gradient. A caller that breaks a stated need gets a c10::Error.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string_view>

namespace es::engine {

/// What a token-choice rule answers.
struct TokenChoice {
    at::Tensor logits_TE;   ///< what the rule was given (with noise, where there was some)
    at::Tensor probs_TE;    ///< softmax, or sigmoid for sigmoid scores: see each rule
    at::Tensor indices_TK;  ///< -1: no choice (top-p only), after all real choices of the row
    at::Tensor weights_TK;  ///< gates; 0 where there is no choice
};

/// Softmax, then the k largest; the weights are the raw probabilities, or (renormalize) divided by their sum. V-MoE, arXiv:2106.05974 eq. 1.
/// `chooser_TE`: scores to choose by instead of the logits (quantileScores).
[[nodiscard]] TokenChoice softmaxTopK(const at::Tensor& logits_TE, std::int64_t k, bool renormalize, const at::Tensor& chooser_TE = {});
/// The k largest logits, then softmax over them (Mixtral, arXiv:2401.04088); probs is the full softmax.
[[nodiscard]] TokenChoice topKSoftmax(const at::Tensor& logits_TE, std::int64_t k);
/// softmaxTopK of logits + noise, not renormalised (V-MoE). The noise is already scaled.
[[nodiscard]] TokenChoice noisyTopK(const at::Tensor& logits_TE, const at::Tensor& noise_TE, std::int64_t k);

struct SigmoidOptions {
    std::int64_t k = 1;
    bool normalize = true;  ///< weights s / (sum of the chosen + 1e-20)
    double scale = 1.0;     ///< times this, also for k = 1
};
/// s = sigmoid(logits); the choice is made by s + bias, the weights are s of the chosen (DeepSeek-V3, arXiv:2412.19437 eq. 12-16).
/// `bias_E` may be undefined, or differ by token (T x E, -infinity: cannot be chosen). probs is s. `chooser_TE`: scores to choose by instead of s + bias
/// (quantileScores).
[[nodiscard]] TokenChoice sigmoidTopK(const at::Tensor& logits_TE, const at::Tensor& bias_E, const SigmoidOptions& options, const at::Tensor& chooser_TE = {});

enum class GroupScore { kMax, kTop2Sum };
enum class ScoreFunction { kSoftmax, kSigmoid };
struct GroupLimitedOptions {
    std::int64_t k = 1;
    std::int64_t groups = 1, groups_kept = 1;   ///< contiguous groups of equal size; groups divides E
    GroupScore group_score = GroupScore::kMax;  ///< of a group's scores with bias; the top-2 sum of a group of one is its score
    ScoreFunction score = ScoreFunction::kSoftmax;
    bool normalize = false;
    double scale = 1.0;
};
/// The best groups by the score with bias, then the k best within them (DeepSeek-V2/V3); experts of rejected groups cannot be chosen. Needs
/// k <= groups_kept * E / groups. probs is the raw score s of all experts, without bias. `bias_E` as for sigmoidTopK; a group of which a
/// single expert can be chosen counts as a group of one.
[[nodiscard]] TokenChoice groupLimitedTopK(const at::Tensor& logits_TE, const at::Tensor& bias_E, const GroupLimitedOptions& options);

/// cos(proj h, v_e) / tau with both sides divided by max(norm, 1e-12) (X-MoE, arXiv:2204.09179). Gradient flows to all three.
[[nodiscard]] at::Tensor cosineLogits(const at::Tensor& hidden_TD, const at::Tensor& proj_PD, const at::Tensor& centroid_EP, double tau);

struct ExpertChoice {
    at::Tensor probs_TE;
    at::Tensor token_indices_EC;  ///< best first, ties to the lower token
    at::Tensor weights_EC;        ///< p of the chosen
};
/// Each expert takes the `capacity` tokens of largest softmax probability (arXiv:2202.09368). Needs capacity <= T.
[[nodiscard]] ExpertChoice expertChoice(const at::Tensor& logits_TE, std::int64_t capacity);

struct SinkhornOptions {
    std::int64_t k = 1;
    double tolerance = 1e-4;  ///< mean absolute change of d1
    std::int64_t max_iterations = 1000;
};
/// Choice by the k largest of the doubly balanced matrix, weights sigmoid(logit) for k = 1, else the softmax at the chosen (Megatron,
/// BASE-like balance without an auxiliary loss). probs is that activation. The balancing carries no gradient.
[[nodiscard]] TokenChoice sinkhornTopK(const at::Tensor& logits_TE, const SinkhornOptions& options);

struct SoftRouting {
    at::Tensor logits_TS, dispatch_TS, combine_TS;
};
/// Soft MoE (arXiv:2308.00951): rows of hidden and columns of phi divided by sqrt(sum of squares + 1e-6), logits = scale h phi, dispatch a
/// softmax over tokens, combine a softmax over slots. Gradient flows to all three; `scale` is 0-d.
[[nodiscard]] SoftRouting softRouting(const at::Tensor& hidden_TD, const at::Tensor& phi_DS, const at::Tensor& scale);

struct TopP {
    TokenChoice choice;   ///< K = max_k
    at::Tensor counts_T;  ///< int64: real choices of each token, >= 1
};
/// k_t = 1 + the number of leading sorted probabilities whose running sum is still below p, at most max_k; weights are p, not renormalised
/// (Uni-MoE 2, "dynamic k"). Padded with index -1 and weight 0.
[[nodiscard]] TopP topP(const at::Tensor& logits_TE, double p, std::int64_t max_k);

/// b_e + rate * sign(mean(n) - n_e): balance without a loss (arXiv:2408.15664). `counts_E` int64, of the global batch.
[[nodiscard]] at::Tensor updatedBias(const at::Tensor& counts_E, const at::Tensor& bias_E, double rate);
/// Quantile balancing: the bias subtracted from the logits of each expert becomes the (1 - kT/(ET)) quantile of z_te - alpha_t, with alpha_t
/// the (k + 1)-th best biased logit of the token. One dual step from `bias_E`; k < E.
[[nodiscard]] at::Tensor quantileBias(const at::Tensor& logits_TE, const at::Tensor& bias_E, std::int64_t k);

/// What tokens choose by under quantile balancing: logits - bias, in double, without gradient.
[[nodiscard]] at::Tensor quantileScores(const at::Tensor& logits_TE, const at::Tensor& bias_E);

enum class CapacityPolicy { kPosition, kBatchPriority };
/// uint8 T x K, 1 where the choice finds a place among the expert's `capacity`. All first choices come before second ones; within a rank by
/// position, or (batch priority, arXiv:2106.05974) by each token's largest probability, descending, ties by position. Index -1: 0, no place taken.
[[nodiscard]] at::Tensor keptWithinCapacity(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, std::int64_t capacity,
                                            CapacityPolicy policy);
/// int64 T x K on the CPU: how many choices of the same expert are served before each one, in the same order; -1 where the index is. What
/// keptWithinCapacity keeps are the places below the capacity. Throws std::out_of_range for an index beyond the experts.
[[nodiscard]] at::Tensor servingPlaces(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, CapacityPolicy policy);

/// Expert of each token (int64) in the balanced assignment of T / E tokens to each expert whose sum of scores is largest (BASE,
/// arXiv:2103.16716). Exact. Needs E to divide T. On the host.
[[nodiscard]] at::Tensor balancedAssignment(const at::Tensor& scores_TE);

/// The same where an expert takes at most `places` tokens, which need not be used up; places E >= T.
[[nodiscard]] at::Tensor assignmentWithin(const at::Tensor& scores_TE, std::int64_t places);

/// E of hash(token id): fixed for all time and machines. Ids below 0 (patches) hash their position instead. indices T x 1.
[[nodiscard]] at::Tensor hashChoice(const at::Tensor& token_id_T, const at::Tensor& position_T, std::int64_t experts);

}  // namespace es::engine
