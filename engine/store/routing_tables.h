// SPDX-License-Identifier: GPL-3.0-or-later
// Choosing and joining the tokens of routing tables.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/store/records.h"

namespace es::store {

/// Only the tokens whose entry of `keep_T` is not 0, in their order.
[[nodiscard]] RoutingTable selectTokens(const RoutingTable& table, std::span<const std::uint8_t> keep_T);
/// Appends the tokens of `more` (of the same router and layout). Optional columns that either lacks are dropped, unless `into` is empty.
void appendTokens(RoutingTable& into, RoutingTable&& more);

/// Which tokens the table holds, as runs of positions that count up. The columns sample, position, modality and objective must be there.
[[nodiscard]] std::vector<TokenRun> tokenRuns(const RoutingTable& table);

}  // namespace es::store
