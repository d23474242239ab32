// SPDX-License-Identifier: GPL-3.0-or-later
// Sets under a name, kept with the run, and what a user may write where a set is asked for.
#pragma once

#include <string>
#include <vector>

#include "analysis/query/query_index.h"
#include "analysis/query/restricted_run.h"
#include "engine/store/annotations.h"

namespace es::analysis {

/// The query of a text that names a set or is a query itself. A name comes first; what is neither is an error that names the nearest set.
[[nodiscard]] Result<store::NamedSet> resolveSet(const std::string& name_or_query, const std::vector<store::NamedSet>& sets);

/// The tokens of a name or query in a run. An empty text chooses everything. Errors: neither a set nor a query; what the query asks is not
/// known to the run; nothing fits.
[[nodiscard]] Result<ChosenSet> chooseSet(const store::RunReader& run, const std::string& name_or_query, const QueryIndexOptions& options = {},
                                          const JobContext& context = {});

/// A result of held-out samples cut down to those of the set, which it names (by its query where it has no name); everything: as it is. Tokens that
/// were re-routed stay counted over all samples. Errors: no held-out sample is in the set.
[[nodiscard]] Result<store::KeptResult> narrowedTo(store::KeptResult result, const ChosenSet& set);

/// Why a set cannot be called this; success when it can. Names are 1 to 60 bytes, without line breaks, and do not read as a query.
[[nodiscard]] Status checkSetName(const std::string& name);

/// Keeps a query under a name in the run's annotations, after checking both. Replaces a set of the same name.
[[nodiscard]] Status saveSet(const store::RunReader& run, const std::string& name, const std::string& query);

}  // namespace es::analysis
