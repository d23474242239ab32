// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/vl_moe.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "engine/base/hash.h"
#include "engine/config/objectives.h"
#include "engine/model/account.h"
#include "engine/model/alignment_head.h"
#include "engine/model/alignment_streams.h"
#include "engine/model/checkpointed_block.h"
#include "engine/model/embedding.h"
#include "engine/model/forward_context.h"
#include "engine/model/heads.h"
#include "engine/model/initialization.h"
#include "engine/model/intervention.h"
#include "engine/model/moe_options.h"
#include "engine/model/multiway_block.h"
#include "engine/model/stochastic_depth.h"
#include "engine/model/token_layout.h"

namespace es::engine {
namespace {

template <class T>
bool contains(const std::vector<T>& list, const T& value) {
    return std::ranges::find(list, value) != list.end();
}

/// A dense network of the model's own width, as every layer without experts has.
DenseOptions denseOptions(const config::ModelOptions& model) {
    return {model.width, model.ffn_width, activationNamed(model.activation), model.ffn_biases, 1.0, model.sub_norm};
}

/// The dense network of equal active compute that stands where experts would be: as wide as those that a token goes through, together.
DenseOptions twinOptions(const config::RunConfig& config, const config::RouterSite& site, double scale) {
    const config::MoeOptions moe = config::routerSettings(config, site).moe;
    return {config.model.width, config::twinWidth(moe), activationNamed(moe.activation), moe.biases, scale, config.model.sub_norm};
}

}  // namespace

struct VlMoe::Impl {
    config::RunConfig settings;
    DataShape shape;
    std::uint64_t seed = 0;
    std::shared_ptr<Embedding> embedding;
    std::vector<std::shared_ptr<MultiwayBlock>> blocks;
    std::shared_ptr<Heads> heads;
    std::shared_ptr<AlignmentHead> align;  ///< nullptr: neither contrastive learning nor matching
    config::ObjectiveSchedules schedules;
    std::vector<store::RouterInfo> routers;
    std::vector<std::shared_ptr<SparseFeedForward>> sparse;  ///< by router id
    bool names = false;                                      ///< whether a router asks for the names of its tokens

    [[nodiscard]] config::ObjectiveWeights weightsFor(const ForwardOptions& options) const;
    /// The batch with the pairs that contrastive learning and matching look at, as far as they are due.
    [[nodiscard]] Batch appendPairs(const Batch& batch, const ForwardOptions& options, const config::ObjectiveWeights& weights) const;
    [[nodiscard]] NegativePairs chooseNegatives(const Batch& batch, const ForwardOptions& options, bool contrastive) const;
    /// Token vectors after the last block.
    [[nodiscard]] at::Tensor transform(const Batch& batch, const TokenLayout& layout, ForwardContext& context) const;
    /// The blocks one after the other, telling context.watch of their parts by their whole names.
    [[nodiscard]] at::Tensor watched(at::Tensor x_ND, const TokenLayout& layout, ForwardContext& context) const;

    [[nodiscard]] bool pooled(std::int64_t layer) const { return settings.moe.pool == "shared" && contains(settings.model.moe_layers, layer); }
    std::shared_ptr<FeedForward> makeBranch(std::int64_t layer, Branch branch);
    [[nodiscard]] double scaleOf(const config::RouterSite& site) const;
};

/// The factor of one branch: ffn_scales has one entry per MoE layer (in order of moe_layers) and branch (v before t).
double VlMoe::Impl::scaleOf(const config::RouterSite& site) const {
    if (settings.model.ffn != "scaled_dense") return 1.0;
    const std::vector<config::RouterSite> sites = config::routerSites(settings);
    const auto index = static_cast<std::size_t>(std::ranges::find(sites, site.name(), &config::RouterSite::name) - sites.begin());
    TORCH_CHECK(index < settings.model.ffn_scales.size(), "model.ffn_scales has ", settings.model.ffn_scales.size(),
                " factors, too few for the MoE layers and branches");
    return settings.model.ffn_scales[index];
}

std::shared_ptr<FeedForward> VlMoe::Impl::makeBranch(std::int64_t layer, Branch branch) {
    const config::RouterSite site{layer, std::string(toString(branch))};
    const bool experts_here = contains(settings.model.moe_layers, layer) && (branch == Branch::kAll || contains(settings.model.moe_branches, site.branch));
    if (!experts_here) return std::make_shared<DenseFeedForward>(denseOptions(settings.model));
    if (settings.model.ffn != "moe") return std::make_shared<DenseFeedForward>(twinOptions(settings, site, scaleOf(site)));
    const RouterPlace place{RouterId(static_cast<std::int32_t>(routers.size())), LayerIndex(static_cast<std::int32_t>(layer)), branch};
    const MoeOptions options = moeOptions(settings, site, seed);
    routers.push_back(routerInfo(options, place));
    names = names || asksForNames(options);
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
        if (impl_->pooled(layer)) {
            branches.all = impl_->makeBranch(layer, Branch::kAll);
        } else {
            branches.vision = impl_->makeBranch(layer, Branch::kVision);
            branches.text = impl_->makeBranch(layer, Branch::kText);
        }
        if (layer >= model.layers - model.vl_layers) branches.pair = std::make_shared<DenseFeedForward>(denseOptions(model));
        const BlockOptions options{
            model.width, model.heads, model.attention, model.sub_norm, model.layer_scale, dropProbability(model.drop_path, layer, model.layers), layer, seed};
        auto block = std::make_shared<MultiwayBlock>(options, std::move(branches));
        impl_->blocks.push_back(layers->register_module(std::to_string(layer), std::move(block)));
    }
    impl_->heads = register_module("head", std::make_shared<Heads>(HeadSizes{model.width, numbers, shape.vocabulary, shape.picture_codes}));
    impl_->schedules = config::parseSchedules(config.loss.schedule).schedules;
    const AlignmentOptions alignment{model.width, config.loss.contrastive > 0, config.loss.matching > 0};
    if (alignment.contrastive || alignment.matching) impl_->align = impl_->heads->register_module("align", std::make_shared<AlignmentHead>(alignment));
    InitializationOptions initial{model.layers, config.moe.router_init_std, {}};
    for (const config::RouterSite& site : config::routerSites(config))
        initial.router_std_of.emplace_back("layers." + site.name() + ".", config::routerSettings(config, site).moe.router_init_std);
    initialize(*this, seed, initial);
}

VlMoe::~VlMoe() = default;

at::Tensor RouterLosses::value(std::string_view name) const {
    const auto found = std::ranges::find(losses, name, &RouterLoss::name);
    return found == losses.end() ? at::Tensor() : found->value;
}

config::ObjectiveWeights VlMoe::Impl::weightsFor(const ForwardOptions& options) const {
    return options.training ? config::objectiveWeights(settings.loss, schedules, options.step) : config::objectiveWeights(settings.loss);
}

NegativePairs VlMoe::Impl::chooseNegatives(const Batch& batch, const ForwardOptions& options, bool contrastive) const {
    const std::int64_t pairs = batch.pair_images->masked_BP.size(0);
    if (!options.training) return fixedNegatives(pairs);
    RandomStream random(seed, RandomPurpose::kHardNegatives, static_cast<std::uint64_t>(options.step), static_cast<std::uint32_t>(options.micro_batch));
    const std::span<const std::int64_t> samples =
        static_cast<std::int64_t>(batch.pair_samples.size()) == pairs ? std::span<const std::int64_t>(batch.pair_samples) : std::span<const std::int64_t>();
    if (!contrastive) return drawNegatives({}, pairs, samples, random);
    // The wrong pairs must be known before the pass that learns from them: a look at the pairs with the model as it stands.
    const at::NoGradGuard no_grad;
    const Batch alone = pairsAlone(batch);
    const TokenLayout layout = makeTokenLayout(alone);
    ForwardOptions quiet = options;
    quiet.training = false;
    quiet.observer = nullptr;
    std::vector<RouterLosses> unused;
    ForwardContext context{quiet, unused};
    return drawNegatives(align->logits(transform(alone, layout, context), layout, pairs), pairs, samples, random);
}

Batch VlMoe::Impl::appendPairs(const Batch& batch, const ForwardOptions& options, const config::ObjectiveWeights& weights) const {
    if (!align || !batch.pair_images || !(options.training || options.align_pairs)) return batch;
    // One pair alone has nothing to be told from.
    const bool several = batch.pair_images->masked_BP.size(0) >= 2;
    const auto isDue = [&](Objective objective) { return several && weights[static_cast<std::size_t>(objective)] > 0; };
    const bool contrastive = isDue(Objective::kContrastive), matching = isDue(Objective::kMatching);
    if (!contrastive && !matching) return batch;
    if (options.training) align->clampTemperature();
    if (!matching) return withAlignmentStreams(batch, contrastive, nullptr);
    const NegativePairs negatives = chooseNegatives(batch, options, contrastive);
    return withAlignmentStreams(batch, contrastive, &negatives);
}

at::Tensor VlMoe::Impl::transform(const Batch& batch, const TokenLayout& layout, ForwardContext& context) const {
    const bool chosen_tokens = context.options.interventions && context.options.interventions->needs_token_names;
    if (chosen_tokens || names) context.names = nameTokenRows(batch, layout, shape.vocabulary);
    at::Tensor x_ND = embedding->forward(batch, layout);
    if (context.watch) return watched(x_ND, layout, context);
    if (!settings.train.checkpoint_activations || !context.options.training || !at::GradMode::is_enabled()) {
        for (const auto& block : blocks) x_ND = block->forward(x_ND, layout, context);
        return x_ND;
    }
    const auto kept = std::make_shared<const TokenLayout>(layout);
    for (const auto& block : blocks) x_ND = forwardCheckpointed(block, x_ND, kept, context);
    return x_ND;
}

at::Tensor VlMoe::Impl::watched(at::Tensor x_ND, const TokenLayout& layout, ForwardContext& context) const {
    const auto tell = std::exchange(context.watch, {});
    tell("embed", x_ND);
    for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
        context.watch = [&](const std::string& part, const at::Tensor& result) { tell("layers." + std::to_string(layer) + "." + part, result); };
        x_ND = blocks[layer]->forward(x_ND, layout, context);
    }
    return x_ND;
}

ModelOutput VlMoe::forward(const Batch& given, const ForwardOptions& options) {
    const at::AutoGradMode gradient(options.training && at::GradMode::is_enabled());
    const config::ObjectiveWeights weights = impl_->weightsFor(options);
    const Batch batch = impl_->appendPairs(given, options, weights);
    const TokenLayout layout = makeTokenLayout(batch);
    TORCH_CHECK(layout.rows > 0, "the batch has no tokens");
    ModelOutput output;
    ForwardContext context{options, output.routers};
    const at::Tensor x_ND = impl_->transform(batch, layout, context);
    std::array<ObjectiveResult, kObjectiveCount> results = impl_->heads->forward(x_ND, batch, layout, !options.training);
    const auto take = [&](Objective objective, AlignmentResult aligned) {
        results[static_cast<std::size_t>(objective)] = std::move(aligned.result);
        for (auto& figure : aligned.figures) output.figures.push_back(std::move(figure));
    };
    if (batch.appended.alone > 0) take(Objective::kContrastive, impl_->align->contrast(x_ND, layout, batch.appended.alone));
    if (batch.appended.matched() > 0) take(Objective::kMatching, impl_->align->match(x_ND, layout, given.pair_images->masked_BP.size(0)));

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
    for (const RouterLosses& router : output.routers)
        for (const RouterLoss& loss : router.losses)
            if (loss.coefficient != 0) terms.push_back(loss.value * loss.coefficient);
    // Nothing hidden and no router: a loss that can be differentiated all the same.
    output.loss = terms.empty() ? x_ND.sum() * 0 : at::stack(terms).sum();
    return output;
}

std::string VlMoe::firstNonFinite(const Batch& given, const ForwardOptions& options) {
    const at::NoGradGuard no_gradient;
    ForwardOptions quiet = options;
    quiet.observer = nullptr;
    const Batch batch = impl_->appendPairs(given, quiet, impl_->weightsFor(quiet));
    const TokenLayout layout = makeTokenLayout(batch);
    std::vector<RouterLosses> unused;
    ForwardContext context{quiet, unused};
    std::string found;
    context.watch = [&](const std::string& part, const at::Tensor& result) {
        if (found.empty() && !at::isfinite(result).all().item<bool>()) found = part;
    };
    (void)impl_->transform(batch, layout, context);
    return found;
}

void VlMoe::balanceRouters(std::span<const RouterLosses> step) {
    struct Sum {
        at::Tensor counts_E;
        std::vector<at::Tensor> logits;
    };
    std::map<std::int32_t, Sum> sums;
    for (const RouterLosses& router : step) {
        Sum& sum = sums[router.router.value];
        sum.counts_E = sum.counts_E.defined() ? sum.counts_E + router.counts_E : router.counts_E;
        if (router.logits_TE.defined()) sum.logits.push_back(router.logits_TE);
    }
    for (const auto& [id, sum] : sums)
        impl_->sparse.at(static_cast<std::size_t>(id))->moe().balance(sum.counts_E, sum.logits.empty() ? at::Tensor() : at::cat(sum.logits));
}

const std::vector<store::RouterInfo>& VlMoe::routers() const { return impl_->routers; }

at::Tensor VlMoe::drawRouterWeight(RouterId router, std::uint64_t seed, std::uint32_t draw) const {
    TORCH_CHECK(router.valid() && static_cast<std::size_t>(router.value) < impl_->routers.size(), "there is no router ", router.value);
    RandomStream random(seed, RandomPurpose::kRandomRouter, static_cast<std::uint64_t>(router.value), draw);
    const auto index = static_cast<std::size_t>(router.value);
    const config::RouterSite site{impl_->routers[index].layer.value, std::string(toString(impl_->routers[index].branch))};
    const config::MoeOptions moe = config::routerSettings(impl_->settings, site).moe;
    at::Tensor weight = at::empty({config::routerOutputs(moe), impl_->settings.model.width}, at::kFloat);
    fillNormal(weight, random, moe.router_init_std, 0.0);
    return weight;
}

const RouterOptions& VlMoe::routerOptions(RouterId router) const {
    TORCH_CHECK(router.valid() && static_cast<std::size_t>(router.value) < impl_->sparse.size(), "there is no router ", router.value);
    return impl_->sparse[static_cast<std::size_t>(router.value)]->moe().routerOptions();
}

const GroupedExperts& VlMoe::expertsOf(RouterId router) const {
    TORCH_CHECK(router.valid() && static_cast<std::size_t>(router.value) < impl_->sparse.size(), "there is no router ", router.value);
    return impl_->sparse[static_cast<std::size_t>(router.value)]->moe().experts();
}

at::Tensor VlMoe::routerRows(RouterId router) const {
    TORCH_CHECK(router.valid() && static_cast<std::size_t>(router.value) < impl_->sparse.size(), "there is no router ", router.value);
    return impl_->sparse[static_cast<std::size_t>(router.value)]->moe().routerRows();
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
    if (name.ends_with(".router.modality")) return false;  // an embedding
    if (parameter.dim() < 2 || name.ends_with(".b1") || name.ends_with(".b2") || name.find(".norm_") != std::string::npos) return false;
    return !name.starts_with("embed.") || name == "embed.patch.weight";
}

}  // namespace es::engine
