// SPDX-License-Identifier: GPL-3.0-or-later
// What is on screen, as queries that make the same panels again on a page.
#pragma once

#include <optional>

#include "analysis/figures/figure_recipe.h"
#include "views/inspect/inspect_model.h"

namespace es::views {

/// Each is empty when the run does not hold what the panel shows (own pictures, dense runs, no selection).
[[nodiscard]] std::optional<analysis::PanelQuery> overlayQuery(const InspectModel& model);
[[nodiscard]] std::optional<analysis::PanelQuery> mapQuery(const InspectModel& model);
[[nodiscard]] std::optional<analysis::PanelQuery> distributionQuery(const InspectModel& model);
[[nodiscard]] std::optional<analysis::PanelQuery> changeQuery(const InspectModel& model);

}  // namespace es::views
