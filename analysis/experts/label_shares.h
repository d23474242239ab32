// SPDX-License-Identifier: GPL-3.0-or-later
// What an expert takes, label by label: the label's share of its assignments beside the label's share of all, with intervals that know that
// tokens of one sample are not independent, and that many labels are compared at once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analysis/experts/expert_tokens.h"
#include "analysis/metrics/sample_families.h"

namespace es::analysis {

struct LabelShareOptions {
    double confidence = 0.95;      ///< of a whole column: all shares of the table hold together with at least this probability, and so do all nPMI
    bool correct = true;           ///< Bonferroni over the labels compared; false: each interval for itself
    std::int32_t min_samples = 5;  ///< a label in fewer samples is listed without an interval and not counted among the comparisons
};

/// One label. Shares are of assignments (mass for dense routing).
struct LabelShare {
    std::string label;
    std::int64_t tokens = 0, samples = 0;  ///< that carry the label; here and below a family of samples counts as one sample
    std::int64_t takers = 0;               ///< of these tokens, those that the expert takes
    std::int64_t taker_samples = 0;        ///< samples that these lie in
    double base = 0;                       ///< p(label): base rate
    double share = 0;                      ///< p(label | expert)
    double share_low = 0, share_high = 0;  ///< NaN: too few samples for an interval
    double pmi_nats = 0;                   ///< ln p(label | expert) / p(label); -inf when never taken
    double npmi = 0;                       ///< pmi ÷ -ln p(label, expert): -1 never, 0 as often as any, 1 only together
    double npmi_low = 0, npmi_high = 0;    ///< NaN as for the share
    double expert_share = 0;               ///< p(expert | label)
    [[nodiscard]] bool above() const { return npmi_low > 0; }
    [[nodiscard]] bool below() const { return npmi_high < 0; }
};

/// All labels that occur, by nPMI, the largest first (those with intervals before those without).
struct LabelShares {
    std::vector<LabelShare> rows;
    double expert_share = 0;               ///< p(expert) over the labelled tokens
    std::int64_t tokens = 0, samples = 0;  ///< labelled ones
    std::int64_t takers = 0;               ///< of them, taken by the expert
    std::int64_t taker_samples = 0;        ///< independent units that the shares rest on
    std::int64_t comparisons = 0;          ///< labels with intervals
    double confidence = 0.95;              ///< of all intervals of a column together
    double confidence_each = 0.95;         ///< of one interval, after the correction
    std::string correction;                ///< "Bonferroni over 12 labels", "none"
};

/// `label_T`: index into names, -1 leaves a token out. Tokens that do not count in `tokens` are left out as well.
///
/// Intervals. A sample's tokens agree with each other (patches of one red picture are all red), so samples are what varies, not tokens. The share is
/// clusteredShare() over samples (variants of one scene count as one): the linearised variance of a ratio of sums in Wilson's limits. A bootstrap
/// over samples gives the same at 95 %, but a correction for 50 labels needs quantiles of 0.0005, which no affordable number of draws has. nPMI:
/// delta method over the same units and of all four sums at once, so that the base rate's own uncertainty and its correlation with the share are in
/// it; at share 0 the share's upper end carried over. Student's t, with the samples that the expert takes tokens of less one as degrees of freedom for the
/// share, and the label's own samples less one for nPMI. Which samples carry the label is itself by chance and in the share's residuals, so its limits hold
/// with as many degrees of freedom as there are samples; nPMI is of the label's samples alone (both simulated, see docs/metrics.md).
/// Correction: Bonferroni over the labels of the table (simultaneous intervals; Holm's steps have none that simple), for shares and for nPMI each, not
/// over experts.
[[nodiscard]] LabelShares labelShares(const ExpertTokens& tokens, std::span<const std::int32_t> label_T, std::span<const std::string> names,
                                      const LabelShareOptions& options = {}, const SampleFamilies& families = {});

}  // namespace es::analysis
