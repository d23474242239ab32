// SPDX-License-Identifier: GPL-3.0-or-later
// Results of interventions as the run keeps them, with the recipe that makes them again; and the batch over all experts, which goes on where
// it was stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/session/engine_session.h"
#include "engine/store/annotations.h"
#include "engine/store/run_reader.h"

namespace es::session {

/// "ban 1.v:3": the option of `expertscope run` without its dashes, and its argument.
[[nodiscard]] std::string recipeOf(const Intervention& intervention);
[[nodiscard]] std::vector<std::string> recipeOf(const std::vector<Intervention>& interventions);
/// And back. Fails on what is no such text.
[[nodiscard]] Result<std::vector<Intervention>> interventionsOf(const std::vector<std::string>& recipe);

/// Rows, re-routed tokens and names of held-out samples. `samples`: what was asked for. Without id, purpose, set and uuid.
[[nodiscard]] store::KeptResult keptResult(const InterventionResult& result, const std::vector<Intervention>& interventions, std::int64_t samples);
/// The same of one sample: losses of what was hidden, the words that were predicted there, which tokens were re-routed. `sample`: its hash in
/// the run, or of the own picture. Without a baseline (no interventions) before and after are the same.
[[nodiscard]] store::KeptResult keptResult(const SampleResult& result, const SampleRequest& request, std::uint64_t sample);

inline constexpr const char* kCausalPurpose = "causal";

/// Every expert of the chosen routers banned (or silenced) alone, on the held-out samples.
struct CausalRequest {
    std::int64_t checkpoint = -1;                    ///< step; -1: the newest that is there
    InterventionKind kind = InterventionKind::kBan;  ///< or kSilence
    std::vector<RouterId> routers;                   ///< empty: all
    std::int64_t samples = 0;                        ///< of each stream; 0: those that the run evaluates
};

/// Newest checkpoint that is still there; fails where there is none.
[[nodiscard]] Result<std::int64_t> newestCheckpoint(const store::RunReader& run);

/// Kept results of such a batch that are of this run, checkpoint, kind, samples and routers: one an expert, routers then experts ascending.
/// `request.checkpoint` must name a step.
[[nodiscard]] Result<std::vector<store::KeptResult>> causalResults(const store::RunReader& run, const CausalRequest& request);
/// How many there will be when the batch is done.
[[nodiscard]] std::int64_t causalCount(const store::RunReader& run, const CausalRequest& request);

using VariantRunner = std::function<Status(const VariantRequest&, const VariantSink&, const JobContext&)>;

/// Runs what is missing, keeps each result as soon as it is there, and gives all. Stopped: kStopped, and what was done is kept. Fails as
/// EngineLibrary::evaluateVariants does, and on a dense run.
[[nodiscard]] Result<std::vector<store::KeptResult>> runCausal(const store::RunReader& run, CausalRequest request, const VariantRunner& runner,
                                                               const JobContext& context);

}  // namespace es::session
