// SPDX-License-Identifier: GPL-3.0-or-later
// The losses of one router in one forward pass, as the configuration asks for them. T tokens, E experts, K choices.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "engine/config/run_config.h"
#include "engine/model/router.h"
#include "engine/model/token_layout.h"
#include "engine/model/vl_moe.h"
#include "engine/objective/router_loss_schedule.h"

namespace es::engine {

struct RouterLossOptions {
    config::LossOptions weights = {};  ///< of this router
    RouterLossSchedule schedule = {};
};

/// What the losses are taken of.
struct RoutedTokens {
    const RouterOutput& routing;
    const RouterOptions& options;
    bool uneven = false;         ///< tokens have different numbers of choices
    at::Tensor counts_E;         ///< int64
    at::Tensor counts_before_E;  ///< of the step's micro-batches before this one; undefined: there is none, or they do not count
    const TokenNames& names;     ///< modality_N and sequence_N where namesForLosses() asks for them
};

/// Whether the losses need the names of tokens.
[[nodiscard]] bool namesForLosses(const config::LossOptions& weights);

/// The scores as a distribution over experts: the softmax, or sigmoids divided by their sum (DeepSeek-V3, arXiv:2412.19437 eq. 19).
[[nodiscard]] at::Tensor sharesOf(const RouterOutput& routing);

/// balance and z, and each other loss whose weight is not 0; coefficients are those of `step`. With counts from before, balance and
/// balance_unnormalized count the choices of all of them (arXiv:2501.11873), with this micro-batch's probabilities. The load loss is there
/// only where there is noise, that is in training.
[[nodiscard]] std::vector<RouterLoss> routerLosses(const RoutedTokens& tokens, const RouterLossOptions& options, std::int64_t step);

}  // namespace es::engine
