// SPDX-License-Identifier: GPL-3.0-or-later
// Options of the transformer, [model], and of the picture tokenizer, [tokenizer].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/option.h"

namespace es::config {

/// Names that model.preset may have, the demo's first.
[[nodiscard]] std::vector<std::string_view> presetNames();

struct ModelOptions {
    std::string preset = "tiny";
    std::string ffn = "moe";
    std::int64_t width = 128;
    std::int64_t layers = 4;
    std::int64_t heads = 4;
    std::int64_t patch = 8;
    std::int64_t ffn_width = 256;
    std::string activation = "gelu";
    bool ffn_biases = true;
    std::vector<std::int64_t> moe_layers = {1, 2};
    std::vector<std::string> moe_branches = {"v", "t"};
    std::int64_t vl_layers = 1;
    std::string attention = "shared";
    bool sub_norm = false;
    double layer_scale = 0;
    double drop_path = 0;
    std::vector<double> ffn_scales = {};
    std::string image_target = "pixels";
    std::string init_from;
    double upcycle_noise = 0;
    bool upcycle_shared = false;

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("preset", preset,
              OptionInfo{.help = "Sizes to start from, those of picture, text and vocabulary among them; keys given beside it win. vlmo-... (arXiv:2111.02358) "
                                 "and beit3-... "
                                 "(arXiv:2208.10442) are dense; -16e and -32e have as many experts of the FFN's size in every other layer; -dense and "
                                 "-scaled-dense are the twins",
                         .choices = presetNames()});
        visit("ffn", ffn,
              OptionInfo{
                  .help = "Feed-forward of the MoE layers: experts, a dense twin of equal active compute, or that twin with its output scaled by ffn_scales",
                  .choices = {"moe", "dense", "scaled_dense"}});
        visit("width", width, OptionInfo{.help = "Width of the token vectors", .min = 8, .max = 65536});
        visit("layers", layers, OptionInfo{.help = "Transformer blocks", .unit = "layers", .min = 1, .max = 512});
        visit("heads", heads, OptionInfo{.help = "Attention heads; must divide width", .min = 1, .max = 512});
        visit("patch", patch, OptionInfo{.help = "Side of an image patch; must divide data.image_size", .unit = "pixels", .min = 1, .max = 256});
        visit("ffn_width", ffn_width, OptionInfo{.help = "Hidden width of the dense feed-forward networks", .min = 1, .max = 262144});
        visit("activation", activation,
              OptionInfo{
                  .help = "Of the dense feed-forward networks. gelu: w2 gelu(w1 x + b1) + b2; swiglu: w2 (silu(w1 x) * (w3 x)), a third matrix and no biases",
                  .choices = {"gelu", "swiglu"}});
        visit("ffn_biases", ffn_biases, OptionInfo{.help = "Whether the dense networks have biases; swiglu has none"});
        visit("moe_layers", moe_layers, OptionInfo{.help = "Layers (from 0) whose feed-forward networks are mixtures of experts", .min = 0});
        visit("moe_branches", moe_branches, OptionInfo{.help = "Branches that get experts in those layers", .choices = {"v", "t"}});
        visit("vl_layers", vl_layers,
              OptionInfo{.help = "Top layers in which image-text pairs use a vision-language FFN of their own", .unit = "layers", .min = 0});
        visit("attention", attention,
              OptionInfo{.help = "shared: one set of attention weights for both modalities (VLMo); decoupled: one per modality (BEiT-3's code)",
                         .choices = {"shared", "decoupled"}});
        visit("sub_norm", sub_norm,
              OptionInfo{.help = "Sub-LayerNorm (Magneto, arXiv:2210.06423; BEiT-3's code): also normalises before the output projections of attention and of "
                                 "each network"});
        visit(
            "layer_scale", layer_scale,
            OptionInfo{.help = "First value of a learned factor for each channel of what a sublayer adds (LayerScale, arXiv:2103.17239; VLMo: 0.1); 0 has none",
                       .min = 0,
                       .max = 10});
        visit("drop_path", drop_path,
              OptionInfo{.help = "Stochastic depth (arXiv:1603.09382): probability that a sample skips a sublayer of the top layer in training; rises linearly "
                                 "from 0 in the first",
                         .min = 0,
                         .max = 0.9});
        visit("ffn_scales", ffn_scales,
              OptionInfo{.help = "For scaled_dense: the frozen factor on the FFN output, per MoE layer in order of moe_layers, first v then t within a layer. "
                                 "To be measured: the mean "
                                 "gate of the sparse twin. A -scaled-dense preset puts 0.23, the demo's, until then",
                         .min = 0});
        visit("image_target", image_target,
              OptionInfo{.help = "What hidden patches are predicted as: their pixels, normalised by patch (MAE, arXiv:2111.06377), or the codes of a picture "
                                 "tokenizer (BEiT, arXiv:2106.08254)",
                         .choices = {"pixels", "codes"}});
        visit("init_from", init_from,
              OptionInfo{.help = "Checkpoint whose weights the run starts from: a run's folder (its newest checkpoint) or FOLDER:STEP, relative to the working "
                                 "folder; empty starts from random weights. Where that model is dense and this one has experts, each becomes a copy of the "
                                 "dense network (sparse upcycling, arXiv:2212.05055), or, m times as many 1/m as wide, a slice of it (arXiv:2410.07524). "
                                 "Positions of pictures of another size are interpolated, bicubic; captions may be longer or shorter. The vocabulary, the "
                                 "patch and all other sizes must be the same"});
        visit("upcycle_noise", upcycle_noise,
              OptionInfo{.help = "Share of the weights of upcycled experts that is drawn anew, deviation 0.02, so that copies differ (OLMoE tried 0.5); 0 none",
                         .min = 0,
                         .max = 1});
        visit("upcycle_shared", upcycle_shared,
              OptionInfo{.help = "Whether shared experts start as a copy of the dense network too, which must be as wide as they are; else they start random"});
    }
};

/// The picture tokenizer: a VQ autoencoder of single patches.
struct TokenizerOptions {
    std::int64_t codes = 512;
    std::int64_t code_width = 16;
    std::int64_t width = 192;
    std::int64_t steps = 600;
    std::int64_t batch_pictures = 64;
    double learning_rate = 2e-3;
    double decay = 0.95;
    double commitment = 0.25;
    double revive_below = 0.2;
    std::int64_t seed = 1;

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("codes", codes, OptionInfo{.help = "Codes of the codebook: kinds of patches that are told apart", .unit = "codes", .min = 2, .max = 65536});
        visit("code_width", code_width, OptionInfo{.help = "Numbers in a code, a vector of length 1", .min = 2, .max = 1024});
        visit("width", width, OptionInfo{.help = "Hidden width of the encoder and the decoder", .min = 8, .max = 8192});
        visit("steps", steps, OptionInfo{.help = "Training steps of the tokenizer", .unit = "steps", .min = 1, .max = 1e7});
        visit(
            "batch_pictures", batch_pictures,
            OptionInfo{.help = "Pictures in a step, with all their patches that are neither transparent nor flat", .unit = "samples", .min = 1, .max = 65536});
        visit("learning_rate", learning_rate, OptionInfo{.help = "Peak learning rate of the tokenizer", .min = 1e-9, .max = 1});
        visit("decay", decay,
              OptionInfo{.help = "Share of the old that the moving averages behind the codes keep each step (VQ-VAE, arXiv:1711.00937, appendix A.1)",
                         .min = 0,
                         .max = 0.99999});
        visit("commitment", commitment, OptionInfo{.help = "Weight of what draws the encoder's vectors to their codes", .min = 0, .max = 100});
        visit(
            "revive_below", revive_below,
            OptionInfo{.help = "A code used less than this share of an even use starts again as a vector of the batch; 0 lets codes die", .min = 0, .max = 1});
        visit("seed", seed, OptionInfo{.help = "Seed of the tokenizer's random numbers, apart from the run's", .min = 0});
    }
};

}  // namespace es::config
