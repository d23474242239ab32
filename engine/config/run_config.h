// SPDX-License-Identifier: GPL-3.0-or-later
// Everything that decides a training run. The whole of it, defaults included, is stored as run.toml.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config/option.h"

namespace es::config {

inline constexpr std::int64_t kSchemaVersion = 1;

/// Names that model.preset may have, the demo's first.
[[nodiscard]] std::vector<std::string_view> presetNames();

struct RunOptions {
    std::string name = "run";
    std::int64_t seed = 1;
    std::string device = "auto";
    std::string precision = "auto";
    std::int64_t threads = 0;

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("name", name, OptionInfo{.help = "Name of the run; also the name of its folder unless --out says otherwise"});
        visit("seed", seed, OptionInfo{.help = "Seed of every random number of the run: weights, order of samples, masks", .min = 0});
        visit("device", device, OptionInfo{.help = "Where to compute; auto takes a GPU when one can be used", .choices = {"auto", "cpu", "cuda"}});
        visit("precision", precision,
              OptionInfo{.help = "auto is bf16 where the hardware multiplies it fast, else fp32; router, losses and master weights are always fp32",
                         .choices = {"auto", "fp32", "bf16"}});
        visit("threads", threads,
              OptionInfo{
                  .help = "Compute threads; 0 takes all cores. Part of what a run's losses to the bit depend on", .unit = "threads", .min = 0, .max = 1024});
    }
};

struct DataOptions {
    std::string set = "emoji";
    std::string cache = "data";
    std::string image_tokenizer = "auto";
    std::int64_t image_size = 48;
    std::int64_t max_words = 16;
    std::int64_t vocabulary = 1024;
    bool keywords = true;
    std::int64_t threads = 1;

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("set", set, OptionInfo{.help = "Data set by name (see 'expertscope data list') or a folder of pictures with captions"});
        visit("cache", cache, OptionInfo{.help = "Folder for converted data; relative to the working folder"});
        visit("image_tokenizer", image_tokenizer,
              OptionInfo{.help = "For model.image_target = \"codes\": file of a picture tokenizer made by 'expertscope data tokenizer'; auto is the one that "
                                 "[tokenizer] describes, trained on these data when it is first needed and kept in the cache"});
        visit("image_size", image_size, OptionInfo{.help = "Side of the square pictures", .unit = "pixels", .min = 8, .max = 1024});
        visit("max_words", max_words, OptionInfo{.help = "Longest caption in tokens; longer ones are cut", .unit = "tokens", .min = 2, .max = 512});
        visit("vocabulary", vocabulary,
              OptionInfo{.help = "Size of the SentencePiece vocabulary trained on the training captions", .unit = "tokens", .min = 64, .max = 65536});
        visit("keywords", keywords, OptionInfo{.help = "Whether a sample's keywords follow its name in the caption"});
        visit("threads", threads,
              OptionInfo{.help = "Threads that prepare batches; the result does not depend on it", .unit = "threads", .min = 1, .max = 256});
    }
};

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

struct MoeOptions {
    std::int64_t experts = 8;
    std::int64_t k = 1;
    std::int64_t expert_width = 256;
    std::string activation = "gelu";
    bool biases = true;
    std::int64_t shared_experts = 0;
    bool shared_gate = false;
    std::string router = "softmax_topk";
    bool renormalize = false;
    double gate_scale = 1.0;
    double bias_rate = 0.0;
    double noise = 1.0;
    std::string score_function = "softmax";
    std::int64_t groups = 1;
    std::int64_t groups_kept = 1;
    std::string group_score = "max";
    std::int64_t cosine_width = 16;
    double cosine_temperature = 0.3;
    double sinkhorn_tolerance = 1e-4;
    std::int64_t sinkhorn_rounds = 100;
    double top_p = 0.7;
    double router_init_std = 0.02;
    std::string dispatch = "dropless";
    double capacity_factor = 1.25;
    double capacity_factor_eval = 2.0;
    std::string capacity_policy = "position";
    std::int64_t group_size = 0;
    double input_jitter = 0.0;
    bool quantile_balance = false;
    double quantile_ema = 0.0;
    std::int64_t slots = 4;
    std::string pool = "isolated";
    std::vector<std::string> overrides = {};

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("experts", experts,
              OptionInfo{.help = "Experts per router. Fine-grained experts (DeepSeekMoE): m times as many, each 1/m as wide, m times k",
                         .unit = "experts",
                         .min = 1,
                         .max = 65535});
        visit("k", k,
              OptionInfo{.help = "Experts that process each token (top_p: at most; expert_choice: on average, at a capacity factor of 1)",
                         .unit = "experts",
                         .min = 1,
                         .max = 64});
        visit("expert_width", expert_width, OptionInfo{.help = "Hidden width of an expert", .min = 1, .max = 262144});
        visit("activation", activation,
              OptionInfo{.help = "Of the experts and of their dense twin. gelu: w2 gelu(w1 x + b1) + b2; swiglu: w2 (silu(w1 x) * (w3 x)), a third matrix and "
                                 "no biases (Mixtral, Qwen)",
                         .choices = {"gelu", "swiglu"}});
        visit("biases", biases, OptionInfo{.help = "Whether the experts have biases; swiglu has none"});
        visit("shared_experts", shared_experts,
              OptionInfo{
                  .help = "Experts that every token goes through besides its chosen ones, built as one network that many times expert_width wide (DeepSeekMoE)",
                  .unit = "experts",
                  .min = 0,
                  .max = 64});
        visit("shared_gate", shared_gate,
              OptionInfo{.help = "Whether the output of the shared experts is scaled by a learned sigmoid gate of the token (Qwen)"});
        visit(
            "router", router,
            OptionInfo{
                .help = "How tokens choose experts. softmax_topk: softmax, then the k best (V-MoE); topk_softmax: softmax over the k best logits (Mixtral); "
                        "noisy_topk: with noise in training (V-MoE); sigmoid_topk and group_limited (DeepSeek); cosine: cosines to learned directions (X-MoE); "
                        "sinkhorn: the k best after balancing, in training (Megatron); base: in training the best balanced plan, k = 1 (BASE); top_p: as many as reach a probability, at most k; expert_choice: each "
                        "expert "
                        "takes its best capacity_factor k tokens / experts tokens; hash: fixed by the word or the patch's place, k = 1; random: drawn anew "
                        "each step; soft: every expert gets mixtures of a sample's tokens (Soft MoE), k "
                        "counts for the dense twin alone",
                .choices = {"softmax_topk", "topk_softmax", "noisy_topk", "sigmoid_topk", "group_limited", "cosine", "sinkhorn", "base", "top_p", "expert_choice",
                            "hash", "random", "soft"}});
        visit("renormalize", renormalize,
              OptionInfo{.help = "Whether the gates of the chosen experts are divided by their sum (softmax_topk, sigmoid_topk, group_limited)"});
        visit("gate_scale", gate_scale, OptionInfo{.help = "The gates times this (sigmoid_topk, group_limited; DeepSeek-V3 has 2.5)", .min = 0, .max = 100});
        visit("bias_rate", bias_rate,
              OptionInfo{.help = "How far a bias of each expert, which choices alone see, moves towards balance each step (sigmoid_topk, group_limited; "
                                 "DeepSeek-V3 has 0.001); 0 no bias",
                         .min = 0,
                         .max = 1});
        visit("noise", noise, OptionInfo{.help = "Deviation of noisy_topk's noise in training, times the number of experts; 0 none", .min = 0, .max = 100});
        visit("score_function", score_function, OptionInfo{.help = "What group_limited chooses and weighs by", .choices = {"softmax", "sigmoid"}});
        visit("groups", groups, OptionInfo{.help = "Groups of neighbouring experts of group_limited; must divide experts", .min = 1, .max = 65535});
        visit("groups_kept", groups_kept,
              OptionInfo{.help = "Groups of group_limited in which a token may choose; together they need k experts", .min = 1, .max = 65535});
        visit("group_score", group_score,
              OptionInfo{.help = "What makes a group of group_limited good: its best score (DeepSeek-V2) or the sum of its best two (DeepSeek-V3)",
                         .choices = {"max", "top2_sum"}});
        visit("cosine_width", cosine_width, OptionInfo{.help = "Dimensions in which the cosine router compares", .min = 1, .max = 65536});
        visit("cosine_temperature", cosine_temperature, OptionInfo{.help = "The cosine router's logits are cosines over this", .min = 0.001, .max = 100});
        visit("sinkhorn_tolerance", sinkhorn_tolerance,
              OptionInfo{.help = "Sinkhorn balancing ends when the experts' factors change by less than this on average", .min = 0, .max = 1});
        visit("sinkhorn_rounds", sinkhorn_rounds, OptionInfo{.help = "Most rounds of Sinkhorn balancing", .min = 1, .max = 100000});
        visit("top_p", top_p, OptionInfo{.help = "Probability that a token's experts reach together (top_p)", .min = 0.000001, .max = 1});
        visit("router_init_std", router_init_std, OptionInfo{.help = "Deviation of the router's initial weights", .min = 0, .max = 10});
        visit("dispatch", dispatch,
              OptionInfo{
                  .help = "dropless: every choice reaches its expert; capacity: an expert takes only so many tokens, a choice that finds it full adds nothing",
                  .choices = {"dropless", "capacity"}});
        visit("capacity_factor", capacity_factor,
              OptionInfo{.help = "Slots per expert relative to an even share, in training: ceil(factor k tokens / experts), at least 1; for dispatch = "
                                 "capacity and the expert_choice router",
                         .min = 0.01,
                         .max = 1000});
        visit("capacity_factor_eval", capacity_factor_eval, OptionInfo{.help = "The same in evaluation and inference", .min = 0.01, .max = 1000});
        visit("capacity_policy", capacity_policy,
              OptionInfo{.help = "Who gets the slots, all first choices before second ones. position: tokens in order; batch_priority: tokens of largest "
                                 "probability first (V-MoE)",
                         .choices = {"position", "batch_priority"}});
        visit("group_size", group_size,
              OptionInfo{.help = "Tokens, in order, that compete for slots among themselves alone; the last group may be smaller; 0 all tokens of a router",
                         .unit = "tokens",
                         .min = 0,
                         .max = 1e9});
        visit("input_jitter", input_jitter,
              OptionInfo{.help = "In training the router's input is multiplied by random numbers between 1 - this and 1 + this, one for each of its entries "
                                 "(Switch, arXiv:2101.03961: 0.01); 0 none",
                         .min = 0,
                         .max = 0.99});
        visit("quantile_balance", quantile_balance,
              OptionInfo{.help = "Whether choices are made by logits minus a bias of each expert, the quantile of the last step's logits that would have given "
                                 "all experts as many tokens (softmax_topk, topk_softmax, sigmoid_topk with k < experts)"});
        visit("quantile_ema", quantile_ema,
              OptionInfo{.help = "Share of the old bias that quantile_balance keeps in each step; 0 takes the new one as it is", .min = 0, .max = 0.9999});
        visit("slots", slots, OptionInfo{.help = "Slots of each expert for one sample (soft)", .min = 1, .max = 65536});
        visit(
            "pool", pool,
            OptionInfo{.help = "isolated: each branch has experts and a router of its own (VL-MoE). shared: one router and one set of experts for patches and "
                               "words; the router, and it alone, sees a learned embedding of the modality added to the token (EVE, arXiv:2308.11971, whose "
                               "code gives the sum to the experts too)",
                       .choices = {"isolated", "shared"}});
        visit(
            "overrides", overrides,
            OptionInfo{.help = "Other options of single routers: \"WHERE key=value ...\" with WHERE a layer and branch (\"1.v\"), a layer (\"1\") or a branch "
                               "(\"t\"; \"all\" in a shared pool) and keys of [moe], or of the losses of routers as \"loss.balance=0.02\"; later entries "
                               "win"});
    }
};

struct LossOptions {
    double balance = 0.01;
    double z = 1e-3;
    double balance_unnormalized = 0.0;
    double gshard = 0.0;
    double importance = 0.0;
    double load = 0.0;
    double local_entropy = 0.0;
    double global_entropy = 0.0;
    double global_entropy_tau = 1.0;
    double sequence_balance = 0.0;
    std::string balance_over = "micro_batch";
    std::string router_schedule = "constant";
    double router_final = 0.0;
    std::int64_t router_start = 0;
    double image = 1.0;
    double text = 1.0;
    double pair_image = 1.0;
    double pair_text = 1.0;
    double contrastive = 0.0;
    double matching = 0.0;
    std::vector<std::string> schedule = {};

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("balance", balance,
              OptionInfo{.help = "Weight of the load balance loss of each router (1 at perfect balance); negative values cause collapse on purpose",
                         .min = -10,
                         .max = 10});
        visit("z", z, OptionInfo{.help = "Weight of the router z-loss", .min = 0, .max = 10});
        visit("balance_unnormalized", balance_unnormalized,
              OptionInfo{.help = "Weight of the load balance loss that is k at perfect balance (flaxformer, Hugging Face's Mixtral)", .min = -10, .max = 10});
        visit("gshard", gshard,
              OptionInfo{.help = "Weight of the balance loss of first choices alone (GShard, arXiv:2006.16668; 1 at perfect balance)", .min = -10, .max = 10});
        visit(
            "importance", importance,
            OptionInfo{.help = "Weight of V-MoE's importance loss (arXiv:2106.05974): squared variation over experts of their summed probability without noise",
                       .min = -10,
                       .max = 10});
        visit("load", load,
              OptionInfo{.help = "Weight of V-MoE's load loss: squared variation over experts of the chance to be chosen under the noise; for noisy_topk alone",
                         .min = -10,
                         .max = 10});
        visit(
            "local_entropy", local_entropy,
            OptionInfo{.help = "Weight of LIMoE's local entropy (arXiv:2206.02770): mean entropy of a token's distribution, averaged over the modalities that "
                               "the router sees",
                       .min = -10,
                       .max = 10});
        visit("global_entropy", global_entropy,
              OptionInfo{.help =
                             "Weight of LIMoE's global entropy: how far the entropy of a modality's mean distribution lies below global_entropy_tau, averaged "
                             "over the modalities that the router sees",
                         .min = -10,
                         .max = 10});
        visit("global_entropy_tau", global_entropy_tau,
              OptionInfo{.help = "Entropy from which on global_entropy is 0: the logarithm of the experts that a modality should use at least",
                         .unit = "nats",
                         .min = 0,
                         .max = 20});
        visit("sequence_balance", sequence_balance,
              OptionInfo{.help = "Weight of the balance loss within each sample (DeepSeek-V3, arXiv:2412.19437; 1 at perfect balance); not for routers whose "
                                 "tokens have different numbers of experts",
                         .min = -10,
                         .max = 10});
        visit("balance_over", balance_over,
              OptionInfo{.help = "Choices that balance and balance_unnormalized count: those of the micro-batch, or of all micro-batches of the step so far "
                                 "(arXiv:2501.11873); probabilities are always the micro-batch's",
                         .choices = {"micro_batch", "global_batch"}});
        visit("router_schedule", router_schedule,
              OptionInfo{.help = "How the weights of the routers' losses go from 1 to router_final times their value, between router_start and the last step",
                         .choices = {"constant", "linear", "cosine"}});
        visit("router_final", router_final, OptionInfo{.help = "Share of their weights that the routers' losses have at the last step", .min = 0, .max = 100});
        visit("router_start", router_start, OptionInfo{.help = "Last step at which the routers' losses have their whole weight", .unit = "steps", .min = 0});
        visit("image", image, OptionInfo{.help = "Weight of masked image modelling", .min = 0, .max = 1000});
        visit("text", text, OptionInfo{.help = "Weight of masked text modelling", .min = 0, .max = 1000});
        visit("pair_image", pair_image, OptionInfo{.help = "Weight of the masked patches of pairs", .min = 0, .max = 1000});
        visit("pair_text", pair_text, OptionInfo{.help = "Weight of the masked words of pairs", .min = 0, .max = 1000});
        visit("contrastive", contrastive,
              OptionInfo{.help = "Weight of contrastive learning: picture and caption of each pair, unmasked and each by itself, should find each other among "
                                 "the batch's (CLIP, VLMo); 0 leaves it out",
                         .min = 0,
                         .max = 1000});
        visit("matching", matching,
              OptionInfo{.help = "Weight of matching: telling each unmasked pair from pairs with another picture or caption of the batch, those that "
                                 "contrastive learning finds alike more often (ALBEF, VLMo), without it any; 0 leaves it out",
                         .min = 0,
                         .max = 1000});
        visit("schedule", schedule,
              OptionInfo{.help = "Factors on the weights of objectives over the steps: \"OBJECTIVE FACTOR@STEP FACTOR@STEP ...\", straight lines between the "
                                 "given steps and constant outside, as in \"contrastive 0@100 1@200\""});
    }
};

struct TrainOptions {
    std::int64_t steps = 600;
    std::int64_t batch_images = 16;
    std::int64_t batch_texts = 32;
    std::int64_t batch_pairs = 16;
    std::int64_t accumulate = 1;
    bool checkpoint_activations = false;
    double learning_rate = 3e-3;
    double final_learning_rate = 0.1;
    double warmup = 0.1;
    std::string schedule = "cosine";
    std::vector<std::string> learning_rate_bumps = {};
    double weight_decay = 0.05;
    double beta1 = 0.9;
    double beta2 = 0.98;
    double epsilon = 1e-8;
    double clip = 1.0;
    double skip_spikes = 0;
    std::int64_t spike_window = 128;
    double ema_decay = 0;
    bool ema_warmup = true;
    bool evaluate_ema = true;
    double mask_image = 0.5;
    double mask_text = 0.25;
    double mask_pair_image = 0.4;
    double mask_pair_text = 0.5;
    bool mask_whole_words = false;
    std::int64_t evaluate_every = 100;
    std::int64_t evaluate_samples = 0;
    std::int64_t checkpoint_every = 100;
    std::int64_t keep_last = 3;
    std::int64_t keep_every = 0;
    bool keep_best = true;

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("steps", steps, OptionInfo{.help = "Training steps", .unit = "steps", .min = 1, .max = 1e9});
        visit("batch_images", batch_images, OptionInfo{.help = "Pictures without text in a step", .unit = "samples", .min = 0, .max = 1e6});
        visit("batch_texts", batch_texts, OptionInfo{.help = "Texts without picture in a step", .unit = "samples", .min = 0, .max = 1e6});
        visit("batch_pairs", batch_pairs, OptionInfo{.help = "Picture-caption pairs in a step", .unit = "samples", .min = 0, .max = 1e6});
        visit("accumulate", accumulate,
              OptionInfo{.help = "Micro-batches in a step, each of batch_images, batch_texts and batch_pairs samples: their gradients are averaged before the "
                                 "weights change",
                         .unit = "micro-batches",
                         .min = 1,
                         .max = 1e6});
        visit("checkpoint_activations", checkpoint_activations,
              OptionInfo{.help = "Whether the backward pass computes each layer's intermediate results again instead of keeping them: less memory, about a "
                                 "third more time, the same losses to the bit. A run may be resumed with the other value"});
        visit("learning_rate", learning_rate, OptionInfo{.help = "Peak learning rate", .min = 0, .max = 100});
        visit("final_learning_rate", final_learning_rate,
              OptionInfo{.help = "Learning rate at the last step over the peak (cosine, linear)", .min = 0, .max = 1});
        visit("warmup", warmup, OptionInfo{.help = "Share of the steps in which the learning rate rises linearly", .min = 0, .max = 1});
        visit("schedule", schedule,
              OptionInfo{.help = "How the learning rate goes on after the warm-up: down to final_learning_rate along half a cosine or a line, or not at all",
                         .choices = {"cosine", "linear", "constant"}});
        visit("learning_rate_bumps", learning_rate_bumps,
              OptionInfo{.help = "Steps in which the learning rate is multiplied, each written as \"70-71 x100\" or \"70 x0.5\"; where they overlap, all "
                                 "factors count. Failures on purpose are made so"});
        visit("weight_decay", weight_decay, OptionInfo{.help = "Decoupled weight decay on matrices", .min = 0, .max = 10});
        visit("beta1", beta1, OptionInfo{.help = "AdamW decay of the first moment", .min = 0, .max = 0.99999});
        visit("beta2", beta2, OptionInfo{.help = "AdamW decay of the second moment", .min = 0, .max = 0.9999999});
        visit("epsilon", epsilon, OptionInfo{.help = "AdamW epsilon", .min = 0, .max = 1});
        visit("clip", clip, OptionInfo{.help = "Largest global gradient norm; 0 does not clip", .min = 0, .max = 1e9});
        visit(
            "skip_spikes", skip_spikes,
            OptionInfo{.help = "A step whose loss or gradient norm exceeds the mean of the last spike_window steps by more than this many standard deviations "
                               "changes nothing (OLMo-core: 6); 0 skips none",
                       .unit = "deviations",
                       .min = 0,
                       .max = 1e6});
        visit("spike_window", spike_window,
              OptionInfo{.help = "Steps that skip_spikes compares with; before there are so many, no step is skipped", .unit = "steps", .min = 2, .max = 10000});
        visit("ema_decay", ema_decay,
              OptionInfo{
                  .help = "Share of the old value that the moving average of the weights keeps in each step; 0 keeps no average", .min = 0, .max = 0.999999});
        visit("ema_warmup", ema_warmup,
              OptionInfo{.help = "Whether the average keeps less at first: min(ema_decay, (1 + n) / (10 + n)) in the n-th update, so that the initial weights "
                                 "are soon forgotten"});
        visit("evaluate_ema", evaluate_ema,
              OptionInfo{.help = "Whether evaluations judge the averaged weights, where there are such; probes, traces and 'expertscope run' always use the "
                                 "weights that are trained"});
        visit("mask_image", mask_image, OptionInfo{.help = "Share of the patches hidden in pictures, block-wise", .min = 0, .max = 1});
        visit("mask_text", mask_text, OptionInfo{.help = "Share of the words hidden in texts; at least one", .min = 0, .max = 1});
        visit("mask_pair_image", mask_pair_image, OptionInfo{.help = "Share of the patches hidden in pairs, block-wise", .min = 0, .max = 1});
        visit("mask_pair_text", mask_pair_text, OptionInfo{.help = "Share of the words hidden in pairs; at least one", .min = 0, .max = 1});
        visit("mask_whole_words", mask_whole_words,
              OptionInfo{.help = "Whether the pieces of a word are hidden together, until the share of pieces is reached; otherwise each piece by itself"});
        visit("evaluate_every", evaluate_every, OptionInfo{.help = "Steps between evaluations; 0 only at the start and the end", .unit = "steps", .min = 0});
        visit("evaluate_samples", evaluate_samples, OptionInfo{.help = "Validation samples evaluated; 0 takes all", .unit = "samples", .min = 0});
        visit("checkpoint_every", checkpoint_every, OptionInfo{.help = "Steps between checkpoints; 0 only at the end", .unit = "steps", .min = 0});
        visit("keep_last", keep_last, OptionInfo{.help = "Newest checkpoints kept", .min = 1});
        visit("keep_every", keep_every, OptionInfo{.help = "Also keep every checkpoint whose step is a multiple of this; 0 none", .unit = "steps", .min = 0});
        visit("keep_best", keep_best, OptionInfo{.help = "Also keep the checkpoint of lowest validation loss"});
    }
};

struct RecordOptions {
    std::int64_t trace_every = 10;
    std::int64_t probe_samples = 64;
    std::int64_t probe_random_routers = 5;
    std::int64_t evaluated_samples = 512;
    std::int64_t expert_gradients_every = 10;
    double flush_seconds = 1.0;
    std::int64_t flush_steps = 50;

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("trace_every", trace_every,
              OptionInfo{.help = "Steps between traced steps (every token of every router); 1 all, 0 none", .unit = "steps", .min = 0});
        visit("probe_samples", probe_samples,
              OptionInfo{.help = "Validation samples whose routing is recorded whole at each checkpoint", .unit = "samples", .min = 0, .max = 1e6});
        visit("probe_random_routers", probe_random_routers,
              OptionInfo{.help = "Draws of the random-router baseline at the last checkpoint", .min = 0, .max = 1000});
        visit("evaluated_samples", evaluated_samples,
              OptionInfo{.help = "Evaluated samples kept with picture and caption, to look at single losses and compare categories",
                         .unit = "samples",
                         .min = 0,
                         .max = 1e6});
        visit("expert_gradients_every", expert_gradients_every,
              OptionInfo{
                  .help = "Steps between those whose gradient norms are recorded for each single expert (grad_norm/expert/<router>/<expert>); 1 all, 0 none",
                  .unit = "steps",
                  .min = 0});
        visit("flush_seconds", flush_seconds,
              OptionInfo{.help = "Longest time that records wait before they are on disk", .unit = "s", .min = 0.01, .max = 3600});
        visit("flush_steps", flush_steps, OptionInfo{.help = "Most steps that records wait before they are on disk", .unit = "steps", .min = 1, .max = 1e6});
    }
};

struct RunConfig {
    RunOptions run;
    DataOptions data;
    ModelOptions model;
    TokenizerOptions tokenizer;
    MoeOptions moe;
    LossOptions loss;
    TrainOptions train;
    RecordOptions record;

    /// Calls visitor(section name, section struct) for each section, in the order of the file.
    template <class Visitor>
    void sections(Visitor&& visit) {
        visit("run", run);
        visit("data", data);
        visit("model", model);
        visit("tokenizer", tokenizer);
        visit("moe", moe);
        visit("loss", loss);
        visit("train", train);
        visit("record", record);
    }
};

}  // namespace es::config
