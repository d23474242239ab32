// SPDX-License-Identifier: GPL-3.0-or-later
// What a training run will cost, for a person and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/session/engine_library.h"

namespace es::app {

/// Tables of parameters and FLOPs by part, memory and disk, and what is published of the preset.
[[nodiscard]] std::string estimateText(const session::TrainEstimate& estimate);
/// Schema "expertscope.estimate.1"; bytes, FLOPs and counts as plain numbers.
[[nodiscard]] nlohmann::json estimateJson(const session::TrainEstimate& estimate);

}  // namespace es::app
