// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/sample_order.h"

#include <span>

namespace es::engine {

SampleOrder::SampleOrder(std::vector<std::int64_t> samples, std::uint64_t seed, RandomPurpose purpose, std::int64_t batch, std::uint32_t rank)
    : samples_(std::move(samples)), seed_(seed), purpose_(purpose), batch_(batch), rank_(rank) {}

std::vector<std::int64_t> SampleOrder::batch(std::int64_t step) {
    std::vector<std::int64_t> out;
    if (samples_.empty()) return out;
    out.reserve(static_cast<std::size_t>(batch_));
    for (std::int64_t position = (step - 1) * batch_; position < step * batch_; ++position) out.push_back(at(position));
    return out;
}

std::int64_t SampleOrder::at(std::int64_t position) {
    const auto size = static_cast<std::int64_t>(samples_.size());
    if (const std::int64_t epoch = position / size; epoch != epoch_) {
        order_ = samples_;
        RandomStream random(seed_, purpose_, static_cast<std::uint64_t>(epoch), rank_);
        random.shuffle(std::span(order_));
        epoch_ = epoch;
    }
    return order_[static_cast<std::size_t>(position % size)];
}

BalancedOrder::BalancedOrder(std::vector<std::vector<std::int64_t>> groups, std::uint64_t seed, RandomPurpose purpose, std::int64_t batch) : batch_(batch) {
    for (auto& group : groups)
        if (!group.empty()) groups_.emplace_back(std::move(group), seed, purpose, batch, static_cast<std::uint32_t>(groups_.size()));
}

std::vector<std::int64_t> BalancedOrder::batch(std::int64_t step) {
    std::vector<std::int64_t> out;
    const auto groups = static_cast<std::int64_t>(groups_.size());
    if (groups == 0) return out;
    out.reserve(static_cast<std::size_t>(batch_));
    for (std::int64_t position = (step - 1) * batch_; position < step * batch_; ++position)
        out.push_back(groups_[static_cast<std::size_t>(position % groups)].at(position / groups));
    return out;
}

}  // namespace es::engine
