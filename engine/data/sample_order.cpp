// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/sample_order.h"

#include <span>

namespace es::engine {

SampleOrder::SampleOrder(std::vector<std::int64_t> samples, std::uint64_t seed, RandomPurpose purpose, std::int64_t batch)
    : samples_(std::move(samples)), seed_(seed), purpose_(purpose), batch_(batch) {}

std::vector<std::int64_t> SampleOrder::batch(std::int64_t step) {
    std::vector<std::int64_t> out;
    if (samples_.empty()) return out;
    const auto size = static_cast<std::int64_t>(samples_.size());
    out.reserve(static_cast<std::size_t>(batch_));
    for (std::int64_t position = (step - 1) * batch_; position < step * batch_; ++position) {
        if (const std::int64_t epoch = position / size; epoch != epoch_) {
            order_ = samples_;
            RandomStream random(seed_, purpose_, static_cast<std::uint64_t>(epoch));
            random.shuffle(std::span(order_));
            epoch_ = epoch;
        }
        out.push_back(order_[static_cast<std::size_t>(position % size)]);
    }
    return out;
}

}  // namespace es::engine
