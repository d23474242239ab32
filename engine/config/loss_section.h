// SPDX-License-Identifier: GPL-3.0-or-later
// Options of the losses of routers and objectives, [loss].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config/option.h"

namespace es::config {

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

}  // namespace es::config
