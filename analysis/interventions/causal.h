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

struct CausalOptions {
    double confidence = 0.95;      ///< of all intervals of the table together
    std::int32_t draws = 1000;     ///< of the chance of S
    std::uint64_t seed = 0;        ///< of these draws
    SampleFamilies families = {};  ///< samples that count as one
};

/// One expert banned alone. δ_m(e) = L_m(without e) - L_m: `vision.difference` and `text.difference`, with intervals of CausalTable::confidence_each.
struct ExpertCausal {
    store::RouterInfo router;
    ExpertIndex expert;
    std::int64_t tokens = 0, rerouted = 0;  ///< of its router
    LossEffect vision, text;                ///< samples 0 where the run predicts nothing of that modality
    bool shown = false;                     ///< one of the two intervals lies above 0
    double selectivity = 0;                 ///< |δ_v - δ_l| / (δ_v + δ_l), negative δ cut to 0; NaN where no effect is shown
};

/// S = (1/E) Σ_e |δ_v - δ_l| / (δ_v + δ_l). 0: every expert serves both alike, 1: each one alone. A negative δ is cut to 0, so that a single δ that is
/// positive by luck counts as 1: S of noise is near 1. Therefore S is over the experts of which an effect is shown, and S over every expert stands
/// beside what it is by chance.
struct RouterCausal {
    store::RouterInfo router;
    double specialisation = 0;   ///< S over the experts with an effect; NaN: none
    double least = 0, most = 0;  ///< S is between them when the intervals of all δ hold: with CausalTable::confidence at least (conservative); NaN as S
    std::int32_t experts = 0;    ///< with an effect
    double every = 0;            ///< S over all experts with a positive δ; NaN: none
    std::int32_t every_experts = 0;
    double chance = 0, chance_high = 0;   ///< mean and 95 % quantile of `every` when the sign of each family's differences is drawn at random; NaN: no draws
    std::int64_t samples = 0, units = 0;  ///< units: families of the samples
};

struct CausalTable {
    std::int64_t step = -1;
    std::string kind;                   ///< "ban" or "silence"
    std::string vision, text;           ///< the objectives that were compared: of pairs where the run has them; empty: none
    bool relative = false;              ///< S is of δ_m / L_m: pixels and nats cannot be compared as they are
    double confidence = 0.95;           ///< of all intervals together
    double confidence_each = 0.95;      ///< of one δ: Bonferroni over `comparisons`
    std::int64_t comparisons = 0;       ///< δ of the table
    std::vector<ExpertCausal> experts;  ///< in the order of the results
    std::vector<RouterCausal> routers;
};
/// Results that are not of one expert alone are left out.
[[nodiscard]] CausalTable causalTable(const std::vector<store::KeptResult>& results, const config::RunConfig& config, const CausalOptions& options = {});
/// The same with the families of the run's samples. Fails where these cannot be read.
[[nodiscard]] Result<CausalTable> causalTable(const store::RunReader& run, const std::vector<store::KeptResult>& results);

/// Σ_l p(l|e) ln(p(l|e) / p(l)) of each expert: how much its tokens' labels differ from all labels, in nats (0 for experts without tokens).
/// Labels below 0 do not count. Its mean over experts, weighted by their tokens, is the mutual information of label and expert.
[[nodiscard]] std::vector<double> expertInformation(const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& chosen, std::int32_t experts);

/// The most specialised expert of a router against the others, banned. It is chosen on one half of the samples (families by a bit of their hash) and
/// everything else is measured on the other half.
struct BanComparison {
    store::RouterInfo router;
    std::string label;           ///< what it is specialised on: "category" or "token_id"
    ExpertIndex expert;          ///< clearest information, of those that are first choice of a tenth of an even share or more
    double information = 0;      ///< nats, above the mean of permuted labels
    double deviations = 0;       ///< the same in standard deviations of the permuted labels: what it is chosen by, since rare experts vary most by chance
    std::int64_t chosen_on = 0;  ///< families of samples whose tokens it was chosen by
    ExpertIndex random;          ///< one drawn among the others: an example
    double rerouted = 0, random_rerouted = 0, others_rerouted = 0;  ///< share of the router's tokens; of the others the mean
    LossEffect effect, random_effect;                               ///< on the total loss
    LossEffect others_effect;                                       ///< mean over all others: what banning a random one costs on average
    LossEffect above_random, above_others;                          ///< paired over samples: what banning it costs more; without and with are the two effects
    LossEffect per_rerouted, others_per_rerouted,
        above_per_rerouted;                    ///< the same for each percent of the router's tokens that is re-routed (of the others: all together)
    double others_least = 0, others_most = 0;  ///< effects of the others, smallest and largest
    std::int32_t others = 0, smaller = 0;      ///< the others, and those of them whose ban costs less
    std::int32_t smaller_per_rerouted = 0;     ///< and those whose ban costs less for each re-routed token
    [[nodiscard]] double rankP() const { return static_cast<double>(1 + others - smaller) / (1 + others); }  ///< of so high a rank when experts are alike
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
