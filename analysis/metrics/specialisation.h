// SPDX-License-Identifier: GPL-3.0-or-later
// Does the choice of expert tell something about the token? Mutual information of first choice and label, beside the three baselines
// without which the number means nothing: the same net with a random router, the untrained net, and permuted labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

enum class LabelKind : std::uint8_t {
    kCategory,  ///< of the sample the patch belongs to; blank patches are a label of their own
    kTokenId,   ///< vocabulary id of the word
};
[[nodiscard]] std::string_view toString(LabelKind kind);  ///< "category" "token_id"

struct SpecialisationOptions {
    std::int32_t permutations = 200;
    double quantile = 0.975;        ///< of the permuted values
    std::uint64_t seed = 0;         ///< of the permutations
    std::int32_t wanted_draws = 5;  ///< fewer random routers than this are used, and said in notes
};

/// A baseline's normalised mutual information. Not recorded: draws 0, values NaN, `missing` says why.
struct SpecialisationBaseline {
    std::int32_t draws = 0;
    double mi_mean = 0, mi_max = 0, nmi_mean = 0, nmi_max = 0;  ///< permutation: mean and the quantile (in *_max)
    std::string missing;
    [[nodiscard]] bool available() const { return draws > 0; }
};

/// One router and label.
struct Specialisation {
    store::RouterInfo router;
    Modality modality = Modality::kUnknown;
    LabelKind label = LabelKind::kCategory;
    std::int64_t step = 0;
    std::int64_t tokens = 0, samples = 0, labels = 0;  ///< that counted
    std::int64_t blank_tokens = 0, masked_left_out = 0;
    double mi_nats = 0, nmi = 0, h_label_nats = 0, h_expert_nats = 0;
    SpecialisationBaseline random_router, untrained, permutation;
    bool above_random_router = false, above_untrained = false, above_permutation = false;  ///< by nmi, against the largest draw
    /// True only when all three baselines are there and all are passed.
    [[nodiscard]] bool aboveAll() const { return above_random_router && above_untrained && above_permutation; }
    std::vector<std::string> notes;
};

/// Every router, each with the labels that fit its tokens: category for patches, token id for words. `step` names a stored probe of the
/// trained model (-1: the newest). Masked tokens are left out and counted. Errors: no probe at that step. Pure: the same run and options
/// give the same numbers.
[[nodiscard]] Result<std::vector<Specialisation>> specialisation(const store::RunReader& run, std::int64_t step = -1, const SpecialisationOptions& options = {},
                                                                 const JobContext& context = {});

/// "3 of 4 routers stand above all three baselines: 1.v category, ..." or what is missing to say so.
[[nodiscard]] std::string specialisationVerdict(const std::vector<Specialisation>& rows);

}  // namespace es::analysis
