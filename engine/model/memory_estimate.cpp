// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/memory_estimate.h"

#include <algorithm>

#include "engine/config/router_settings.h"
#include "engine/model/account.h"
#include "engine/model/router.h"

namespace es::engine {
namespace {

constexpr double kBytes = 4;         // of a number in fp32
constexpr double kBatchesAhead = 4;  // that the loader keeps ready
/// Of each expert and token: logits, scores and what the losses keep of them, some of it in double.
constexpr double kRouterNumbers = 10;

double number(std::int64_t value) { return static_cast<double>(value); }

/// Numbers that a network keeps for each row besides its input.
double keptHidden(bool gated, bool sub_norm, double hidden) {
    // The fused pass keeps the activation and its slope, and the gate; with a norm in between every intermediate stays.
    if (sub_norm) return (gated ? 5 : 3) * hidden;
    return (gated ? 3 : 2) * hidden;
}

struct LayerMemory {
    double kept = 0;    ///< numbers
    double widest = 0;  ///< numbers of the largest hidden matrix
};

/// A dense network of that hidden width, its norm included.
LayerMemory denseMemory(const config::ModelOptions& model, bool gated, double hidden, double tokens) {
    return {tokens * number(model.width) + tokens * keptHidden(gated, model.sub_norm, hidden), tokens * hidden};
}

LayerMemory siteMemory(const config::RunConfig& config, const config::RouterSite& site, double tokens, double samples) {
    const config::ModelOptions& model = config.model;
    const config::MoeOptions moe = config::routerSettings(config, site).moe;
    const double d = number(model.width), width = number(moe.expert_width);
    const bool gated = moe.activation == "swiglu", soft = isSoft(moe.router);
    if (model.ffn != "moe") return denseMemory(model, gated, number(config::twinWidth(moe)), tokens);
    LayerMemory memory{tokens * d, 0};  // the branch's norm
    const bool limited = moe.dispatch == "capacity" || moe.router == "expert_choice";
    const double slots = soft ? samples * number(config::routerOutputs(moe)) : tokens * number(moe.k) * (limited ? moe.capacity_factor : 1.0);
    // Rows gathered into slots and the experts' outputs, which the gates' gradient needs.
    memory.kept += slots * (2 * d + keptHidden(gated, model.sub_norm, width)) + tokens * number(config::routerOutputs(moe)) * kRouterNumbers;
    if (soft) memory.kept += 5 * tokens * d;  // tokens by sample, and what the cosines are made of, in double
    memory.widest = slots * width;
    if (moe.shared_experts > 0) memory.kept += tokens * ((moe.shared_gate ? d : 0) + keptHidden(gated, model.sub_norm, number(moe.shared_experts) * width));
    return memory;
}

}  // namespace

MemoryEstimate estimateMemory(const config::RunConfig& config, const DataShape& shape) {
    const config::ModelOptions& model = config.model;
    const config::TrainOptions& train = config.train;
    const double parameters = number(accountFor(config, shape).parameters_total);
    const double d = number(model.width), side = number(shape.image_size / model.patch), patches = side * side;
    const double numbers = number(3 * model.patch * model.patch), words = number(shape.max_words), vocabulary = number(shape.vocabulary);
    const StepSamples samples = samplesThroughLayers(config, /*look_ahead=*/false);
    const double images = samples.images * patches, pair_patches = samples.pairs * patches;
    const double pair_words = samples.pairs * words, texts = samples.texts * words;
    const double rows = images + pair_patches + pair_words + texts;

    const std::vector<config::RouterSite> sites = config::routerSites(config);
    double kept = (images + pair_patches) * numbers, widest = 0, largest_layer = 0;
    std::vector<double> of_layers;
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        double& kept_here = of_layers.emplace_back(0);
        // Input, its norm, queries, keys and values, what attention mixed, and the sum after it.
        kept_here += rows * ((7 + (model.sub_norm ? 1 : 0) + (model.layer_scale > 0 ? 2 : 0)) * d + number(model.heads));
        const bool top = layer >= model.layers - model.vl_layers;
        const double pairs = top ? 0 : samples.pairs;
        const auto add = [&](const char* branch, double tokens, double of_samples) {
            const auto site = std::ranges::find_if(sites, [&](const config::RouterSite& s) { return s.layer == layer && s.branch == branch; });
            const LayerMemory memory = site == sites.end() ? denseMemory(model, model.activation == "swiglu", number(model.ffn_width), tokens)
                                                           : siteMemory(config, *site, tokens, of_samples);
            kept_here += memory.kept;
            widest = std::max(widest, memory.widest);
        };
        if (std::ranges::any_of(sites, [&](const config::RouterSite& s) { return s.layer == layer && s.branch == "all"; })) {
            add("all", rows, samples.images + samples.texts + pairs);
            continue;
        }
        add("v", top ? images : images + pair_patches, samples.images + pairs);
        add("t", top ? texts : texts + pair_words, samples.texts + pairs);
        if (top) add("vl", pair_patches + pair_words, pairs);
    }
    for (const double layer : of_layers) {
        kept += train.checkpoint_activations ? rows * d : layer;
        if (train.checkpoint_activations) largest_layer = std::max(largest_layer, layer);
    }
    const double own_pairs = number(train.batch_pairs);
    const double hidden_patches = patches * (number(train.batch_images) * train.mask_image + own_pairs * train.mask_pair_image);
    const double hidden_words = words * (number(train.batch_texts) * train.mask_text + own_pairs * train.mask_pair_text);
    const double predicted = shape.picture_codes > 0 ? number(shape.picture_codes) : numbers;
    // Rows taken out of the last layer, normalised, predicted and compared.
    kept += rows * d + (hidden_patches + hidden_words) * 2 * d + hidden_patches * 3 * predicted + hidden_words * 2 * vocabulary;

    MemoryEstimate estimate;
    estimate.gradients = kBytes * parameters;
    estimate.weights = kBytes * parameters * (train.ema_decay > 0 ? 2 : 1);
    estimate.moments = 2 * kBytes * parameters;
    estimate.activations = kBytes * kept;
    estimate.working =
        kBytes * (std::max(largest_layer + 2 * widest + 6 * rows * d, hidden_words * vocabulary) + kBatchesAhead * 2 * (images + pair_patches) * numbers);
    return estimate;
}

}  // namespace es::engine
