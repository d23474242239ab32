// SPDX-License-Identifier: GPL-3.0-or-later
// Options of the mixtures of experts, [moe].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config/option.h"

namespace es::config {

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
                        "sinkhorn: the k best after balancing, in training (Megatron); base: in training the best balanced plan, k = 1 (BASE); top_p: as many "
                        "as reach a probability, at most k; expert_choice: each "
                        "expert "
                        "takes its best capacity_factor k tokens / experts tokens; hash: fixed by the word or the patch's place, k = 1; random: drawn anew "
                        "each step; soft: every expert gets mixtures of a sample's tokens (Soft MoE), k "
                        "counts for the dense twin alone",
                .choices = {"softmax_topk", "topk_softmax", "noisy_topk", "sigmoid_topk", "group_limited", "cosine", "sinkhorn", "base", "top_p",
                            "expert_choice", "hash", "random", "soft"}});
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

}  // namespace es::config
