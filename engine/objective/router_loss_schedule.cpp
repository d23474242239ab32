// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/router_loss_schedule.h"

#include <cmath>
#include <numbers>

namespace es::engine {

double RouterLossSchedule::at(std::int64_t step) const {
    if (kind == LossSchedule::kConstant || step <= start) return 1;
    if (step >= steps) return final_share;
    const double done = static_cast<double>(step - start) / static_cast<double>(steps - start);
    const double left = kind == LossSchedule::kLinear ? 1 - done : 0.5 * (1 + std::cos(std::numbers::pi * done));
    return final_share + (1 - final_share) * left;
}

}  // namespace es::engine
