// SPDX-License-Identifier: GPL-3.0-or-later
// What `expertscope analyze RUN --expert 6.v:5` prints: everything that the expert page of the window shows, from the same functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/experts/expert_details.h"
#include "analysis/experts/expert_gallery.h"
#include "analysis/report/analyze.h"

namespace es::analysis {

struct ExpertReportRequest {
    std::string expert;                   ///< "6.v:5": layer, branch and expert
    std::vector<std::string> parts = {};  ///< of expertParts(); empty: all
    std::int64_t checkpoint = -1;         ///< step of a probe; -1: the newest
    std::string within = {};              ///< what the run was restricted to, in words: said in the notes
    GalleryOptions gallery = {};
    LabelShareOptions labels = {};
};
/// "gallery" "modality" "words" "categories" "domains" "truth" "positions" "looks" "partners" "load", each with what it is.
[[nodiscard]] const std::vector<MetricInfo>& expertParts();

struct ExpertReport {
    std::string run, run_uuid;
    ExpertReportRequest request;
    ExpertTokens tokens;
    ExpertGallery gallery;
    ProbeFacts facts;
    ExpertDetails details;
    std::vector<Credit> credits;     ///< of the gallery's samples
    std::vector<std::string> notes;  ///< what is missing or partial
    [[nodiscard]] bool has(std::string_view part) const;
};

/// "6.v:5" as a router and an expert. Errors: another form, no such router or expert (what there is, is named).
[[nodiscard]] Result<ExpertQuery> expertFromName(const store::RunReader& run, std::string_view name);
/// Errors: of expertFromName(), an unknown part, no probe at that step.
[[nodiscard]] Result<ExpertReport> expertReport(const store::RunReader& run, const ExpertReportRequest& request, const JobContext& context = {});

[[nodiscard]] std::string toJson(const ExpertReport& report);
/// One number a row: part, label, name, value, low, high, n, note.
[[nodiscard]] std::string toCsv(const ExpertReport& report);
/// Aligned text for a terminal; tables of labels show the first rows and say how many follow.
[[nodiscard]] std::string toText(const ExpertReport& report);

}  // namespace es::analysis
