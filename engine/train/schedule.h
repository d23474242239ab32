// SPDX-License-Identifier: GPL-3.0-or-later
// The learning rate over a run, as a pure function.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/config/rate_bumps.h"

namespace es::engine {

struct LearningRateSchedule {
    std::int64_t steps = 1;  ///< of the whole run
    double peak = 1e-3;
    double warmup = 0.1;                       ///< share of the steps in which the rate rises linearly; the first of them already moves
    double final_share = 0.1;                  ///< rate at the last step over the peak
    std::vector<config::RateBump> bumps = {};  ///< steps (from 1) in which the rate is multiplied

    /// Rate of step 0 <= step < steps: linear up to the peak, then half a cosine down to final_share · peak, which the last step has
    /// (SGDR, arXiv:1608.03983, without restarts); times the factors of its bumps. Later steps keep the last rate.
    [[nodiscard]] double at(std::int64_t step) const;
    /// Steps of the warm-up, rounded; at most all.
    [[nodiscard]] std::int64_t warmupSteps() const;

private:
    [[nodiscard]] double smooth(std::int64_t step) const;
};

}  // namespace es::engine
