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
    std::uint64_t seed = 0;                                    ///< of this router: noisy_topk and random draw with it, keyed by the step
};

/// What a forward pass tells its routers besides the hidden vectors.
struct RouterCall {
    bool training = true;  ///< false: no noise, no Sinkhorn balance
    std::int64_t step = 0;
    at::Tensor weight_override_ED = {};  ///< defined: logits are hidden · Wᵀ of this matrix (random-router baseline); hash and random have no logits
    at::Tensor token_id_T = {};          ///< int64, below 0 for patches; hash alone needs it
    at::Tensor position_T = {};          ///< int64, within the sample
    at::Tensor bias_E = {};              ///< added to the scores for the choice alone (sigmoid_topk, group_limited); a router's own wins
};

/// Always fp32, whatever the precision of the model (fp64 for fp64 models, which gradient checks use).
struct RouterOutput : TokenChoice {
    at::Tensor clean_logits_TE;  ///< without noise: what losses on logits take
    /// Whether probs_TE is the softmax of logits_TE. Otherwise scores between 0 and 1 whose sum may be another (sigmoids), or one-hot (hash).
    bool softmax = true;
};

struct RouterKind;

/// One class for all kinds: where the logits come from, and the rule on them. Parameters: "weight" (E x D), for cosine "projection" (P x D) and
/// "centroid" (E x P), none for hash and random. Buffer "bias" (E) where options.bias_rate asks for one.
class Router : public torch::nn::Module {
public:
    /// Throws c10::Error for options that the kind cannot work with, which the configuration's check excludes.
    Router(const RouterKind& kind, const RouterOptions& options);
    /// Logits of the hidden vectors, then route().
    [[nodiscard]] RouterOutput forward(const at::Tensor& hidden_TD, const RouterCall& call = {}) const;
    /// The rule itself, on logits. Pure: equal logits and equal call, equal routing.
    [[nodiscard]] RouterOutput route(const at::Tensor& logits_TE, const RouterCall& call = {}) const;
    /// Moves the bias one step towards balance by n_e of the whole step's batch (arXiv:2408.15664); nothing without a bias.
    void balance(const at::Tensor& counts_E);
    [[nodiscard]] const RouterOptions& options() const { return options_; }
    [[nodiscard]] std::string_view kind() const;

private:
    const RouterKind& kind_;  // a row of the table of kinds
    RouterOptions options_;
    at::Tensor weight_ED_, projection_PD_, centroid_EP_, bias_E_;
};

/// The router of that name; throws c10::Error for an unknown one, which the configuration's check excludes.
[[nodiscard]] std::shared_ptr<Router> makeRouter(std::string_view kind, const RouterOptions& options);
[[nodiscard]] std::vector<std::string> routerKinds();
/// Numbers in a router of that name, without making one. A multiply-add of each for every token is its cost.
[[nodiscard]] std::int64_t routerParameters(std::string_view kind, std::int64_t width, std::int64_t experts, std::int64_t cosine_width);
/// Whether tokens of that router have different numbers of experts (top_p, expert_choice): its records are ragged.
[[nodiscard]] bool choosesUnevenly(std::string_view kind);
/// Whether that router asks for RouterCall::token_id_T and position_T (hash).
[[nodiscard]] bool needsTokenNames(std::string_view kind);

}  // namespace es::engine
