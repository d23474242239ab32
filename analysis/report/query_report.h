// SPDX-License-Identifier: GPL-3.0-or-later
// What `expertscope query` prints.
#pragma once

#include <string>
#include <vector>

#include "analysis/query/query_index.h"
#include "engine/store/annotations.h"

namespace es::analysis {

/// Found tokens and samples with the words that a reader needs.
struct QueryReport {
    std::string run, run_uuid, saved_as;  ///< saved_as: name of the set; empty: not saved
    QueryAnswer answer;
    std::vector<store::SampleRecord> samples;  ///< those found, in the run's order, without pictures
    double milliseconds = 0;                   ///< that the answer took
};
/// Looks up the found samples' records.
[[nodiscard]] Result<QueryReport> queryReport(const store::RunReader& run, QueryAnswer answer, double milliseconds);

/// {"schema": "expertscope-query", ...}: every found sample; tokens as "stream" and "positions" unless whole samples were asked for.
[[nodiscard]] std::string toJson(const QueryReport& report);
/// One line a token: sample,objective,modality,position,caption; one line a sample with empty columns when samples alone were asked for.
[[nodiscard]] std::string toCsv(const QueryReport& report);
/// Counts by router and the first samples.
[[nodiscard]] std::string toText(const QueryReport& report);

[[nodiscard]] std::string setsToJson(const std::vector<store::NamedSet>& sets);
[[nodiscard]] std::string setsToText(const std::vector<store::NamedSet>& sets);

}  // namespace es::analysis
