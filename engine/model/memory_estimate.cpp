// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/memory_estimate.h"

#include <algorithm>

#include "engine/model/account.h"

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

LayerMemory branchMemory(const config::RunConfig& config, bool experts_here, double tokens) {
    const config::ModelOptions& model = config.model;
    const config::MoeOptions& moe = config.moe;
    const double d = number(model.width), width = number(moe.expert_width);
    const bool gated = (experts_here ? moe.activation : model.activation) == "swiglu";
    LayerMemory memory{tokens * d, 0};  // the branch's norm
    if (!experts_here || model.ffn != "moe") {
        const double hidden = experts_here ? number(moe.k + moe.shared_experts) * width : number(model.ffn_width);
        memory.widest = tokens * hidden;
        memory.kept += tokens * keptHidden(gated, model.sub_norm, hidden);
        return memory;
    }
    const bool limited = moe.dispatch == "capacity" || moe.router == "expert_choice";
    const double slots = tokens * number(moe.k) * (limited ? moe.capacity_factor : 1.0);
    // Rows gathered into slots and the experts' outputs, which the gates' gradient needs.
    memory.kept += slots * (2 * d + keptHidden(gated, model.sub_norm, width)) + tokens * number(moe.experts) * kRouterNumbers;
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
    const double images = number(train.batch_images) * patches, pair_patches = number(train.batch_pairs) * patches;
    const double pair_words = number(train.batch_pairs) * words, texts = number(train.batch_texts) * words;
    const double rows = images + pair_patches + pair_words + texts;

    double kept = (images + pair_patches) * numbers, widest = 0;
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        // Input, its norm, queries, keys and values, what attention mixed, and the sum after it.
        kept += rows * ((7 + (model.sub_norm ? 1 : 0) + (model.layer_scale > 0 ? 2 : 0)) * d + number(model.heads));
        const bool moe_layer = std::ranges::find(model.moe_layers, layer) != model.moe_layers.end();
        const bool top = layer >= model.layers - model.vl_layers;
        const auto add = [&](const char* branch, bool may, double tokens) {
            const bool experts = may && moe_layer && std::ranges::find(model.moe_branches, branch) != model.moe_branches.end();
            const LayerMemory memory = branchMemory(config, experts, tokens);
            kept += memory.kept;
            widest = std::max(widest, memory.widest);
        };
        add("v", true, top ? images : images + pair_patches);
        add("t", true, top ? texts : texts + pair_words);
        if (top) add("vl", false, pair_patches + pair_words);
    }
    const double hidden_patches = images * train.mask_image + pair_patches * train.mask_pair_image;
    const double hidden_words = texts * train.mask_text + pair_words * train.mask_pair_text;
    // Rows taken out of the last layer, normalised, predicted and compared.
    kept += rows * d + (hidden_patches + hidden_words) * 2 * d + hidden_patches * 3 * numbers + hidden_words * 2 * vocabulary;

    MemoryEstimate estimate;
    estimate.weights = estimate.gradients = kBytes * parameters;
    estimate.moments = 2 * kBytes * parameters;
    estimate.activations = kBytes * kept;
    estimate.working = kBytes * (std::max(2 * widest + 6 * rows * d, hidden_words * vocabulary) + kBatchesAhead * 2 * (images + pair_patches) * numbers);
    return estimate;
}

}  // namespace es::engine
