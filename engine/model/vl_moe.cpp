// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/vl_moe.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "engine/base/hash.h"
#include "engine/model/account.h"
#include "engine/model/embedding.h"
#include "engine/model/forward_context.h"
#include "engine/model/heads.h"
#include "engine/model/initialization.h"
#include "engine/model/multiway_block.h"
#include "engine/model/stochastic_depth.h"
#include "engine/model/token_layout.h"

namespace es::engine {
namespace {

template <class T>
bool contains(const std::vector<T>& list, const T& value) {
    return std::ranges::find(list, value) != list.end();
}

RouterOptions routingOptions(const config::MoeOptions& options) {
    RouterOptions made;
    made.gate_scale = options.gate_scale;
    made.bias_rate = options.bias_rate;
    made.groups = options.groups;
    made.groups_kept = options.groups_kept;
    made.group_score = options.group_score == "max" ? GroupScore::kMax : GroupScore::kTop2Sum;
    made.score = options.score_function == "softmax" ? ScoreFunction::kSoftmax : ScoreFunction::kSigmoid;
    made.noise = options.noise;
    made.cosine_width = options.cosine_width;
    made.temperature = options.cosine_temperature;
    made.sinkhorn_tolerance = options.sinkhorn_tolerance;
    made.sinkhorn_rounds = options.sinkhorn_rounds;
    made.top_p = options.top_p;
    made.capacity_factor = options.capacity_factor;
    made.capacity_factor_eval = options.capacity_factor_eval;
    return made;
}

MoeOptions moeOptions(const config::MoeOptions& options, bool sub_norm) {
    MoeOptions made;
    made.sub_norm = sub_norm;
    made.experts = options.experts;
    made.k = options.k;
    made.expert_width = options.expert_width;
    made.router = options.router;
    made.dispatch = {options.dispatch,
                     {options.capacity_factor, options.capacity_factor_eval, capacityPolicyNamed(options.capacity_policy), options.group_size}};
    made.renormalize = options.renormalize;
    made.routing = routingOptions(options);
    made.activation = activationNamed(options.activation);
    made.biases = options.biases;
    made.shared_experts = options.shared_experts;
    made.shared_gate = options.shared_gate;
    return made;
}

/// A dense network of the model's own width, as every layer without experts has.
DenseOptions denseOptions(const config::ModelOptions& model) {
    return {model.width, model.ffn_width, activationNamed(model.activation), model.ffn_biases, 1.0, model.sub_norm};
}

/// The dense network of equal active compute that stands where experts would be: as wide as those that a token goes through, together.
DenseOptions twinOptions(const config::RunConfig& config, double scale) {
    return {config.model.width,
            (config.moe.k + config.moe.shared_experts) * config.moe.expert_width,
            activationNamed(config.moe.activation),
            config.moe.biases,
            scale,
            config.model.sub_norm};
}

std::array<double, kObjectiveCount> objectiveWeights(const config::LossOptions& loss) { return {loss.image, loss.text, loss.pair_image, loss.pair_text}; }

}  // namespace

struct VlMoe::Impl {
    config::RunConfig settings;
    DataShape shape;
    std::uint64_t seed = 0;
    std::shared_ptr<Embedding> embedding;
    std::vector<std::shared_ptr<MultiwayBlock>> blocks;
    std::shared_ptr<Heads> heads;
    std::vector<store::RouterInfo> routers;
    std::vector<std::shared_ptr<SparseFeedForward>> sparse;  ///< by router id

    std::shared_ptr<FeedForward> makeBranch(std::int64_t layer, Branch branch);
    [[nodiscard]] double scaleOf(std::int64_t layer, const std::string& branch) const;
};

/// The factor of one branch: ffn_scales has one entry per MoE layer (in order of moe_layers) and branch (v before t).
double VlMoe::Impl::scaleOf(std::int64_t layer, const std::string& branch) const {
    if (settings.model.ffn != "scaled_dense") return 1.0;
    std::size_t index = 0;
    for (const std::int64_t moe_layer : settings.model.moe_layers) {
        for (const std::string& name : {std::string("v"), std::string("t")}) {
            if (!contains(settings.model.moe_branches, name)) continue;
            if (moe_layer == layer && name == branch) {
                TORCH_CHECK(index < settings.model.ffn_scales.size(), "model.ffn_scales has ", settings.model.ffn_scales.size(),
                            " factors, too few for the MoE layers and branches");
                return settings.model.ffn_scales[index];
            }
            ++index;
        }
    }
    return 1.0;
}

std::shared_ptr<FeedForward> VlMoe::Impl::makeBranch(std::int64_t layer, Branch branch) {
    const std::string name(toString(branch));
    const bool experts_here = contains(settings.model.moe_layers, layer) && contains(settings.model.moe_branches, name);
    if (!experts_here) return std::make_shared<DenseFeedForward>(denseOptions(settings.model));
    if (settings.model.ffn != "moe") return std::make_shared<DenseFeedForward>(twinOptions(settings, scaleOf(layer, name)));
    const RouterPlace place{RouterId(static_cast<std::int32_t>(routers.size())), LayerIndex(static_cast<std::int32_t>(layer)), branch};
    store::RouterInfo info;
    info.id = place.id;
    info.layer = place.layer;
    info.branch = branch;
    info.kind = settings.moe.router;
    info.experts = static_cast<std::int32_t>(settings.moe.experts);
    info.k = static_cast<std::int32_t>(settings.moe.k);
    if (choosesUnevenly(settings.moe.router)) info.layout = store::RoutingLayout::kRagged;
    routers.push_back(info);
    MoeOptions options = moeOptions(settings.moe, settings.model.sub_norm);
    options.routing.seed = hash64("layers." + std::to_string(layer) + "." + name + ".router", seed);
    sparse.push_back(std::make_shared<SparseFeedForward>(settings.model.width, options, place));
    return sparse.back();
}

VlMoe::VlMoe(const config::RunConfig& config, const DataShape& shape, std::uint64_t seed) : impl_(std::make_unique<Impl>()) {
    impl_->settings = config;
    impl_->shape = shape;
    impl_->seed = seed;
    const config::ModelOptions& model = config.model;
    TORCH_CHECK(shape.image_size % model.patch == 0, "patches of ", model.patch, " pixels do not fill pictures of ", shape.image_size);
    const std::int64_t side = shape.image_size / model.patch, numbers = model.patch * model.patch * 3;
    impl_->embedding =
        register_module("embed", std::make_shared<Embedding>(EmbeddingSizes{model.width, numbers, side * side, shape.max_words, shape.vocabulary}));
    auto layers = register_module("layers", std::make_shared<torch::nn::Module>());
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        Branches branches;
        branches.vision = impl_->makeBranch(layer, Branch::kVision);
        branches.text = impl_->makeBranch(layer, Branch::kText);
        if (layer >= model.layers - model.vl_layers) branches.pair = std::make_shared<DenseFeedForward>(denseOptions(model));
        const BlockOptions options{
            model.width, model.heads, model.attention, model.sub_norm, model.layer_scale, dropProbability(model.drop_path, layer, model.layers), layer, seed};
        auto block = std::make_shared<MultiwayBlock>(options, std::move(branches));
        impl_->blocks.push_back(layers->register_module(std::to_string(layer), std::move(block)));
    }
    impl_->heads = register_module("head", std::make_shared<Heads>(model.width, numbers, shape.vocabulary));
    initialize(*this, seed, {model.layers, config.moe.router_init_std});
}

VlMoe::~VlMoe() = default;

ModelOutput VlMoe::forward(const Batch& batch, const ForwardOptions& options) {
    const at::AutoGradMode gradient(options.training && at::GradMode::is_enabled());
    const TokenLayout layout = makeTokenLayout(batch);
    TORCH_CHECK(layout.rows > 0, "the batch has no tokens");
    ModelOutput output;
    ForwardContext context{options, output.routers};
    if (!impl_->routers.empty() && needsTokenNames(impl_->settings.moe.router)) context.names = nameTokenRows(batch, layout, impl_->shape.vocabulary);
    at::Tensor x_ND = impl_->embedding->forward(batch, layout);
    for (const auto& block : impl_->blocks) x_ND = block->forward(x_ND, layout, context);
    const std::array<ObjectiveResult, kObjectiveCount> results = impl_->heads->forward(x_ND, batch, layout, !options.training);

    const std::array<double, kObjectiveCount> weights = objectiveWeights(impl_->settings.loss);
    std::vector<at::Tensor> terms;
    for (std::size_t i = 0; i < results.size(); ++i) {
        output.sample_loss_sum_B[i] = results[i].sample_loss_sum_B;
        output.sample_targets_B[i] = results[i].sample_targets_B;
        output.sample_correct_B[i] = results[i].sample_correct_B;
        output.word_log_probs_NV[i] = results[i].word_log_probs_NV;
        if (!results[i].loss.defined()) continue;
        output.objective_loss[i] = results[i].loss.detach();
        terms.push_back(results[i].loss * weights[i]);
    }
    for (const RouterLosses& router : output.routers) {
        terms.push_back(router.balance * impl_->settings.loss.balance);
        terms.push_back(router.z * impl_->settings.loss.z);
    }
    // Nothing hidden and no router: a loss that can be differentiated all the same.
    output.loss = terms.empty() ? x_ND.sum() * 0 : at::stack(terms).sum();
    return output;
}

void VlMoe::balanceRouters(const ModelOutput& output) {
    for (const RouterLosses& router : output.routers) impl_->sparse.at(static_cast<std::size_t>(router.router.value))->router().balance(router.counts_E);
}

const std::vector<store::RouterInfo>& VlMoe::routers() const { return impl_->routers; }

at::Tensor VlMoe::drawRouterWeight(RouterId router, std::uint64_t seed, std::uint32_t draw) const {
    TORCH_CHECK(router.valid() && static_cast<std::size_t>(router.value) < impl_->routers.size(), "there is no router ", router.value);
    RandomStream random(seed, RandomPurpose::kRandomRouter, static_cast<std::uint64_t>(router.value), draw);
    at::Tensor weight = at::empty({impl_->settings.moe.experts, impl_->settings.model.width}, at::kFloat);
    fillNormal(weight, random, impl_->settings.moe.router_init_std, 0.0);
    return weight;
}

ModelAccount VlMoe::account() const { return accountFor(impl_->settings, impl_->shape); }

std::string VlMoe::gradientGroup(const std::string& name) {
    if (name.find("norm") != std::string::npos) return "norm";
    if (name.starts_with("embed.")) return "embedding";
    if (name.starts_with("head.")) return "head";
    if (name.find(".router.") != std::string::npos) return "router";
    if (name.find(".experts.") != std::string::npos) return "expert";
    if (name.find(".moe.shared") != std::string::npos) return "shared";
    return name.find(".attention.") != std::string::npos || name.ends_with(".attention_scale") ? "attention" : "ffn";
}

bool VlMoe::decays(const std::string& name, const at::Tensor& parameter) {
    if (parameter.dim() < 2 || name.ends_with(".b1") || name.ends_with(".b2") || name.find(".norm_") != std::string::npos) return false;
    return !name.starts_with("embed.") || name == "embed.patch.weight";
}

}  // namespace es::engine
