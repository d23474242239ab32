// SPDX-License-Identifier: GPL-3.0-or-later
// Experts together: chosen by the same token, one layer after another, or matched between two models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/metrics/weighing.h"

namespace es::analysis {

/// Co-activation within one router. All pairs of a token's experts, not only neighbours in rank (methods 2.8, trap 3).
struct Coactivation {
    std::int32_t experts = 0;
    std::vector<double> count_EE;        ///< N_ij; the diagonal is n_i. Soft: sum over tokens of the product of masses
    std::vector<double> conditional_EE;  ///< N_ij / N_i (row i); 0 / 0 is 0
};
[[nodiscard]] Coactivation coactivation(const store::RoutingView& view, Weighing weighing = Weighing::kAuto);
/// The same of counts that were made elsewhere (E x E).
[[nodiscard]] Coactivation coactivationOf(std::vector<double> count_EE, std::int32_t experts);
/// The experts so that those active together stand together: average linkage on 1 - N_ij ÷ min(N_i, N_j).
[[nodiscard]] std::vector<std::int32_t> coactivationOrder(const Coactivation& pairs);

/// From one router to another over the same tokens: N(e, e') over all pairs of choices, rows experts of `from`. Tokens are matched by sample,
/// objective, modality and position.
struct Flow {
    std::int32_t from_experts = 0, to_experts = 0;
    std::vector<double> count_EE;
    std::int64_t tokens = 0;
};
[[nodiscard]] Flow flow(const store::RoutingTable& from, const store::RoutingTable& to, Weighing weighing = Weighing::kAuto);

/// Best one-to-one matching of two models' experts by the tokens that both send to them.
struct ExpertMatch {
    std::int32_t experts = 0;
    std::vector<std::int32_t> permutation_E;  ///< b's expert for each of a's
    double agreement = 0;                     ///< share of tokens whose first choices agree after matching
    double unmatched_agreement = 0;           ///< before matching
    std::vector<double> count_EE;             ///< tokens by (a's expert, b's expert)
    std::int64_t tokens = 0;
};
/// First choices of the same tokens, -1 leaves a token out. The optimum may not be unique; the agreement is.
[[nodiscard]] ExpertMatch matchExperts(std::span<const std::int32_t> a_T, std::span<const std::int32_t> b_T, std::int32_t experts);

/// Linear centred kernel alignment of two sets of features over the same T rows (row-major, T x D and T x F), 0 .. 1 (Kornblith et al. 2019,
/// eq. 5): ||Y'X||² / (||X'X|| ||Y'Y||), columns centred. 0 / 0 is 0.
[[nodiscard]] double linearCka(std::span<const double> x_TD, std::int32_t d, std::span<const double> y_TF, std::int32_t f);

}  // namespace es::analysis
