// SPDX-License-Identifier: GPL-3.0-or-later
// One panel of an expert from a run's records, as a figure asks for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/experts/expert_gallery.h"
#include "analysis/figures/panel_data.h"
#include "analysis/metrics/token_labels.h"
#include "engine/base/job_context.h"

namespace es::analysis {

struct ExpertPartRequest {
    ExpertQuery expert;
    std::string part = "labels";             ///< one of expertPartNames()
    LabelKind label = LabelKind::kCategory;  ///< of part "labels"
    Modality modality = Modality::kUnknown;  ///< of "labels", "positions" and "gallery"; unknown: patches where the router sees some
    GalleryOptions gallery;
};
/// "labels" "modality" "positions" "looks" "load" "partners" "gallery": what the page of an expert shows, a panel each.
[[nodiscard]] const std::vector<std::string>& expertPartNames();

/// Errors: no probe; no such router, expert or part; nothing known of it. Any thread.
[[nodiscard]] Result<Panel> expertPart(const store::RunReader& run, const ExpertPartRequest& request, const JobContext& context = {});

}  // namespace es::analysis
