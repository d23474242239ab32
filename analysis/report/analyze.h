// SPDX-License-Identifier: GPL-3.0-or-later
// What `expertscope analyze` and `expertscope compare` print: numbers with their names, units and intervals. No text is made elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/compare/comparison.h"
#include "analysis/metrics/specialisation.h"
#include "analysis/query/restricted_run.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

struct MetricInfo {
    std::string name;  ///< "load", as --metric takes it
    std::string help;
};
/// Every metric of `analyze`, in the order in which it is printed.
[[nodiscard]] const std::vector<MetricInfo>& metricInfos();

struct AnalyzeRequest {
    std::vector<std::string> metrics = {};  ///< empty: all
    LayerIndex layer = {};                  ///< invalid: every layer
    std::int64_t checkpoint = -1;           ///< step of a probe; -1: the newest
    SpecialisationOptions specialisation = {};
    std::shared_ptr<const store::RunReader> against = {};  ///< another run on the same probe, as another seed: its experts are matched with this one's
    ChosenSet set = {};  ///< only these tokens of probes and these samples of evaluations; what training recorded is of all tokens
};

/// One number. `name` ends in its unit where it has one ("mi_nats", "drop_rate", "entropy_nats").
struct MetricRow {
    std::string metric, name;
    LayerIndex layer;
    Branch branch = Branch::kAll;
    RouterId router;
    Modality modality = Modality::kUnknown;
    ExpertIndex expert;  ///< invalid: of the router as a whole
    std::string label;   ///< category, word or objective that it belongs to
    std::int64_t step = -1;
    double value = 0;          ///< NaN: not defined here
    double low = 0, high = 0;  ///< 95 % interval; NaN: none
    std::int64_t n = 0;        ///< what it was computed over (tokens, samples)
    std::string note;
};

struct AnalyzeResult {
    std::string run, run_uuid;
    std::int64_t step = -1;
    std::vector<MetricRow> rows;
    std::vector<Specialisation> specialisation;  ///< when asked for: rows hold its numbers too
    std::vector<std::string> notes;              ///< what is missing, partial, left out
    std::string verdict;                         ///< on specialisation
    std::string set;                             ///< what it was restricted to: ChosenSet::note(); empty: everything
};

/// Errors: unknown metric (the nearest is named), no such layer, no probe at that step. A metric whose records are missing is a note.
[[nodiscard]] Result<AnalyzeResult> analyzeRun(const store::RunReader& run, const AnalyzeRequest& request, const JobContext& context = {});

[[nodiscard]] std::string toJson(const AnalyzeResult& result);
[[nodiscard]] std::string toCsv(const AnalyzeResult& result);
/// Aligned text for a terminal.
[[nodiscard]] std::string toText(const AnalyzeResult& result);

[[nodiscard]] std::string toJson(const Comparison& comparison);
[[nodiscard]] std::string toText(const Comparison& comparison);

}  // namespace es::analysis
