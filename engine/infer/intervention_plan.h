// SPDX-License-Identifier: GPL-3.0-or-later
// From what a person asked for to changes of the routers of one model, or why it cannot be done.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/result.h"
#include "engine/model/intervention.h"
#include "engine/model/vl_moe.h"
#include "engine/session/intervention.h"
#include "engine/store/records.h"

namespace es::engine {

/// Numbers of tokens that positions are checked against.
struct PositionLimits {
    std::int64_t patches = 0, words = 0;  ///< of a sample; 0: it has none
};

/// Fails on a dense model, on layers, branches, experts, numbers and positions that there are not, on routers that cannot obey (each error says
/// which can), on forcing what is banned, and where fewer experts are left than tokens choose. `seed` is the run's: random routers are drawn
/// with it.
[[nodiscard]] Result<InterventionPlan> planInterventions(const std::vector<session::Intervention>& interventions, const VlMoe& model,
                                                         const PositionLimits& limits, std::uint64_t seed);

/// The model's routers as they record under the plan: with another k, or another number of choices for each token.
[[nodiscard]] std::vector<store::RouterInfo> routersUnder(const InterventionPlan& plan, const VlMoe& model);

/// Tokens whose chosen experts, as sets, differ between two tables of one router on the same tokens; rows ascending.
[[nodiscard]] std::vector<std::int64_t> reroutedTokens(const store::RoutingTable& before, const store::RoutingTable& after);

}  // namespace es::engine
