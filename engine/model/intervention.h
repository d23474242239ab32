// SPDX-License-Identifier: GPL-3.0-or-later
// Interventions inside the routers of one model, ready to apply: on logits before selection, or (silence) on gates after it. T tokens,
// E experts, D width.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <vector>

#include "engine/base/strong_ids.h"
#include "engine/model/forward_context.h"
#include "engine/model/router.h"
#include "engine/session/intervention.h"

namespace es::engine {

/// One intervention on one router. What it does: session::InterventionKind.
struct RouterChange {
    session::InterventionKind kind = session::InterventionKind::kBan;
    std::vector<std::int64_t> experts = {};
    std::int64_t number = 0;    ///< other k, or r best dropped
    at::Tensor weight_ED = {};  ///< of a random router
    session::TokenSet tokens = {};
};

/// By router; within one in the order in which they apply.
struct InterventionPlan {
    std::map<std::int32_t, std::vector<RouterChange>> by_router = {};
    bool needs_token_names = false;  ///< whether BranchTokens::names must be filled in: some change is of some tokens alone

    /// Null: nothing changes in that router.
    [[nodiscard]] const std::vector<RouterChange>* find(RouterId router) const;
};

/// What router.forward() gives with its logits, its k and its gates changed. Throws c10::Error for changes that the router's kind cannot obey,
/// which the plan's maker excludes.
[[nodiscard]] RouterOutput routeChanged(const Router& router, const BranchTokens& tokens, RouterCall call, const std::vector<RouterChange>& changes);

}  // namespace es::engine
