// SPDX-License-Identifier: GPL-3.0-or-later
// Where routers sit in a model, and what each of them is told once moe.overrides have their say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/config/run_config.h"

namespace es::config {

/// A mixture of experts of the model, or the dense network in its place.
struct RouterSite {
    std::int64_t layer = 0;
    std::string branch;  ///< "v", "t", or "all" in a shared pool
    /// "1.v", as moe.overrides call it.
    [[nodiscard]] std::string name() const { return std::to_string(layer) + "." + branch; }
};

/// In order of the router table: by layer, v before t. Empty where no layer or branch is sparse.
[[nodiscard]] std::vector<RouterSite> routerSites(const RunConfig& config);

struct RouterSettings {
    MoeOptions moe;    ///< without overrides
    LossOptions loss;  ///< the routers' keys alone can differ from the configuration's
};

/// What the router of that site is told: the configuration's values, then each entry of moe.overrides that names it, in order. Entries
/// that cannot be read change nothing: validate() refuses them.
[[nodiscard]] RouterSettings routerSettings(const RunConfig& config, const RouterSite& site);

/// Logits that the router computes for a token: one an expert, or one a slot (soft).
[[nodiscard]] inline std::int64_t routerOutputs(const MoeOptions& moe) { return moe.router == "soft" ? moe.experts * moe.slots : moe.experts; }

/// Hidden width of the dense network of equal active compute: as wide as the experts that a token goes through together. For soft, which has
/// no such number, moe.k says how many to reckon with.
[[nodiscard]] inline std::int64_t twinWidth(const MoeOptions& moe) { return (moe.k + moe.shared_experts) * moe.expert_width; }

/// Whether each entry of moe.overrides can be read, has keys and values that routers may have, and names a router that there is. Relations
/// between keys are not checked here. `path` goes into the error.
[[nodiscard]] Status checkOverrides(const RunConfig& config, const std::string& path);

}  // namespace es::config
