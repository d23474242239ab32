// SPDX-License-Identifier: GPL-3.0-or-later
// All that is said of one expert beside its gallery, in one go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/experts/expert_profile.h"
#include "engine/base/job_context.h"

namespace es::analysis {

/// Labels of one kind over patches or words.
struct LabelTable {
    LabelKind kind = LabelKind::kTokenId;
    Modality modality = Modality::kText;
    LabelShares shares;
};
/// "words" "categories" "domains" "truth": which part of a report a kind belongs to.
[[nodiscard]] std::string_view labelPart(LabelKind kind);

/// How alike the other experts of the router are by one measure that somebody had the engine compute and the run keeps.
struct KeptSimilarity {
    std::string measure;          ///< "weights" "router_rows" "outputs" "cka"
    std::int64_t tokens = 0;      ///< that outputs were compared on; 0 for weights
    std::vector<double> value_E;  ///< NaN at the expert itself and where it is not defined
};

struct ExpertDetails {
    LabelShares modality;            ///< one row in routers of one modality
    std::vector<LabelTable> labels;  ///< of every kind that tokens have, but positions; kinds of which all tokens have one label are left out
    PositionMap patches, words;
    ExpertLooks looks;
    ExpertPartners partners;
    std::vector<KeptSimilarity> similar;  ///< of the same checkpoint; empty: nobody measured it
    ExpertLoad load;                      ///< without columns when nothing was recorded
    std::vector<std::string> notes;
    /// Null when there is no such table.
    [[nodiscard]] const LabelShares* find(LabelKind kind, Modality of) const;
};

/// Progress goes from part to part. Errors: stopped. What cannot be read is a note.
[[nodiscard]] Result<ExpertDetails> expertDetails(const store::RunReader& run, const ExpertTokens& tokens, const ProbeFacts& facts,
                                                  const LabelShareOptions& options = {}, const JobContext& context = {});

}  // namespace es::analysis
