// SPDX-License-Identifier: GPL-3.0-or-later
// What `expertscope run` prints, for a person and as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/config/run_config.h"
#include "engine/session/engine_session.h"

namespace es::app {

/// Grids and words with their first choices, what was predicted, losses of what was hidden; with interventions also without them.
[[nodiscard]] std::string sampleText(const session::SampleResult& result);
/// Schema "expertscope.run.1".
[[nodiscard]] nlohmann::json sampleJson(const session::SampleResult& result, const std::vector<session::Intervention>& interventions);

/// One held-out loss with and without interventions. The difference is with minus without, over samples.
struct LossChange {
    std::string loss, unit;  ///< "total" or the objective
    double without = 0, with = 0, difference = 0, low = 0, high = 0, p = 0;
    std::int64_t samples = 0;
};
/// "total" (weighted as in the configuration, over samples that have all its objectives) first, then each objective; those with two samples or more.
[[nodiscard]] std::vector<LossChange> lossChanges(const session::InterventionResult& result, const config::RunConfig& config, double confidence);

[[nodiscard]] std::string interventionText(const session::InterventionResult& result, const std::vector<LossChange>& changes);
/// Schema "expertscope.interventions.1".
[[nodiscard]] nlohmann::json interventionJson(const session::InterventionResult& result, const std::vector<LossChange>& changes,
                                              const std::vector<session::Intervention>& interventions);

}  // namespace es::app
