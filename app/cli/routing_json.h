// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/store/records.h"

namespace es::app {

/// Routing of tokens as `expertscope run --json` prints it: one object a router, one entry a token.
[[nodiscard]] nlohmann::json toJson(const store::RoutingTable& table);

}  // namespace es::app
