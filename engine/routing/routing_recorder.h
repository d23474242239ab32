// SPDX-License-Identifier: GPL-3.0-or-later
// Turns what routers report in one forward into the records of a run: load of every step, tables of traced steps and probes.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/data/batch.h"
#include "engine/routing/routing_event.h"
#include "engine/store/records.h"

namespace es::engine {

/// What is wanted of a forward. Nothing: the observer declines and nothing is gathered.
struct RecordingWish {
    bool load = false;
    bool tables = false;
    bool probabilities = false;  ///< tables with whole distributions, and with places where experts have so many slots
};

/// Means over one router's tokens of one forward, for the curves.
struct RouterStatistics {
    RouterId router;
    double max_vio = 0;  ///< max_e n_e / mean n - 1, n_e the mass where there are no choices; NaN without tokens
    double entropy_nats = 0;
    double mean_gate = 0;      ///< mean combine weight of the chosen experts; of all experts where there are no choices
    double dead_experts = 0;   ///< experts that no token chose
    double dropped_share = 0;  ///< choices that found no slot, over all choices
};

/// One forward's routing, ready for the store.
struct RecordedRouting {
    std::vector<store::LoadRecord> load;       ///< one a router and modality
    std::vector<RouterStatistics> statistics;  ///< one a router
    std::vector<store::RoutingTable> tables;   ///< one a router, when wanted
};

/// Used by the training thread alone. While a forward runs it only keeps references to the router's outputs (no copy, no wait for the
/// device); take() copies and sums, after the step's work has been handed to the device.
class RoutingRecorder final : public RoutingObserver {
public:
    using HashOf = std::function<std::uint64_t(std::int64_t sample)>;
    /// `hash` names the samples of batches in the records.
    RoutingRecorder(std::vector<store::RouterInfo> routers, HashOf hash);

    /// Call before the forward. `batch` is on the CPU and must live until take().
    void begin(std::int64_t step, const Batch& batch, RecordingWish wish);
    [[nodiscard]] bool wants(LayerIndex layer, std::int64_t step) override;
    [[nodiscard]] bool wantsPlaces() const override { return wish_.tables && wish_.probabilities; }
    void onRouting(const RoutingEvent& event) override;
    /// The records of the forward since begin(), routers ascending. Losses are left at 0: the caller knows them.
    [[nodiscard]] RecordedRouting take();
    /// Lets go of what a forward that failed has reported.
    void forget();
    /// Joins the routing of a step's micro-batches, as take() gave it: counts, masses and tokens add up, means are weighted by tokens or
    /// choices, tables get the tokens of `more` after their own.
    void add(RecordedRouting& sum, RecordedRouting more) const;

private:
    std::vector<store::RouterInfo> routers_;
    HashOf hash_;
    std::int64_t step_ = 0;
    const Batch* batch_ = nullptr;
    RecordingWish wish_;
    std::vector<RoutingEvent> events_;
};

}  // namespace es::engine
