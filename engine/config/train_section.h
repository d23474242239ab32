// SPDX-License-Identifier: GPL-3.0-or-later
// Options of the training loop, [train].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config/option.h"

namespace es::config {

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
        visit(
            "spike_window", spike_window,
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

}  // namespace es::config
