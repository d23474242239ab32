// SPDX-License-Identifier: GPL-3.0-or-later
// Small models and made-up batches for tests of the model. B samples, P patches, L words.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "engine/base/random.h"
#include "engine/config/run_config.h"
#include "engine/data/batch.h"
#include "engine/model/vl_moe.h"

namespace es::engine::test {

/// Width 16, three layers (the top one with a vision-language branch), MoE in layers 0 and 1 with 4 experts of 12, patches of 4 x 4.
inline config::RunConfig tinyConfig() {
    config::RunConfig config;
    config.data.image_size = 12;
    config.data.max_words = 6;
    config.model.width = 16;
    config.model.layers = 3;
    config.model.heads = 2;
    config.model.patch = 4;
    config.model.ffn_width = 20;
    config.model.moe_layers = {0, 1};
    config.moe.experts = 4;
    config.moe.k = 2;
    config.moe.expert_width = 12;
    config.moe.router_init_std = 0.5;
    return config;
}

inline DataShape tinyShape() { return {24, 12, 6}; }

inline at::Tensor randomNormal(at::IntArrayRef sizes, RandomStream& random, double scale = 1.0) {
    at::Tensor tensor = at::empty(sizes, at::kFloat);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) tensor.data_ptr<float>()[i] = static_cast<float>(random.normal() * scale);
    return tensor;
}

inline at::Tensor randomBool(at::IntArrayRef sizes, RandomStream& random, double share) {
    at::Tensor tensor = at::empty(sizes, at::kBool);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) tensor.data_ptr<bool>()[i] = random.uniform() < share;
    return tensor;
}

inline ImageStream randomImages(std::int64_t samples, std::int64_t patches, std::int64_t numbers, RandomStream& random) {
    ImageStream stream;
    stream.patches_BPD = randomNormal({samples, patches, numbers}, random);
    stream.target_BPD = randomNormal({samples, patches, numbers}, random);
    stream.masked_BP = randomBool({samples, patches}, random, 0.5);
    stream.masked_BP[0][0].fill_(true);
    stream.counts_BP = stream.masked_BP.logical_and(randomBool({samples, patches}, random, 0.8));
    stream.counts_BP[0][0].fill_(true);
    return stream;
}

/// Texts of different lengths, at least one word each.
inline TextStream randomTexts(std::int64_t samples, std::int64_t words, std::int64_t vocabulary, RandomStream& random) {
    TextStream stream;
    stream.ids_BL = at::zeros({samples, words}, at::kLong);
    stream.valid_BL = at::zeros({samples, words}, at::kBool);
    for (std::int64_t b = 0; b < samples; ++b) {
        const std::int64_t length = 1 + random.below(static_cast<std::uint32_t>(words));
        for (std::int64_t i = 0; i < length; ++i) {
            stream.ids_BL[b][i].fill_(static_cast<std::int64_t>(random.below(static_cast<std::uint32_t>(vocabulary))));
            stream.valid_BL[b][i].fill_(true);
        }
    }
    stream.masked_BL = stream.valid_BL.logical_and(randomBool({samples, words}, random, 0.4));
    stream.masked_BL[0][0].fill_(true);
    return stream;
}

struct BatchSizes {
    std::int64_t images = 2, texts = 3, pairs = 2;
};

inline Batch randomBatch(const config::RunConfig& config, const DataShape& shape, std::uint64_t seed, const BatchSizes& sizes = {}) {
    RandomStream random(seed, RandomPurpose::kSynthetic);
    const std::int64_t side = shape.image_size / config.model.patch, patches = side * side, numbers = config.model.patch * config.model.patch * 3;
    Batch batch;
    if (sizes.images > 0) batch.images = randomImages(sizes.images, patches, numbers, random);
    if (sizes.texts > 0) batch.texts = randomTexts(sizes.texts, shape.max_words, shape.vocabulary, random);
    if (sizes.pairs > 0) {
        batch.pair_images = randomImages(sizes.pairs, patches, numbers, random);
        batch.pair_texts = randomTexts(sizes.pairs, shape.max_words, shape.vocabulary, random);
    }
    return batch;
}

}  // namespace es::engine::test
