// SPDX-License-Identifier: GPL-3.0-or-later
// Which samples a step gets: a fresh permutation of the split each epoch, computable for any step without the ones before.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/random.h"

namespace es::engine {

/// One per thread: it remembers the permutation of the epoch it was last asked for.
class SampleOrder {
public:
    /// `rank` tells orders of one purpose apart.
    SampleOrder(std::vector<std::int64_t> samples, std::uint64_t seed, RandomPurpose purpose, std::int64_t batch, std::uint32_t rank = 0);
    /// The samples of a step (from 1), `batch` many; a batch may span two epochs. Empty when there are no samples.
    [[nodiscard]] std::vector<std::int64_t> batch(std::int64_t step);
    /// The sample at a position of the endless sequence of epochs; there must be samples.
    [[nodiscard]] std::int64_t at(std::int64_t position);

private:
    std::vector<std::int64_t> samples_, order_;
    std::uint64_t seed_;
    RandomPurpose purpose_;
    std::int64_t batch_;
    std::uint32_t rank_;
    std::int64_t epoch_ = -1;
};

/// Draws from several groups in turn, so that each has an equal share of every few samples whatever its size. Of one group it is its SampleOrder.
class BalancedOrder {
public:
    BalancedOrder(std::vector<std::vector<std::int64_t>> groups, std::uint64_t seed, RandomPurpose purpose, std::int64_t batch);
    /// As SampleOrder::batch. Groups without samples are left out.
    [[nodiscard]] std::vector<std::int64_t> batch(std::int64_t step);

private:
    std::vector<SampleOrder> groups_;
    std::int64_t batch_;
};

}  // namespace es::engine
