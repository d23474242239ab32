// SPDX-License-Identifier: GPL-3.0-or-later
// From a router's rows back to the samples, positions and words they came from.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/data/batch.h"
#include "engine/routing/routing_event.h"
#include "engine/store/records.h"

namespace es::engine {

/// One entry a routed token, in the router's order.
struct TokenColumns {
    std::vector<Modality> modality_T;
    std::vector<std::uint64_t> sample_T;
    std::vector<std::uint16_t> position_T;
    std::vector<std::int32_t> token_id_T;
    std::vector<std::uint8_t> masked_T;
    std::vector<Objective> objective_T;

    void moveInto(store::RoutingTable& table);
};

/// Only modality_T unless `whole`. `batch` is on the CPU and is the one that the forward ran on.
[[nodiscard]] TokenColumns nameTokens(const RoutingEvent& event, const Batch& batch, bool whole, const std::function<std::uint64_t(std::int64_t)>& hash);

}  // namespace es::engine
