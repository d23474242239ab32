// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/routing_view.h"

namespace es::store {

ExpertIndex RoutingView::firstChoice(std::int64_t token) const {
    if (table_->router.layout == RoutingLayout::kFixedK && table_->router.k > 0)
        return ExpertIndex(table_->expert_ids[static_cast<std::size_t>(token * table_->router.k)]);
    ExpertIndex best;
    float bestMass = 0;
    forEachAssignmentOf(token, [&](std::int64_t, ExpertIndex expert, float mass, bool) {
        if (!best.valid() || mass > bestMass || (mass == bestMass && expert < best)) {
            best = expert;
            bestMass = mass;
        }
    });
    return best;
}

}  // namespace es::store
