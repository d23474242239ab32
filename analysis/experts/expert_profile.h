// SPDX-License-Identifier: GPL-3.0-or-later
// What an expert is like beside the labels that it takes: where in the picture, how its patches look, which experts go with it, how busy it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/experts/expert_tokens.h"
#include "analysis/experts/label_shares.h"
#include "analysis/experts/probe_facts.h"

namespace es::analysis {

/// Labels of one kind as the expert takes them: labelShares() of LabelSource::labels(). No rows when no token has such labels.
[[nodiscard]] LabelShares expertLabels(const ExpertTokens& tokens, const ProbeFacts& facts, LabelKind kind, Modality modality,
                                       const LabelShareOptions& options = {});
/// The words that it takes.
[[nodiscard]] LabelShares expertWords(const ExpertTokens& tokens, const ProbeFacts& facts, const LabelShareOptions& options = {});
/// Categories of the patches that it takes; blank patches are a label of their own.
[[nodiscard]] LabelShares expertCategories(const ExpertTokens& tokens, const ProbeFacts& facts, const LabelShareOptions& options = {});
/// "vision" and "text": p(modality | expert) beside p(modality), without which it cannot be read (a pooled router under one balance loss cannot have
/// pure experts of a rare modality).
[[nodiscard]] LabelShares modalityShare(const ExpertTokens& tokens, const LabelShareOptions& options = {}, const SampleFamilies& families = {});

/// Where it is used: patches of pictures with the commonest grid, or words by their place in the caption (one row).
struct PositionMap {
    Modality modality = Modality::kVision;
    std::int32_t width = 0, height = 0;  ///< 0: no such tokens
    std::vector<double> share_P;         ///< p(expert | cell) over assignments, row by row; NaN where no token lies
    std::vector<std::int64_t> tokens_P;
    double base = 0;           ///< p(expert) over these tokens
    std::int64_t samples = 0;  ///< of that grid
    std::int64_t samples_of_other_grids = 0;
};
[[nodiscard]] PositionMap positionMap(const ExpertTokens& tokens, const ProbeFacts& facts, Modality modality);

/// One property of patches: weighted mean over what the expert takes against all patches.
struct LookRow {
    std::string name, unit;
    double expert = 0, all = 0;  ///< means; NaN without a patch of which it is known
    double difference = 0;       ///< expert - all
    double low = 0, high = 0;    ///< of the difference; NaN when the expert takes patches of fewer than kLeastGroups families of samples
    std::int64_t takers = 0;     ///< patches
    std::int64_t samples = 0;    ///< families of samples that it takes patches of
};
/// Of patches whose picture the run holds.
struct ExpertLooks {
    std::vector<LookRow> rows;         ///< saturation, lightness, edge energy, fine detail, red, green, blue
    LabelShares hues;                  ///< share of each hue beside that of all patches
    std::vector<PatchLook> hue_looks;  ///< mean look of all patches of each row of hues
    std::int64_t patches = 0, samples = 0;
    double confidence = 0.95;
};
/// Intervals of the differences: clusteredDifference() over families of samples, Bonferroni over the properties.
[[nodiscard]] ExpertLooks expertLooks(const ExpertTokens& tokens, const ProbeFacts& facts, const LabelShareOptions& options = {});

/// Another expert of the same router.
struct Partner {
    ExpertIndex expert;
    double together = 0;    ///< share of this expert's tokens that the other takes too (soft: mass products ÷ this expert's mass)
    double base = 0;        ///< share of all tokens that the other takes
    double co_routing = 0;  ///< correlation of the two, -1..1; NaN where one never varies
};
struct ExpertPartners {
    std::vector<Partner> rows;     ///< by co_routing, the largest first
    bool several_choices = false;  ///< false: one expert a token, so none is ever active beside another
    std::string correlation_of;    ///< "router probabilities over tokens", or "shares of samples" where no distributions were recorded
    std::int64_t n = 0;            ///< tokens, or samples, that the correlation is over
};
/// Co-routing: Pearson's correlation. Probabilities of one router sum to 1, so that unrelated experts have about -1/(E-1).
[[nodiscard]] ExpertPartners expertPartners(const ExpertTokens& tokens);

/// Load over training.
struct ExpertLoad {
    store::LoadHistory history;
    std::int32_t expert = 0;
    double now = 0;  ///< mean share over the last columns that make up 100 steps; NaN without records
    std::int64_t now_from = 0, now_to = 0;
    double even = 0;  ///< 1 / E
    [[nodiscard]] float share(std::size_t column) const { return history.share_ES[static_cast<std::size_t>(expert) * history.step.size() + column]; }
};
[[nodiscard]] Result<ExpertLoad> expertLoad(const store::RunReader& run, RouterId router, ExpertIndex expert, std::int64_t max_columns = 600);

}  // namespace es::analysis
