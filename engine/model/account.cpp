// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/account.h"

#include <algorithm>

#include "engine/model/router.h"

namespace es::engine {
namespace {

/// Sums while it goes through the parts of the model.
struct Ledger {
    ModelAccount account;
    void parameters(std::int64_t count) {
        account.parameters_total += count;
        account.parameters_active += count;
    }
    void flops(double forward) {
        account.flops_per_step_active += 3 * forward;
        account.flops_per_step_total += 3 * forward;
    }
};

struct Tokens {
    double images = 0, pair_patches = 0, pair_words = 0, words = 0;
    [[nodiscard]] double vision() const { return images + pair_patches; }
    [[nodiscard]] double text() const { return pair_words + words; }
    [[nodiscard]] double pairs() const { return pair_patches + pair_words; }
    [[nodiscard]] double all() const { return vision() + text(); }
};

/// One feed-forward network: gelu two matrices and perhaps biases, swiglu three and none.
struct Network {
    std::int64_t width = 0, hidden = 0;
    bool gated = false, biases = true;
    [[nodiscard]] std::int64_t matrices() const { return (gated ? 3 : 2) * width * hidden; }
    [[nodiscard]] std::int64_t parameters() const { return matrices() + (biases && !gated ? hidden + width : 0); }
    [[nodiscard]] double flops(double tokens) const { return 2 * tokens * static_cast<double>(matrices()); }
};

void addDense(Ledger& ledger, const Network& network, double tokens) {
    ledger.parameters(2 * network.width);  // norm
    ledger.parameters(network.parameters());
    ledger.flops(network.flops(tokens));
}

/// Choices that are computed, over k a token.
double computedShare(const config::MoeOptions& moe) {
    if (moe.router == "expert_choice") return moe.capacity_factor;
    return moe.dispatch == "capacity" ? std::min(1.0, moe.capacity_factor) : 1.0;
}

void addMixture(Ledger& ledger, const config::MoeOptions& moe, std::int64_t width, double tokens) {
    const Network one{width, moe.expert_width, moe.activation == "swiglu", moe.biases};
    const double tokens_per_choice = computedShare(moe) * tokens;
    ledger.parameters(2 * width);  // norm
    const std::int64_t router = routerParameters(moe.router, width, moe.experts, moe.cosine_width);
    ledger.parameters(router);
    ledger.flops(2 * tokens * static_cast<double>(router));
    ledger.account.parameters_total += moe.experts * one.parameters();
    ledger.account.parameters_active += moe.k * one.parameters();
    ledger.account.flops_per_step_active += 3 * static_cast<double>(moe.k) * one.flops(tokens_per_choice);
    ledger.account.flops_per_step_total += 3 * static_cast<double>(moe.experts) * one.flops(tokens);
    if (moe.shared_experts == 0) return;
    const Network shared{width, moe.shared_experts * moe.expert_width, one.gated, moe.biases};
    ledger.parameters(shared.parameters() + (moe.shared_gate ? width : 0));
    ledger.flops(shared.flops(tokens) + (moe.shared_gate ? 2 * tokens * static_cast<double>(width) : 0.0));
}

/// A branch of a layer: dense, experts, or the dense twin of experts.
void addBranch(Ledger& ledger, const config::RunConfig& config, bool experts_here, double tokens) {
    const config::ModelOptions& model = config.model;
    const config::MoeOptions& moe = config.moe;
    if (!experts_here) return addDense(ledger, {model.width, model.ffn_width, model.activation == "swiglu", model.ffn_biases}, tokens);
    if (model.ffn == "moe") return addMixture(ledger, moe, model.width, tokens);
    addDense(ledger, {model.width, (moe.k + moe.shared_experts) * moe.expert_width, moe.activation == "swiglu", moe.biases}, tokens);
}

}  // namespace

ModelAccount accountFor(const config::RunConfig& config, const DataShape& shape) {
    const config::ModelOptions& model = config.model;
    const config::TrainOptions& train = config.train;
    const std::int64_t width = model.width, side = shape.image_size / model.patch, patches = side * side;
    const std::int64_t numbers = model.patch * model.patch * 3;
    const double d = static_cast<double>(width), p = static_cast<double>(patches), l = static_cast<double>(shape.max_words);
    const double images = static_cast<double>(train.batch_images), texts = static_cast<double>(train.batch_texts),
                 pairs = static_cast<double>(train.batch_pairs);
    const Tokens tokens{images * p, pairs * p, pairs * l, texts * l};
    Ledger ledger;

    ledger.parameters(numbers * width + width + width + (shape.vocabulary + 1) * width + patches * width + shape.max_words * width + 2 * width);
    ledger.flops(2 * tokens.vision() * static_cast<double>(numbers) * d);

    const std::int64_t copies = model.attention == "decoupled" ? 2 : 1;
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        ledger.parameters(copies * (2 * width + 4 * width * width + 4 * width));
        ledger.flops(8 * tokens.all() * d * d);
        ledger.flops(4 * d * (images * p * p + pairs * (p + l) * (p + l) + texts * l * l));
        const bool moe_layer = std::ranges::find(model.moe_layers, layer) != model.moe_layers.end();
        const bool top = layer >= model.layers - model.vl_layers;
        const auto hasExperts = [&](const char* branch) { return moe_layer && std::ranges::find(model.moe_branches, branch) != model.moe_branches.end(); };
        addBranch(ledger, config, hasExperts("v"), top ? tokens.images : tokens.vision());
        addBranch(ledger, config, hasExperts("t"), top ? tokens.words : tokens.text());
        if (top) addBranch(ledger, config, false, tokens.pairs());
    }

    ledger.parameters(4 * width + width * numbers + numbers + width * shape.vocabulary + shape.vocabulary);
    const double hidden_patches = tokens.images * train.mask_image + tokens.pair_patches * train.mask_pair_image;
    const double hidden_words = tokens.words * train.mask_text + tokens.pair_words * train.mask_pair_text;
    ledger.flops(2 * d * (hidden_patches * static_cast<double>(numbers) + hidden_words * static_cast<double>(shape.vocabulary)));
    return ledger.account;
}

}  // namespace es::engine
