// SPDX-License-Identifier: GPL-3.0-or-later
// A run as far as a set of tokens goes: every analysis that takes a run can be made of a set.
#pragma once

#include <memory>
#include <string>

#include "analysis/query/token_set.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// A set with the words that say what it is. Nothing chosen: everything, `tokens` is ignored.
struct ChosenSet {
    bool everything = true;
    std::string name;   ///< of a saved set; empty: made of a query
    std::string query;  ///< that made it
    TokenSet tokens;
    /// "only 'red animals': 1 204 tokens of 37 samples"; empty for everything.
    [[nodiscard]] std::string note() const;
    /// The query asks what routers did (or cannot be read): what these tokens' routing has in common was chosen, and no baseline holds for it.
    [[nodiscard]] bool chosenByRouting() const;
};

/// The same run with probes, traces, evaluations and samples cut down to the set; what is recorded for all tokens together (curves, load of
/// training, events) stays as it is. Everything chosen: the run itself. Thread-safe as the run inside is.
[[nodiscard]] std::shared_ptr<const store::RunReader> restrictTo(std::shared_ptr<const store::RunReader> run, const ChosenSet& set);
/// The same for a run that somebody else keeps alive as long as the result; null for everything.
[[nodiscard]] std::unique_ptr<const store::RunReader> restrictBorrowed(const store::RunReader& run, const ChosenSet& set);

}  // namespace es::analysis
