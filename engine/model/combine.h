// SPDX-License-Identifier: GPL-3.0-or-later
// Back from slots to tokens: the weighted sum of the chosen experts' outputs.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string_view>

#include "engine/model/token_dispatcher.h"

namespace es::engine {

class Combiner {
public:
    virtual ~Combiner() = default;
    /// y (T x D) from the slots' outputs (S x D) and the gates (T x K, fp32 or fp64). Gradient flows to both.
    [[nodiscard]] virtual at::Tensor combine(const at::Tensor& y_SD, const at::Tensor& weights_TK, const DispatchPlan& plan) const = 0;
};

/// y_t = Σ_j w_tj · y_slot(t, j), in order of choice; a dropped choice adds nothing.
class WeightedSumCombiner : public Combiner {
public:
    [[nodiscard]] at::Tensor combine(const at::Tensor& y_SD, const at::Tensor& weights_TK, const DispatchPlan& plan) const override;
};

/// Sum of each token's slots (S x D to T x D), in order of choice: the weighted sum with all weights 1. -1 in `slot_of_TK` adds nothing.
[[nodiscard]] at::Tensor sumSlots(const at::Tensor& y_SD, const at::Tensor& slot_of_TK);

/// The combiner of that name ("weighted_sum").
[[nodiscard]] std::unique_ptr<Combiner> makeCombiner(std::string_view kind);

}  // namespace es::engine
