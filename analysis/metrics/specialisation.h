// SPDX-License-Identifier: GPL-3.0-or-later
// Does the choice of expert tell something about the token? Mutual information of first choice and label, beside the three baselines
// without which the number means nothing: the same net with a random router, the untrained net, and permuted labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/metrics/token_labels.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

struct SpecialisationOptions {
    std::int32_t permutations = 200;
    /// Drawn where fewer than ten of the first ones reach the value (Besag and Clifford 1991): a p-value of 1/201 would not survive many rows.
    std::int32_t most_permutations = 1000;
    double quantile = 0.975;             ///< of the permuted values
    std::uint64_t seed = 0;              ///< of the permutations
    std::int32_t wanted_draws = 5;       ///< fewer random routers than this are used, and said in notes
    double alpha = 0.05;                 ///< chance of a single false row in the whole table, and again of a single false preference in it
    std::vector<LabelKind> labels = {};  ///< empty: every kind that the run knows labels of
    std::int64_t min_label_tokens = 10;  ///< a label, or an expert, of fewer tokens takes no part in the search for preferences
    std::size_t most_preferences = 40;   ///< kept of a row, the clearest first
    bool chosen_by_routing = false;      ///< the run is cut to tokens chosen by what routers did: nothing counts as found
};

/// A baseline's normalised mutual information. Not recorded: draws 0, values NaN, `missing` says why.
struct SpecialisationBaseline {
    std::int32_t draws = 0;
    double mi_mean = 0, mi_max = 0, nmi_mean = 0, nmi_max = 0;  ///< permutation: mean and the quantile (in *_max)
    std::string missing;
    [[nodiscard]] bool available() const { return draws > 0; }
};

/// An expert that takes more of a label's tokens than of others.
struct LabelPreference {
    std::string label;
    std::int32_t expert = -1;
    std::int64_t tokens = 0, label_tokens = 0;  ///< of the label and the expert; of the label
    double p_label = 0;                         ///< base rate of the label
    double p_expert = 0;                        ///< base rate of the expert, by first choices
    double p_label_given_expert = 0, p_expert_given_label = 0;
    double npmi = 0;
    double risk_difference = 0, low = 0, high = 0;  ///< p(expert | label) - p(expert | another label), 95 % interval over samples (families count once)
    double p = 0;  ///< the larger of the row's p (Holm) and that of the pair among all pairs of its row (largest deviation of each permutation, Westfall and
                   ///< Young 1993) corrected over all rows by Holm
};

/// One router and label.
struct Specialisation {
    store::RouterInfo router;
    Modality modality = Modality::kUnknown;
    LabelKind label = LabelKind::kCategory;
    std::int64_t step = 0;
    std::int64_t tokens = 0, samples = 0, labels = 0;  ///< that counted
    std::int64_t families = 0;                         ///< of samples: minimal pairs, probe series and (for words) equal captions count once
    std::int64_t blank_tokens = 0, masked_left_out = 0;
    std::int64_t background_left_out = 0;  ///< patches that no object covers half of
    double mi_nats = 0, nmi = 0, h_label_nats = 0, h_expert_nats = 0;
    double expected_mi_nats = 0, ami = 0;  ///< by chance among single tokens; adjusted for it (see adjustedInformation)
    double p = 1,
           p_holm =
               1;  ///< of the permutations (at least kLeastP of stats/multiple.h); after Holm's correction over all rows of the table with two labels or more
    SpecialisationBaseline random_router, untrained, permutation;
    bool above_random_router = false, above_untrained = false, above_permutation = false;  ///< by nmi, against the largest draw
    bool chosen_by_routing = false;                                                        ///< its tokens were chosen by what routers did: no baseline is valid
    /// True only when all three baselines are there and all are passed.
    [[nodiscard]] bool aboveAll() const { return above_random_router && above_untrained && above_permutation; }
    /// Above all baselines, and not one of the many rows that pass them by luck.
    [[nodiscard]] bool found(double alpha = 0.05) const { return aboveAll() && p_holm <= alpha && !chosen_by_routing; }
    std::vector<LabelPreference> preferences;  ///< with p <= alpha, clearest first
    std::vector<std::string> notes;
};

/// Every router, each with the labels that fit its tokens and are known (at least two labels). `step` names a stored probe of the trained model
/// (-1: the newest). Masked tokens are left out and counted. Errors: no probe at that step; stopped. Pure: the same run and options give the same
/// numbers.
[[nodiscard]] Result<std::vector<Specialisation>> specialisation(const store::RunReader& run, std::int64_t step = -1, const SpecialisationOptions& options = {},
                                                                 const JobContext& context = {});

/// "yes", "yes, p > 0.05" (above all baselines, but not after correction), "no", "chosen by routing".
[[nodiscard]] std::string foundWords(const Specialisation& row);

/// "3 of 4 found (above all three baselines, and after correction): 1.v category, ...", how many are above but fail the correction, what is missing.
[[nodiscard]] std::string specialisationVerdict(const std::vector<Specialisation>& rows);

}  // namespace es::analysis
