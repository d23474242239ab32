// SPDX-License-Identifier: GPL-3.0-or-later
// The multiway transformer with experts (VL-MoE, arXiv:2303.07226; VLMo / BEiT-3 style) and its masked objectives' heads.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/run_config.h"
#include "engine/data/batch.h"
#include "engine/routing/routing_event.h"
#include "engine/store/records.h"

namespace es::engine {

/// Sizes that the data decide and the configuration does not.
struct DataShape {
    std::int64_t vocabulary = 0;  ///< token ids 0..vocabulary-1; the mask token is `vocabulary`
    std::int64_t image_size = 0;
    std::int64_t max_words = 0;
    std::int64_t picture_codes = 0;  ///< codes of the picture tokenizer, which hidden patches are predicted as; 0: as pixels
};

/// One loss of one router.
struct RouterLoss {
    std::string_view name;   ///< its key in [loss]: "balance", "z", "importance", ...
    at::Tensor value;        ///< 0-d on the device, unscaled; with gradient
    double coefficient = 0;  ///< at this step; 0: logged alone
};

/// What one router adds to the loss, and what is logged of it.
struct RouterLosses {
    RouterId router;
    std::vector<RouterLoss> losses = {};  ///< balance and z wherever they are defined, others where their coefficient is not 0
    at::Tensor counts_E = {};             ///< int64: choices of each expert; undefined for a router without choices (soft)
    at::Tensor logits_TE = {};            ///< detached; undefined unless the router balances by quantiles

    /// The loss of that name; undefined when there is none.
    [[nodiscard]] at::Tensor value(std::string_view name) const;
};

class GroupedExperts;     // engine/model/grouped_experts.h
struct InterventionPlan;  // engine/model/intervention.h
struct RouterOptions;     // engine/model/router.h

struct ForwardOptions {
    bool training = true;
    /// Outside of training: whether the pairs also go through contrastive learning and matching, as far as the model has them.
    bool align_pairs = false;
    std::int64_t step = 0;
    std::int64_t micro_batch = 0;  ///< which of the step's, from 0
    /// Choices of each expert (int64, by router id) in the step's micro-batches before this one; for loss.balance_over = "global_batch".
    std::map<std::int32_t, at::Tensor> counts_before_E = {};
    RoutingObserver* observer = nullptr;  ///< not owned
    /// Logits of the router (by id) are replaced by h · W of these E x D matrices: the random-router baseline.
    std::map<std::int32_t, at::Tensor> router_weight_override = {};
    const InterventionPlan* interventions = nullptr;  ///< not owned; null: none
    /// Where each layer adds what its tokens receive of attention (fp32 N, Attention::received). Not owned; null: nothing is computed.
    std::vector<at::Tensor>* attention_received_N = nullptr;
    /// Where each layer of experts puts the tokens that it is given (T x D, detached), by router id. Not owned; null: nowhere.
    std::map<std::int32_t, at::Tensor>* expert_inputs_TD = nullptr;
};

/// Result of one forward over a batch.
struct ModelOutput {
    at::Tensor loss;  ///< 0-d with gradient: weighted objectives plus router losses
    /// Mean loss of each objective over its counted tokens (0-d, detached); undefined when the stream is missing.
    std::array<at::Tensor, kObjectiveCount> objective_loss;
    /// Sum of losses and number of counted tokens of each sample, fp32 B each; undefined when missing.
    std::array<at::Tensor, kObjectiveCount> sample_loss_sum_B, sample_targets_B;
    /// What was predicted right among the counted targets, fp32 B; undefined for pixels.
    std::array<at::Tensor, kObjectiveCount> sample_correct_B;
    std::vector<RouterLosses> routers;
    /// Log-probabilities of masked words, asked for in inference only (options.training == false): rows in order of (sample, position).
    std::array<at::Tensor, kObjectiveCount> word_log_probs_NV;
    /// What else is worth a curve (0-d, detached), by name: "contrastive/temperature", "matching/accuracy", ...
    std::vector<std::pair<std::string, at::Tensor>> figures = {};
};

/// Parameters and FLOPs. Active: what one token's chosen experts cost. FLOPs: forward and backward of one step of the configured batch.
struct ModelCost {
    std::int64_t parameters_total = 0, parameters_active = 0;
    double flops_per_step_active = 0, flops_per_step_total = 0;
};

/// One kind of part, all layers together.
struct PartAccount : ModelCost {
    std::string name;
};

/// The whole model and the parts that it has, in the order of a forward pass: "embeddings", "attention", "V-FFN", "T-FFN", "VL-FFN",
/// "V-experts", "T-experts", "shared experts", "routers", "norms" (layer scales among them), "picture head", "word head", "pair heads".
struct ModelAccount : ModelCost {
    std::vector<PartAccount> parts;
};

/// Parameter names are stable: they are the keys of the checkpoint.
class VlMoe : public torch::nn::Module {
public:
    /// Weights are drawn from the counter-based generator keyed by (seed, name): the same whatever the order of construction.
    VlMoe(const config::RunConfig& config, const DataShape& shape, std::uint64_t seed);
    ~VlMoe() override;

    [[nodiscard]] ModelOutput forward(const Batch& batch, const ForwardOptions& options);
    /// Call after the optimizer's step with what forward() gave for the step's batch: routers with a balancing bias move it.
    void balanceRouters(const ModelOutput& output) { balanceRouters(output.routers); }
    /// The same for a step of several micro-batches: the RouterLosses of all of them, in order; a router's choices are taken together.
    void balanceRouters(std::span<const RouterLosses> step);
    /// Name of the first part whose result on this batch is not finite ("embed", "layers.2.attention", "layers.1.v.moe.router" for its
    /// logits, "layers.3.vl"); empty when all are finite. A forward pass without gradient that nobody is told of.
    [[nodiscard]] std::string firstNonFinite(const Batch& batch, const ForwardOptions& options);
    /// Rows of the run's router table, in order of layer, then branch v before t.
    [[nodiscard]] const std::vector<store::RouterInfo>& routers() const;
    /// The weight (E x D) of a router, for baselines: a fresh draw from its initial distribution.
    [[nodiscard]] at::Tensor drawRouterWeight(RouterId router, std::uint64_t seed, std::uint32_t draw) const;
    /// What the router was made with.
    [[nodiscard]] const RouterOptions& routerOptions(RouterId router) const;
    /// The experts that the router chooses among, shared ones aside.
    [[nodiscard]] const GroupedExperts& expertsOf(RouterId router) const;
    /// What the router compares a token with for each expert (E x D; cosine: E x its own width; soft: an expert's slots one after the other).
    /// Undefined where there is no such weight.
    [[nodiscard]] at::Tensor routerRows(RouterId router) const;
    [[nodiscard]] ModelAccount account() const;
    /// The group a parameter's gradient norm is logged under: "attention", "router", "expert", "shared" (experts
    /// and their gate), "ffn", "embedding", "head", "norm". Layer scales go with their sublayer.
    [[nodiscard]] static std::string gradientGroup(const std::string& parameter_name);
    /// Whether weight decay applies (matrices, not embeddings, biases or norms).
    [[nodiscard]] static bool decays(const std::string& parameter_name, const at::Tensor& parameter);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace es::engine
