// SPDX-License-Identifier: GPL-3.0-or-later
// Which kept results make up a batch over all experts, each banned (or silenced) alone: the one selection that everything uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/annotations.h"

namespace es::store {

/// The expert that a result of a batch is about.
struct CausalTarget {
    std::string kind;  ///< "ban" or "silence"
    LayerIndex layer;
    Branch branch = Branch::kAll;
    std::int32_t expert = -1;
    [[nodiscard]] bool of(const RouterInfo& router) const { return router.layer == layer && router.branch == branch; }
};
/// Of "ban 1.v:3" and nothing else: several interventions, experts or chosen tokens are no result of a batch.
[[nodiscard]] std::optional<CausalTarget> causalTarget(const KeptResult& result);

/// Results of one checkpoint, kind and number of samples.
struct CausalBatch {
    std::int64_t checkpoint = -1;
    std::string kind;
    std::int64_t samples = 0;         ///< asked for of each stream; 0: all that the run evaluates
    std::vector<KeptResult> results;  ///< one an expert (of several the newest), in the order of `routers`, experts ascending
};
/// `results` of purpose "causal", oldest first. Those of another run or of other routers are left out. Batches by checkpoint, kind, samples.
[[nodiscard]] std::vector<CausalBatch> causalBatches(std::vector<KeptResult> results, std::string_view run_uuid, const std::vector<RouterInfo>& routers);

}  // namespace es::store
