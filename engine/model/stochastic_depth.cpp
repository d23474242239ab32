// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/stochastic_depth.h"

#include <algorithm>

#include "engine/base/random.h"

namespace es::engine {

double dropProbability(double most, std::int64_t layer, std::int64_t layers) {
    return layers < 2 ? 0.0 : most * static_cast<double>(layer) / static_cast<double>(layers - 1);
}

at::Tensor survivalFactors(const TokenLayout& layout, double probability, const DropKey& key, const at::Tensor& like) {
    TORCH_CHECK(probability >= 0 && probability < 1, "a sublayer cannot be skipped with probability ", probability);
    // Far above any step: the first micro-batch draws as if there were no others.
    const std::uint64_t draw = static_cast<std::uint64_t>(key.step) + (static_cast<std::uint64_t>(key.micro_batch) << 40);
    RandomStream random(key.seed, RandomPurpose::kStochasticDepth, draw, static_cast<std::uint32_t>(key.sublayer));
    at::Tensor factors = at::empty({layout.rows, 1}, at::kFloat);
    float* data = factors.mutable_data_ptr<float>();
    for (const kernels::SequenceRows& sample : layout.sequences) {
        const float factor = random.uniform() < probability ? 0.0f : static_cast<float>(1.0 / (1.0 - probability));
        std::fill_n(data + sample.first_begin, sample.first_count, factor);
        std::fill_n(data + sample.second_begin, sample.second_count, factor);
    }
    return factors.to(like.device(), like.scalar_type());
}

}  // namespace es::engine
