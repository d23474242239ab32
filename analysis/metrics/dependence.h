// SPDX-License-Identifier: GPL-3.0-or-later
// How much a token's label and its expert tell about each other. A label (or first choice) of -1 leaves the token out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

struct MutualInformation {
    double mi_nats = 0;  ///< I(label; expert)
    double nmi = 0;      ///< I ÷ min(H(label), H(expert)); 0 / 0 is 0
    double h_label_nats = 0, h_expert_nats = 0;
    std::int64_t tokens = 0;
    std::int64_t labels = 0, experts = 0;  ///< that occur
};
/// label_T and expert_T (first choices) have equal sizes. About 2 ns a token while labels x experts fits the cache.
/// Upward biased by about (labels - 1)(experts - 1) / 2T: never read it without a baseline.
[[nodiscard]] MutualInformation mutualInformation(std::span<const std::int32_t> label_T, std::span<const std::int32_t> expert_T);

/// The same of labels and a table's first choices, without a copy of them where they lie side by side (fixed k): what long runs are measured with.
[[nodiscard]] MutualInformation mutualInformation(std::span<const std::int32_t> label_T, const store::RoutingView& view);

/// The same from a table of counts or masses (rows labels, columns experts, row-major).
[[nodiscard]] MutualInformation mutualInformation(std::span<const double> joint_LE, std::int32_t labels, std::int32_t experts);

/// Mass of every (label, expert) over all assignments, labels 0 .. labels-1. Row-major.
[[nodiscard]] std::vector<double> labelByExpert(const store::RoutingView& view, std::span<const std::int32_t> label_T, std::int32_t labels,
                                                Weighing weighing = Weighing::kAuto);

/// Normalised pointwise mutual information ln[p(l,e) / p(l)p(e)] ÷ -ln p(l,e) of a joint table (row-major): -1 where never together, 0
/// independent, 1 only together. 1 when p(l,e) = 1.
[[nodiscard]] std::vector<double> npmi(std::span<const double> joint_LE, std::int32_t labels, std::int32_t experts);

/// p(expert | modality) and p(modality | expert), rows modalities, columns experts; base_M: p(modality) over assignments, without which the
/// second cannot be read (methods: pooled balance forces it). 0 / 0 is 0.
struct ModalitySplit {
    std::int32_t modalities = 0, experts = 0;
    std::vector<double> p_expert_given_modality_ME, p_modality_given_expert_EM, base_M;
};
[[nodiscard]] ModalitySplit modalitySplit(const store::RoutingView& view, std::span<const std::int32_t> modality_T, std::int32_t modalities,
                                          Weighing weighing = Weighing::kAuto);
/// The same with the table's own modality column (0 vision, 1 text; unknown is left out).
[[nodiscard]] ModalitySplit modalitySplit(const store::RoutingView& view, Weighing weighing = Weighing::kAuto);

/// Mean over the token ids present of the share of the id's assignments that go to its most frequent expert (OLMoE). NaN without tokens.
[[nodiscard]] double vocabularySpecialisation(const store::RoutingView& view, std::span<const std::int32_t> token_T, Weighing weighing = Weighing::kAuto);

/// Share of neighbouring rows of one sequence whose first choices are equal (Mixtral). Rows with sequence or expert -1 break the chain.
/// 0 without neighbours.
[[nodiscard]] double repetitionRate(std::span<const std::int64_t> sequence_T, std::span<const std::int32_t> expert_T);

}  // namespace es::analysis
