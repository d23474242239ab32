// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "engine/config/run_config.h"

namespace es::config {

/// Sets the sizes that a preset stands for; other keys stay. False when there is no such preset.
[[nodiscard]] bool applyPreset(RunConfig& config, std::string_view name);

}  // namespace es::config
