// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/account.h"

#include <algorithm>

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

std::int64_t ffnParameters(std::int64_t width, std::int64_t hidden) { return 2 * width * hidden + hidden + width; }
double ffnFlops(double tokens, std::int64_t width, std::int64_t hidden) { return 4 * tokens * static_cast<double>(width * hidden); }

void addBranch(Ledger& ledger, const config::RunConfig& config, bool experts_here, double tokens) {
    const std::int64_t width = config.model.width;
    const bool sparse = experts_here && config.model.ffn == "moe";
    ledger.parameters(2 * width);  // norm
    if (!sparse) {
        const std::int64_t hidden = experts_here ? config.moe.k * config.moe.expert_width : config.model.ffn_width;
        ledger.parameters(ffnParameters(width, hidden));
        ledger.flops(ffnFlops(tokens, width, hidden));
        return;
    }
    const std::int64_t one = ffnParameters(width, config.moe.expert_width);
    ledger.parameters(width * config.moe.experts);
    ledger.flops(2 * tokens * static_cast<double>(width * config.moe.experts));
    ledger.account.parameters_total += config.moe.experts * one;
    ledger.account.parameters_active += config.moe.k * one;
    const double flops = 3 * ffnFlops(tokens, width, config.moe.expert_width);
    ledger.account.flops_per_step_active += flops * static_cast<double>(config.moe.k);
    ledger.account.flops_per_step_total += flops * static_cast<double>(config.moe.experts);
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
