// SPDX-License-Identifier: GPL-3.0-or-later
// How tokens choose experts. A router turns hidden vectors into at most k (expert, weight) pairs per token; it keeps no state of a forward
// pass. T tokens, E experts, K choices, D width, P projected width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/routing_rules.h"

namespace es::engine {

inline constexpr std::int64_t kModalities = 2;  ///< that a router can tell apart: vision, text

struct RouterOptions {
    std::int64_t width = 0;
    std::int64_t experts = 0;
    std::int64_t k = 1;                        ///< choices of each token; for top_p the most it can have, for expert_choice the mean at a capacity factor of 1
    bool renormalize = false;                  ///< divide the gates of the chosen by their sum: softmax_topk, sigmoid_topk, group_limited
    double gate_scale = 1.0;                   ///< sigmoid_topk, group_limited: the gates times this
    std::int64_t groups = 1, groups_kept = 1;  ///< group_limited
    GroupScore group_score = GroupScore::kMax;
    ScoreFunction score = ScoreFunction::kSoftmax;
    double bias_rate = 0;              ///< sigmoid_topk, group_limited: step of the bias that balances without a loss; 0: no bias
    double noise = 1.0;                ///< noisy_topk: deviation of the noise times E
    std::int64_t cosine_width = 16;    ///< cosine: P
    double temperature = 0.3;          ///< cosine: tau
    double sinkhorn_tolerance = 1e-4;  ///< sinkhorn: mean absolute change of the experts' factors
    std::int64_t sinkhorn_rounds = 100;
    double top_p = 0.7;
    double capacity_factor = 1.0, capacity_factor_eval = 1.0;  ///< expert_choice: tokens of an expert over k T / E, in training and elsewhere
    std::uint64_t seed = 0;                                    ///< of this router: noise, jitter and random draw with it, keyed by the step and its micro-batch
    double input_jitter = 0;                                   ///< in training the input is multiplied by uniform numbers from [1 - this, 1 + this)
    bool quantile_balance = false;  ///< softmax_topk, topk_softmax, sigmoid_topk: choose by logits minus a bias that is a quantile of theirs
    double quantile_ema = 0;        ///< share of the old bias that stays in each step
    bool modalities = false;        ///< a learned embedding of the token's modality is added to the input (EVE, arXiv:2308.11971)
};

/// What a forward pass tells its routers besides the hidden vectors.
struct RouterCall {
    bool training = true;  ///< false: no noise, no jitter, no Sinkhorn balance
    std::int64_t step = 0;
    std::int64_t micro_batch = 0;
    at::Tensor weight_override_ED = {};  ///< defined: logits are hidden · Wᵀ of this matrix (random-router baseline); hash and random have no logits
    at::Tensor token_id_T = {};          ///< int64, below 0 for patches; hash alone needs it
    at::Tensor position_T = {};          ///< int64, within the sample
    at::Tensor bias_E = {};              ///< added to the scores for the choice alone (sigmoid_topk, group_limited); a router's own wins
    at::Tensor choice_TE = {};           ///< interventions: added to what the choice is made by, where that is not the logits alone; -infinity: cannot
                                         ///< be chosen. Undefined: no logit is -infinity either
    std::int64_t k = 0;                  ///< choices instead of the router's own; 0: its own (interventions)
    at::Tensor quantile_E = {};          ///< subtracted from the logits for the choice alone (options.quantile_balance); a router's own wins
    at::Tensor modality_T = {};          ///< int64, as es::Modality; options.modalities needs it
};

/// Always fp32, whatever the precision of the model (fp64 for fp64 models, which gradient checks use).
struct RouterOutput : TokenChoice {
    at::Tensor clean_logits_TE;  ///< without noise: what losses on logits take
    /// Whether probs_TE is the softmax of logits_TE. Otherwise scores between 0 and 1 whose sum may be another (sigmoids), or one-hot (hash).
    bool softmax = true;
    at::Tensor noise_TE = {};  ///< in logits_TE; undefined: none
};

struct RouterKind;

/// One class for all kinds: where the logits come from, and the rule on them. Parameters: "weight" (E x D), for cosine "projection" (P x D) and
/// "centroid" (E x P), none for hash and random; "modality" (2 x D) where options.modalities asks for it. Buffers
/// "bias" (E) where options.bias_rate asks for one and "quantile" (E) for options.quantile_balance.
class Router : public torch::nn::Module {
public:
    /// Throws c10::Error for options that the kind cannot work with, which the configuration's check excludes.
    Router(const RouterKind& kind, const RouterOptions& options);
    /// Logits of the hidden vectors, then route().
    [[nodiscard]] RouterOutput forward(const at::Tensor& hidden_TD, const RouterCall& call = {}) const;
    /// The logits that forward() routes by; 0 for kinds without.
    [[nodiscard]] at::Tensor logits(const at::Tensor& hidden_TD, const RouterCall& call = {}) const;
    /// The rule itself, on logits. Pure: equal logits and equal call, equal routing.
    [[nodiscard]] RouterOutput route(const at::Tensor& logits_TE, const RouterCall& call = {}) const;
    /// Moves the bias one step towards balance by n_e of the whole step's batch (arXiv:2408.15664), or the quantile bias by that batch's
    /// clean logits (quantileBias, then the moving average); nothing where there is none. `logits_TE` may be undefined without a quantile.
    void balance(const at::Tensor& counts_E, const at::Tensor& logits_TE = {});
    /// Whether balance() asks for logits.
    [[nodiscard]] bool balancesByLogits() const { return quantile_E_.defined(); }
    [[nodiscard]] const RouterOptions& options() const { return options_; }
    [[nodiscard]] std::string_view kind() const;

private:
    const RouterKind& kind_;  // a row of the table of kinds
    RouterOptions options_;
    at::Tensor weight_ED_, projection_PD_, centroid_EP_, modality_MD_, bias_E_, quantile_E_;
};

/// The router's copy of the hidden vectors: with the embedding of each token's modality (`modality_MD`, undefined: none), and jittered in
/// training. In the precision of `hidden_TD`.
[[nodiscard]] at::Tensor routerInput(const at::Tensor& hidden_TD, const at::Tensor& modality_MD, const RouterOptions& options, const RouterCall& call);

/// The router of that name; throws c10::Error for an unknown one, which the configuration's check excludes.
[[nodiscard]] std::shared_ptr<Router> makeRouter(std::string_view kind, const RouterOptions& options);
[[nodiscard]] std::vector<std::string> routerKinds();
/// Numbers that a router of that name multiplies a token by, without making one: its parameters but for an embedding of modalities and the
/// scale of a soft router. `outputs`: experts, or all slots of a soft router.
[[nodiscard]] std::int64_t routerWeights(std::string_view kind, std::int64_t width, std::int64_t outputs, std::int64_t cosine_width);
/// Whether that name is Soft MoE, which mixes tokens into slots instead of choosing (soft_moe.h): not among routerKinds().
[[nodiscard]] inline bool isSoft(std::string_view kind) { return kind == "soft"; }
/// Whether tokens of that router have different numbers of experts (top_p, expert_choice): its records are ragged.
[[nodiscard]] bool choosesUnevenly(std::string_view kind);
/// Whether that router asks for RouterCall::token_id_T and position_T (hash).
[[nodiscard]] bool needsTokenNames(std::string_view kind);

}  // namespace es::engine
