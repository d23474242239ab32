// SPDX-License-Identifier: GPL-3.0-or-later
// The objectives of a configuration: their weights, how these change over the steps, and the unit of their losses.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/strong_ids.h"
#include "engine/config/run_config.h"

namespace es::config {

using ObjectiveWeights = std::array<double, kObjectiveCount>;  ///< in order of Objective

/// A factor over the steps: straight lines between points, constant before the first and after the last; 1 without points.
struct WeightSchedule {
    struct Point {
        std::int64_t step = 0;
        double factor = 1;
        bool operator==(const Point&) const = default;
    };
    std::vector<Point> points;  ///< ascending steps

    [[nodiscard]] double at(std::int64_t step) const;
};

using ObjectiveSchedules = std::array<WeightSchedule, kObjectiveCount>;

/// What loss.schedule says, or what is wrong with its first bad entry ("names the objective 'imge', ...").
struct ParsedSchedules {
    ObjectiveSchedules schedules;
    std::string problem;
};
[[nodiscard]] ParsedSchedules parseSchedules(const std::vector<std::string>& entries);

/// loss.image to loss.matching, without their schedules: what evaluations are summed with.
[[nodiscard]] ObjectiveWeights objectiveWeights(const LossOptions& loss);
/// The weights of a training step, counted from 1. `schedules` as parsed.
[[nodiscard]] ObjectiveWeights objectiveWeights(const LossOptions& loss, const ObjectiveSchedules& schedules, std::int64_t step);

/// "nats" for cross entropies, "" for the squared errors of pixels.
[[nodiscard]] std::string_view lossUnit(const RunConfig& config, Objective objective);

}  // namespace es::config
