// SPDX-License-Identifier: GPL-3.0-or-later
// From the configuration to what a layer of experts is made with.
#pragma once

#include <cstdint>
#include <string>

#include "engine/config/router_settings.h"
#include "engine/model/moe_layer.h"

namespace es::engine {

/// Options of the experts and the router at a site of the model. Router seeds follow from the model's `seed` and the site.
[[nodiscard]] MoeOptions moeOptions(const config::RunConfig& config, const config::RouterSite& site, std::uint64_t seed);

/// The row of the router table.
[[nodiscard]] store::RouterInfo routerInfo(const MoeOptions& options, const RouterPlace& place);

/// Whether the router or its losses ask for the names of tokens (TokenNames).
[[nodiscard]] bool asksForNames(const MoeOptions& options);

}  // namespace es::engine
