// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/schedule.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace es::engine {

RateShape rateShapeNamed(std::string_view name) {
    if (name == "cosine") return RateShape::kCosine;
    if (name == "linear") return RateShape::kLinear;
    TORCH_CHECK(name == "constant", "unknown schedule '", std::string(name), "'");
    return RateShape::kConstant;
}

std::int64_t LearningRateSchedule::warmupSteps() const { return std::clamp<std::int64_t>(std::llround(warmup * static_cast<double>(steps)), 0, steps); }

double LearningRateSchedule::at(std::int64_t step) const {
    double rate = smooth(step);
    for (const config::RateBump& bump : bumps)
        if (step + 1 >= bump.first && step + 1 <= bump.last) rate *= bump.factor;
    return rate;
}

double LearningRateSchedule::smooth(std::int64_t step) const {
    const std::int64_t rising = warmupSteps();
    if (step < rising) return peak * static_cast<double>(step + 1) / static_cast<double>(rising);
    if (shape == RateShape::kConstant) return peak;
    // The last step of the warm-up has the peak; the fall ends exactly at the last step of the run.
    const std::int64_t start = std::max<std::int64_t>(rising - 1, 0), length = steps - 1 - start;
    const double done = length <= 0 ? 1.0 : std::min(1.0, static_cast<double>(step - start) / static_cast<double>(length));
    if (shape == RateShape::kLinear) return peak * (1 - (1 - final_share) * done);
    return peak * (final_share + (1 - final_share) * 0.5 * (1 + std::cos(std::numbers::pi * done)));
}

}  // namespace es::engine
