// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/account.h"

#include <algorithm>
#include <array>

#include "engine/model/router.h"

namespace es::engine {
namespace {

enum class Part : std::uint8_t {
    kEmbeddings,
    kAttention,
    kVisionFfn,
    kTextFfn,
    kPairFfn,
    kVisionExperts,
    kTextExperts,
    kSharedExperts,
    kRouters,
    kNorms,
    kPictureHead,
    kWordHead,
};
constexpr std::array<const char*, 12> kPartNames{"embeddings", "attention",      "V-FFN",   "T-FFN", "VL-FFN",       "V-experts",
                                                 "T-experts",  "shared experts", "routers", "norms", "picture head", "word head"};

/// Sums while it goes through the parts of the model.
struct Ledger {
    std::array<ModelCost, kPartNames.size()> costs = {};

    ModelCost& of(Part part) { return costs[static_cast<std::size_t>(part)]; }
    void parameters(Part part, std::int64_t count) {
        of(part).parameters_total += count;
        of(part).parameters_active += count;
    }
    void flops(Part part, double forward) {
        of(part).flops_per_step_active += 3 * forward;
        of(part).flops_per_step_total += 3 * forward;
    }
    [[nodiscard]] ModelAccount account() const {
        ModelAccount account;
        for (std::size_t i = 0; i < costs.size(); ++i) {
            const ModelCost& cost = costs[i];
            account.parameters_total += cost.parameters_total;
            account.parameters_active += cost.parameters_active;
            account.flops_per_step_active += cost.flops_per_step_active;
            account.flops_per_step_total += cost.flops_per_step_total;
            if (cost.parameters_total > 0) account.parts.push_back({cost, kPartNames[i]});
        }
        return account;
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
    bool gated = false, biases = true, sub_norm = false;
    [[nodiscard]] std::int64_t matrices() const { return (gated ? 3 : 2) * width * hidden; }
    [[nodiscard]] std::int64_t parameters() const { return matrices() + (biases && !gated ? hidden + width : 0); }
    [[nodiscard]] std::int64_t norms() const { return sub_norm ? 2 * hidden : 0; }
    [[nodiscard]] double flops(double tokens) const { return 2 * tokens * static_cast<double>(matrices()); }
};

void addDense(Ledger& ledger, Part part, const Network& network, double tokens) {
    ledger.parameters(Part::kNorms, 2 * network.width + network.norms());
    ledger.parameters(part, network.parameters());
    ledger.flops(part, network.flops(tokens));
}

/// Choices that are computed, over k a token.
double computedShare(const config::MoeOptions& moe) {
    if (moe.router == "expert_choice") return moe.capacity_factor;
    return moe.dispatch == "capacity" ? std::min(1.0, moe.capacity_factor) : 1.0;
}

void addMixture(Ledger& ledger, Part part, const config::RunConfig& config, double tokens) {
    const config::MoeOptions& moe = config.moe;
    const std::int64_t width = config.model.width;
    const Network one{width, moe.expert_width, moe.activation == "swiglu", moe.biases, config.model.sub_norm};
    const double tokens_per_choice = computedShare(moe) * tokens;
    const std::int64_t router = routerParameters(moe.router, width, moe.experts, moe.cosine_width);
    ledger.parameters(Part::kRouters, router);
    ledger.flops(Part::kRouters, 2 * tokens * static_cast<double>(router));
    ledger.parameters(Part::kNorms, 2 * width);
    ledger.of(Part::kNorms).parameters_total += moe.experts * one.norms();
    ledger.of(Part::kNorms).parameters_active += moe.k * one.norms();
    ModelCost& experts = ledger.of(part);
    experts.parameters_total += moe.experts * one.parameters();
    experts.parameters_active += moe.k * one.parameters();
    experts.flops_per_step_active += 3 * static_cast<double>(moe.k) * one.flops(tokens_per_choice);
    experts.flops_per_step_total += 3 * static_cast<double>(moe.experts) * one.flops(tokens);
    if (moe.shared_experts == 0) return;
    const Network shared{width, moe.shared_experts * moe.expert_width, one.gated, moe.biases, one.sub_norm};
    ledger.parameters(Part::kNorms, shared.norms());
    ledger.parameters(Part::kSharedExperts, shared.parameters() + (moe.shared_gate ? width : 0));
    ledger.flops(Part::kSharedExperts, shared.flops(tokens) + (moe.shared_gate ? 2 * tokens * static_cast<double>(width) : 0.0));
}

/// A branch of a layer: dense, experts, or the dense twin of experts.
void addBranch(Ledger& ledger, const config::RunConfig& config, Branch branch, bool experts_here, double tokens) {
    const config::ModelOptions& model = config.model;
    const config::MoeOptions& moe = config.moe;
    const Part dense = branch == Branch::kVision ? Part::kVisionFfn : branch == Branch::kText ? Part::kTextFfn : Part::kPairFfn;
    if (!experts_here) return addDense(ledger, dense, {model.width, model.ffn_width, model.activation == "swiglu", model.ffn_biases, model.sub_norm}, tokens);
    if (model.ffn == "moe") return addMixture(ledger, branch == Branch::kVision ? Part::kVisionExperts : Part::kTextExperts, config, tokens);
    const Network twin{model.width, (moe.k + moe.shared_experts) * moe.expert_width, moe.activation == "swiglu", moe.biases, model.sub_norm};
    addDense(ledger, dense, twin, tokens);
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

    ledger.parameters(Part::kEmbeddings,
                      numbers * width + width + width + (shape.vocabulary + 1) * width + patches * width + shape.max_words * width + 2 * width);
    ledger.flops(Part::kEmbeddings, 2 * tokens.vision() * static_cast<double>(numbers) * d);

    const std::int64_t copies = model.attention == "decoupled" ? 2 : 1;
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        ledger.parameters(Part::kAttention, copies * (4 * width * width + 4 * width));
        ledger.parameters(Part::kNorms, copies * (model.sub_norm ? 4 : 2) * width + (model.layer_scale > 0 ? 2 * width : 0));
        ledger.flops(Part::kAttention, 8 * tokens.all() * d * d);
        ledger.flops(Part::kAttention, 4 * d * (images * p * p + pairs * (p + l) * (p + l) + texts * l * l));
        const bool moe_layer = std::ranges::find(model.moe_layers, layer) != model.moe_layers.end();
        const bool top = layer >= model.layers - model.vl_layers;
        const auto hasExperts = [&](const char* branch) { return moe_layer && std::ranges::find(model.moe_branches, branch) != model.moe_branches.end(); };
        addBranch(ledger, config, Branch::kVision, hasExperts("v"), top ? tokens.images : tokens.vision());
        addBranch(ledger, config, Branch::kText, hasExperts("t"), top ? tokens.words : tokens.text());
        if (top) addBranch(ledger, config, Branch::kVisionLanguage, false, tokens.pairs());
    }

    ledger.parameters(Part::kNorms, 4 * width);
    ledger.parameters(Part::kPictureHead, width * numbers + numbers);
    ledger.parameters(Part::kWordHead, width * shape.vocabulary + shape.vocabulary);
    const double hidden_patches = tokens.images * train.mask_image + tokens.pair_patches * train.mask_pair_image;
    const double hidden_words = tokens.words * train.mask_text + tokens.pair_words * train.mask_pair_text;
    ledger.flops(Part::kPictureHead, 2 * d * hidden_patches * static_cast<double>(numbers));
    ledger.flops(Part::kWordHead, 2 * d * hidden_words * static_cast<double>(shape.vocabulary));
    return ledger.account();
}

std::int64_t parametersInScope(const ModelAccount& account, config::CountScope scope, std::int64_t width) {
    constexpr std::int64_t kPictureCodes = 8192;
    const bool heads = scope == config::CountScope::kWithWordAndCodeHead;
    std::int64_t count = heads ? (width + 1) * kPictureCodes : 0;
    for (const PartAccount& part : account.parts)
        if (part.name != "picture head" && (heads || part.name != "word head")) count += part.parameters_total;
    return count;
}

}  // namespace es::engine
