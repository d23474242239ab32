// SPDX-License-Identifier: GPL-3.0-or-later
// What `expertscope run` prints, for a person and as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "analysis/interventions/effects.h"
#include "engine/session/engine_session.h"

namespace es::app {

/// Grids and words with their first choices, what was predicted, losses of what was hidden; with interventions also without them.
[[nodiscard]] std::string sampleText(const session::SampleResult& result);
/// Schema "expertscope.run.1".
[[nodiscard]] nlohmann::json sampleJson(const session::SampleResult& result, const std::vector<session::Intervention>& interventions);

/// Losses first, then the classes that changed most, then the re-routed tokens of each router.
[[nodiscard]] std::string interventionText(const session::InterventionResult& result, const std::vector<analysis::LossEffect>& changes,
                                           const analysis::ClassEffects& classes);
/// Schema "expertscope.interventions.1".
[[nodiscard]] nlohmann::json interventionJson(const session::InterventionResult& result, const std::vector<analysis::LossEffect>& changes,
                                              const analysis::ClassEffects& classes, const std::vector<session::Intervention>& interventions);

}  // namespace es::app
