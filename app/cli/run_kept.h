// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of `expertscope run` that keep something with the run: the batch over all experts, similarities of experts, kept results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/session/intervention.h"
#include "engine/store/annotations.h"

namespace es::app {

/// Every expert banned (or silenced) alone; goes on where it was stopped; prints the table and the comparison of the most specialised with others.
struct CausalArguments {
    std::string run;
    std::int64_t checkpoint = -1, samples = 0;
    session::InterventionKind kind = session::InterventionKind::kBan;
    std::int32_t layer = -1;  ///< -1: all
    bool json = false;
};
[[nodiscard]] int runCausalBatch(const CausalArguments& arguments);

/// Compares the experts of every router and keeps the result.
[[nodiscard]] int runSimilarity(const std::string& run, std::int64_t checkpoint, bool json);

[[nodiscard]] int listKept(const std::string& run, bool json);
[[nodiscard]] int forgetKept(const std::string& run, std::int64_t id, bool json);
/// Keeps it as a result of `run`; says where on stderr.
[[nodiscard]] Status keepWithRun(const std::string& run, store::KeptResult result);

}  // namespace es::app
