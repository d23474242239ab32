// SPDX-License-Identifier: GPL-3.0-or-later
// What each expert is needed for: the effect of banning (or silencing) it alone on what is predicted of pictures and of words, and whether the
// most specialised expert matters more than another. From kept results of the batch over all experts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "analysis/interventions/effects.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// One expert banned alone. δ_m(e) = L_m(without e) - L_m: `vision.difference` and `text.difference`.
struct ExpertCausal {
    store::RouterInfo router;
    ExpertIndex expert;
    std::int64_t tokens = 0, rerouted = 0;  ///< of its router
    LossEffect vision, text;                ///< samples 0 where the run predicts nothing of that modality
    double selectivity = 0;                 ///< |δ_v - δ_l| / (δ_v + δ_l), negative δ taken as 0; NaN where both are
};

/// S = (1/E) Σ_e |δ_v - δ_l| / (δ_v + δ_l) over the experts for which it is defined. 0: every expert serves both alike, 1: each one alone.
/// Noise raises it: the interval is a bootstrap over samples, and `experts` says of how many experts both δ are not 0 or below.
struct RouterCausal {
    store::RouterInfo router;
    double specialisation = 0, low = 0, high = 0;  ///< NaN where no expert counts
    std::int32_t experts = 0;
    std::int64_t samples = 0;
};

struct CausalTable {
    std::int64_t step = -1;
    std::string kind;          ///< "ban" or "silence"
    std::string vision, text;  ///< the objectives that were compared: of pairs where the run has them; empty: none
    bool relative = false;     ///< S is of δ_m / L_m: pixels and nats cannot be compared as they are
    double confidence = 0.95;
    std::vector<ExpertCausal> experts;  ///< in the order of the results
    std::vector<RouterCausal> routers;
};
/// Results that are not of one expert alone are left out.
[[nodiscard]] CausalTable causalTable(const std::vector<store::KeptResult>& results, const config::RunConfig& config, double confidence = 0.95,
                                      std::int32_t draws = 1000, std::uint64_t seed = 0);

/// Σ_l p(l|e) ln(p(l|e) / p(l)) of each expert: how much its tokens' labels differ from all labels, in nats (0 for experts without tokens).
/// Labels below 0 do not count. Its mean over experts, weighted by their tokens, is the mutual information of label and expert.
[[nodiscard]] std::vector<double> expertInformation(const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& chosen, std::int32_t experts);

/// The most specialised expert of a router against the others, banned.
struct BanComparison {
    store::RouterInfo router;
    std::string label;       ///< what it is specialised on: "category" or "token_id"
    ExpertIndex expert;      ///< largest information above chance, of those that are first choice of a tenth of an even share or more
    double information = 0;  ///< nats, above the mean of permuted labels
    ExpertIndex random;      ///< drawn among the others
    double rerouted = 0, random_rerouted = 0, others_rerouted = 0;  ///< share of the router's tokens; of the others the mean
    LossEffect effect, random_effect, others_effect;                ///< on the total loss
    LossEffect above_random, above_others;                          ///< paired over samples: what banning it costs more; without and with are the two effects
    std::int32_t others = 0, smaller = 0;                           ///< the others, and those of them whose ban costs less
};
/// One a router for which the results are complete and the run's probe has labelled tokens; notes say which have not. `seed`: of the drawn expert
/// and the permutations.
[[nodiscard]] Result<std::vector<BanComparison>> compareBans(const store::RunReader& run, const std::vector<store::KeptResult>& results,
                                                             std::vector<std::string>& notes, std::uint64_t seed = 0, const JobContext& context = {});

/// The experts as a table, S of the routers in the notes; and the comparisons, one row a router.
[[nodiscard]] Panel causalPanel(const CausalTable& table);
[[nodiscard]] Panel comparisonPanel(const std::vector<BanComparison>& comparison, const std::vector<std::string>& notes);

/// A table of the experts, S of the routers, and the comparison, for a terminal.
[[nodiscard]] std::string toText(const CausalTable& table);
[[nodiscard]] std::string toText(const std::vector<BanComparison>& comparison);

}  // namespace es::analysis
