// SPDX-License-Identifier: GPL-3.0-or-later
// Everything that decides a training run. The whole of it, defaults included, is stored as run.toml.
#pragma once

#include <cstdint>
#include <string>

#include "engine/config/loss_section.h"
#include "engine/config/model_section.h"
#include "engine/config/moe_section.h"
#include "engine/config/option.h"
#include "engine/config/train_section.h"

namespace es::config {

inline constexpr std::int64_t kSchemaVersion = 1;

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
    std::int64_t scenes = 4000;
    std::int64_t scene_seed = 1;
    std::int64_t threads = 1;

    template <class Visitor>
    void describe(Visitor&& visit) {
        visit("set", set,
              OptionInfo{.help = "Data set by name (see 'expertscope data list'), a folder of pictures with captions, or several joined by '+' "
                                 "(\"objects+scenes\"), which training then draws from in equal shares; \"objects\" among them counts as its three sets"});
        visit("cache", cache, OptionInfo{.help = "Folder for converted data; relative to the working folder"});
        visit("image_tokenizer", image_tokenizer,
              OptionInfo{.help = "For model.image_target = \"codes\": file of a picture tokenizer made by 'expertscope data tokenizer'; auto is the one that "
                                 "[tokenizer] describes, trained on these data when it is first needed and kept in the cache"});
        visit("image_size", image_size, OptionInfo{.help = "Side of the square pictures", .unit = "pixels", .min = 8, .max = 1024});
        visit("max_words", max_words, OptionInfo{.help = "Longest caption in tokens; longer ones are cut", .unit = "tokens", .min = 2, .max = 512});
        visit("vocabulary", vocabulary,
              OptionInfo{.help = "Size of the SentencePiece vocabulary trained on the training captions", .unit = "tokens", .min = 64, .max = 65536});
        visit("keywords", keywords, OptionInfo{.help = "Whether a sample's keywords follow its name in the caption"});
        visit("scenes", scenes,
              OptionInfo{.help = "How many scenes the sets \"scenes\" and \"sprites\" hold; more of them begin with the same ones",
                         .unit = "scenes",
                         .min = 16,
                         .max = 1e6});
        visit("scene_seed", scene_seed,
              OptionInfo{.help = "Seed of the sets \"scenes\" and \"sprites\"; each scene depends on it and its index alone", .min = 0});
        visit("threads", threads,
              OptionInfo{.help = "Threads that prepare batches; the result does not depend on it", .unit = "threads", .min = 1, .max = 256});
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
