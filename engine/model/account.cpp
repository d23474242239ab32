// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/account.h"

#include <algorithm>
#include <array>

#include "engine/config/router_settings.h"
#include "engine/model/alignment_head.h"
#include "engine/model/router.h"

namespace es::engine {
namespace {

enum class Part : std::uint8_t {
    kEmbeddings,
    kAttention,
    kVisionFfn,
    kTextFfn,
    kPairFfn,
    kPoolFfn,
    kVisionExperts,
    kTextExperts,
    kPoolExperts,
    kSharedExperts,
    kRouters,
    kNorms,
    kPictureHead,
    kWordHead,
    kPairHeads,
};
constexpr std::array<const char*, 15> kPartNames{"embeddings",   "attention",      "V-FFN",   "T-FFN", "VL-FFN",       "pool FFN",  "V-experts", "T-experts",
                                                 "pool experts", "shared experts", "routers", "norms", "picture head", "word head", "pair heads"};

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
    /// `micro_batches`: that a step has.
    [[nodiscard]] ModelAccount account(std::int64_t micro_batches) const {
        ModelAccount account;
        for (std::size_t i = 0; i < costs.size(); ++i) {
            ModelCost cost = costs[i];
            cost.flops_per_step_active *= static_cast<double>(micro_batches);
            cost.flops_per_step_total *= static_cast<double>(micro_batches);
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

/// What a branch gets in a step.
struct BranchLoad {
    double tokens = 0, samples = 0;
};

/// Choices that are computed, over k a token.
double computedShare(const config::MoeOptions& moe) {
    if (moe.router == "expert_choice") return moe.capacity_factor;
    return moe.dispatch == "capacity" ? std::min(1.0, moe.capacity_factor) : 1.0;
}

/// A mixture whose slots are filled with means of tokens: every expert works for every token.
void addSoftExperts(Ledger& ledger, Part part, const config::MoeOptions& moe, const Network& one, const BranchLoad& load) {
    const double slots = static_cast<double>(config::routerOutputs(moe)), mixing = 2 * load.tokens * slots * static_cast<double>(one.width);
    ledger.parameters(Part::kRouters, 1);  // the scale
    ledger.flops(Part::kRouters, 2 * mixing);
    ledger.parameters(Part::kNorms, moe.experts * one.norms());
    ledger.parameters(part, moe.experts * one.parameters());
    ledger.of(part).flops_per_step_active += 3 * one.flops(load.samples * slots);
    ledger.of(part).flops_per_step_total += 3 * static_cast<double>(moe.experts) * one.flops(load.tokens);
}

void addChosenExperts(Ledger& ledger, Part part, const config::MoeOptions& moe, const Network& one, double tokens) {
    ledger.of(Part::kNorms).parameters_total += moe.experts * one.norms();
    ledger.of(Part::kNorms).parameters_active += moe.k * one.norms();
    ModelCost& experts = ledger.of(part);
    experts.parameters_total += moe.experts * one.parameters();
    experts.parameters_active += moe.k * one.parameters();
    experts.flops_per_step_active += 3 * static_cast<double>(moe.k) * one.flops(computedShare(moe) * tokens);
    experts.flops_per_step_total += 3 * static_cast<double>(moe.experts) * one.flops(tokens);
}

void addMixture(Ledger& ledger, Part part, const config::RunConfig& config, const config::MoeOptions& moe, const BranchLoad& load) {
    const std::int64_t width = config.model.width;
    const double tokens = load.tokens;
    const Network one{width, moe.expert_width, moe.activation == "swiglu", moe.biases, config.model.sub_norm};
    const std::int64_t router = routerWeights(moe.router, width, config::routerOutputs(moe), moe.cosine_width);
    ledger.parameters(Part::kRouters, router + (moe.pool == "shared" && router > 0 ? kModalities * width : 0));
    ledger.flops(Part::kRouters, 2 * tokens * static_cast<double>(router));
    ledger.parameters(Part::kNorms, 2 * width);
    if (isSoft(moe.router)) addSoftExperts(ledger, part, moe, one, load);
    else addChosenExperts(ledger, part, moe, one, tokens);
    if (moe.shared_experts == 0) return;
    const Network shared{width, moe.shared_experts * moe.expert_width, one.gated, moe.biases, one.sub_norm};
    ledger.parameters(Part::kNorms, shared.norms());
    ledger.parameters(Part::kSharedExperts, shared.parameters() + (moe.shared_gate ? width : 0));
    ledger.flops(Part::kSharedExperts, shared.flops(tokens) + (moe.shared_gate ? 2 * tokens * static_cast<double>(width) : 0.0));
}

/// A branch of a layer without experts.
void addBranch(Ledger& ledger, const config::RunConfig& config, Part dense, double tokens) {
    const config::ModelOptions& model = config.model;
    addDense(ledger, dense, {model.width, model.ffn_width, model.activation == "swiglu", model.ffn_biases, model.sub_norm}, tokens);
}

/// Experts, or their dense twin.
void addSite(Ledger& ledger, const config::RunConfig& config, const config::RouterSite& site, const BranchLoad& load) {
    const config::MoeOptions moe = config::routerSettings(config, site).moe;
    const bool vision = site.branch == "v", text = site.branch == "t";
    if (config.model.ffn == "moe") {
        addMixture(ledger, vision ? Part::kVisionExperts : text ? Part::kTextExperts : Part::kPoolExperts, config, moe, load);
        return;
    }
    const Network twin{config.model.width, config::twinWidth(moe), moe.activation == "swiglu", moe.biases, config.model.sub_norm};
    addDense(ledger, vision ? Part::kVisionFfn : text ? Part::kTextFfn : Part::kPoolFfn, twin, load.tokens);
}

}  // namespace

StepSamples samplesThroughLayers(const config::RunConfig& config, bool look_ahead) {
    const config::TrainOptions& train = config.train;
    const double pairs = static_cast<double>(train.batch_pairs);
    StepSamples out{static_cast<double>(train.batch_images), static_cast<double>(train.batch_texts), pairs};
    const bool contrastive = config.loss.contrastive > 0, matching = config.loss.matching > 0;
    const double alone = (contrastive ? pairs : 0) + (look_ahead && contrastive && matching ? pairs / 3 : 0);
    out.images += alone;
    out.texts += alone;
    if (matching) out.pairs += 3 * pairs;
    return out;
}

ModelAccount accountFor(const config::RunConfig& config, const DataShape& shape) {
    const config::ModelOptions& model = config.model;
    const config::TrainOptions& train = config.train;
    const std::int64_t width = model.width, side = shape.image_size / model.patch, patches = side * side;
    const std::int64_t numbers = model.patch * model.patch * 3;
    const double d = static_cast<double>(width), p = static_cast<double>(patches), l = static_cast<double>(shape.max_words);
    const auto [images, texts, pairs] = samplesThroughLayers(config, /*look_ahead=*/true);
    const Tokens tokens{images * p, pairs * p, pairs * l, texts * l};
    Ledger ledger;

    ledger.parameters(Part::kEmbeddings,
                      numbers * width + width + width + (shape.vocabulary + 1) * width + patches * width + shape.max_words * width + 2 * width);
    ledger.flops(Part::kEmbeddings, 2 * tokens.vision() * static_cast<double>(numbers) * d);

    const std::int64_t copies = model.attention == "decoupled" ? 2 : 1;
    const std::vector<config::RouterSite> sites = config::routerSites(config);
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        ledger.parameters(Part::kAttention, copies * (4 * width * width + 4 * width));
        ledger.parameters(Part::kNorms, copies * (model.sub_norm ? 4 : 2) * width + (model.layer_scale > 0 ? 2 * width : 0));
        ledger.flops(Part::kAttention, 8 * tokens.all() * d * d);
        ledger.flops(Part::kAttention, 4 * d * (images * p * p + pairs * (p + l) * (p + l) + texts * l * l));
        const bool top = layer >= model.layers - model.vl_layers;
        const auto site = [&](const char* branch) {
            const auto found = std::ranges::find_if(sites, [&](const config::RouterSite& s) { return s.layer == layer && s.branch == branch; });
            return found == sites.end() ? nullptr : &*found;
        };
        if (const config::RouterSite* all = site("all")) {
            addSite(ledger, config, *all, {tokens.all(), images + pairs + texts});
            continue;
        }
        const double vision = top ? tokens.images : tokens.vision(), text = top ? tokens.words : tokens.text();
        if (const config::RouterSite* v = site("v")) addSite(ledger, config, *v, {vision, images + (top ? 0 : pairs)});
        else addBranch(ledger, config, Part::kVisionFfn, vision);
        if (const config::RouterSite* t = site("t")) addSite(ledger, config, *t, {text, texts + (top ? 0 : pairs)});
        else addBranch(ledger, config, Part::kTextFfn, text);
        if (top) addBranch(ledger, config, Part::kPairFfn, tokens.pairs());
    }

    ledger.parameters(Part::kNorms, 4 * width);
    const std::int64_t predicted = shape.picture_codes > 0 ? shape.picture_codes : numbers;
    ledger.parameters(Part::kPictureHead, width * predicted + predicted);
    ledger.parameters(Part::kWordHead, width * shape.vocabulary + shape.vocabulary);
    const double own_images = static_cast<double>(train.batch_images), own_texts = static_cast<double>(train.batch_texts),
                 own_pairs = static_cast<double>(train.batch_pairs);
    const double hidden_patches = p * (own_images * train.mask_image + own_pairs * train.mask_pair_image);
    const double hidden_words = l * (own_texts * train.mask_text + own_pairs * train.mask_pair_text);
    ledger.flops(Part::kPictureHead, 2 * d * hidden_patches * static_cast<double>(predicted));
    ledger.flops(Part::kWordHead, 2 * d * hidden_words * static_cast<double>(shape.vocabulary));
    const AlignmentOptions alignment{width, config.loss.contrastive > 0, config.loss.matching > 0};
    const AlignmentParameters pair_heads = alignmentParameters(alignment);
    ledger.parameters(Part::kPairHeads, pair_heads.head);
    ledger.parameters(Part::kNorms, pair_heads.norms);
    if (alignment.contrastive) ledger.flops(Part::kPairHeads, 2 * own_pairs * (2 * d * d + own_pairs * d));
    if (alignment.matching) ledger.flops(Part::kPairHeads, 2 * 3 * own_pairs * (2 * d * d + d));
    return ledger.account(config.train.accumulate);
}

std::int64_t parametersInScope(const ModelAccount& account, config::CountScope scope, std::int64_t width) {
    constexpr std::int64_t kPictureCodes = 8192;
    const bool heads = scope == config::CountScope::kWithWordAndCodeHead;
    std::int64_t count = heads ? (width + 1) * kPictureCodes : 0;
    for (const PartAccount& part : account.parts)
        if (part.name != "picture head" && part.name != "pair heads" && (heads || part.name != "word head")) count += part.parameters_total;
    return count;
}

}  // namespace es::engine
