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
#include <string>
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
};

/// What one router adds to the loss, and what is logged of it. Scalars are 0-d tensors on the device, detached unless said.
struct RouterLosses {
    RouterId router;
    at::Tensor balance, z;  ///< with gradient, unscaled
    at::Tensor counts_E;    ///< int64: choices of each expert
};

struct ForwardOptions {
    bool training = true;
    std::int64_t step = 0;
    RoutingObserver* observer = nullptr;  ///< not owned
    /// Logits of the router (by id) are replaced by h · W of these E x D matrices: the random-router baseline.
    std::map<std::int32_t, at::Tensor> router_weight_override = {};
};

/// Result of one forward over a batch.
struct ModelOutput {
    at::Tensor loss;  ///< 0-d with gradient: weighted objectives plus router losses
    /// Mean loss of each objective over its counted tokens (0-d, detached); undefined when the stream is missing.
    std::array<at::Tensor, kObjectiveCount> objective_loss;
    /// Sum of losses and number of counted tokens of each sample, fp32 B each; undefined when missing.
    std::array<at::Tensor, kObjectiveCount> sample_loss_sum_B, sample_targets_B;
    /// Words predicted right among the counted ones, fp32 B; only for the two text objectives.
    std::array<at::Tensor, kObjectiveCount> sample_correct_B;
    std::vector<RouterLosses> routers;
    /// Log-probabilities of masked words, asked for in inference only (options.training == false): rows in order of (sample, position).
    std::array<at::Tensor, kObjectiveCount> word_log_probs_NV;
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
/// "V-experts", "T-experts", "shared experts", "routers", "norms" (layer scales among them), "picture head", "word head".
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
    void balanceRouters(const ModelOutput& output);
    /// Rows of the run's router table, in order of layer, then branch v before t.
    [[nodiscard]] const std::vector<store::RouterInfo>& routers() const;
    /// The weight (E x D) of a router, for baselines: a fresh draw from its initial distribution.
    [[nodiscard]] at::Tensor drawRouterWeight(RouterId router, std::uint64_t seed, std::uint32_t draw) const;
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
