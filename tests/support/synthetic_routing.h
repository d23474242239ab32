// SPDX-License-Identifier: GPL-3.0-or-later
// Routing tables with planted structure, as a router with noise would make them.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/random.h"
#include "engine/store/records.h"

namespace es::test {

/// One token and the expert that is planted for it.
struct PlantedToken {
    std::uint64_t sample = 0;
    std::uint16_t position = 0;
    Modality modality = Modality::kVision;
    Objective objective = Objective::kImage;
    std::int32_t token_id = -1;
    bool masked = false;
    std::int32_t planted = 0;  ///< expert, taken modulo the number of experts; -1: none
};

/// Routes the tokens by softmax of `strength` for the planted expert plus unit normal noise; k best; `dead` (>= 0) gets nothing.
/// `withProbs` keeps the whole distribution.
[[nodiscard]] store::RoutingTable routeTokens(const store::RouterInfo& router, std::int64_t step, const std::vector<PlantedToken>& tokens, double strength,
                                              std::int32_t dead, bool withProbs, RandomStream& random);

}  // namespace es::test
