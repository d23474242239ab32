// SPDX-License-Identifier: GPL-3.0-or-later
// The learning rate over a run, as a pure function.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/config/rate_bumps.h"

namespace es::engine {

enum class RateShape { kCosine, kLinear, kConstant };

/// The shape of that name in train.schedule; throws c10::Error for an unknown one, which the configuration's check excludes.
[[nodiscard]] RateShape rateShapeNamed(std::string_view name);

struct LearningRateSchedule {
    std::int64_t steps = 1;  ///< of the whole run
    double peak = 1e-3;
    double warmup = 0.1;                       ///< share of the steps in which the rate rises linearly; the first of them already moves
    double final_share = 0.1;                  ///< rate at the last step over the peak
    std::vector<config::RateBump> bumps = {};  ///< steps (from 1) in which the rate is multiplied
    RateShape shape = RateShape::kCosine;      ///< after the warm-up

    /// Rate of step 0 <= step < steps: linear up to the peak, then half a cosine (SGDR, arXiv:1608.03983, without restarts) or a line down to
    /// final_share · peak, which the last step has, or the peak for good; times the factors of its bumps. Later steps keep the last rate.
    [[nodiscard]] double at(std::int64_t step) const;
    /// Steps of the warm-up, rounded; at most all.
    [[nodiscard]] std::int64_t warmupSteps() const;

private:
    [[nodiscard]] double smooth(std::int64_t step) const;
};

}  // namespace es::engine
