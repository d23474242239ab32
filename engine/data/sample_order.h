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
    SampleOrder(std::vector<std::int64_t> samples, std::uint64_t seed, RandomPurpose purpose, std::int64_t batch);
    /// The samples of a step (from 1), `batch` many; a batch may span two epochs. Empty when there are no samples.
    [[nodiscard]] std::vector<std::int64_t> batch(std::int64_t step);

private:
    std::vector<std::int64_t> samples_, order_;
    std::uint64_t seed_;
    RandomPurpose purpose_;
    std::int64_t batch_;
    std::int64_t epoch_ = -1;
};

}  // namespace es::engine
