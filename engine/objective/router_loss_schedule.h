// SPDX-License-Identifier: GPL-3.0-or-later
// How much the losses of routers count in the course of a run, as a pure function.
#pragma once

#include <cstdint>

namespace es::engine {

enum class LossSchedule { kConstant, kLinear, kCosine };

struct RouterLossSchedule {
    LossSchedule kind = LossSchedule::kConstant;
    double final_share = 0;  ///< at the last step; without meaning for kConstant
    std::int64_t start = 0;  ///< last step at which the whole weight counts
    std::int64_t steps = 1;  ///< of the run; steps count from 1

    /// The factor on every coefficient at `step`: 1 up to `start`, final_share from the last step on, between them a line or half a cosine.
    [[nodiscard]] double at(std::int64_t step) const;
};

}  // namespace es::engine
