// SPDX-License-Identifier: GPL-3.0-or-later
// Weighted sums of the experts' outputs, on the CPU. T tokens, K choices, S slots, D width.
#pragma once

#include <cstdint>

namespace es::engine::kernels {

struct CombineShape {
    std::int64_t tokens = 0, choices = 0, width = 0;
    const std::int64_t* slot_of_TK = nullptr;  ///< slot of each choice; -1: dropped, adds nothing
};

/// out[t] = Σ_j weight[t, j] · y[slot_of[t, j]], summed in order of j. `weights_TK` null: all 1.
template <class T>
void combineForward(const CombineShape& shape, const T* y_SD, const T* weights_TK, T* out_TD);

/// dy[slot] = weight · dout[t] (each slot has one token) and dweight[t, j] = dout[t] · y[slot] (0 when dropped).
template <class T>
void combineBackward(const CombineShape& shape, const T* y_SD, const T* weights_TK, const T* dout_TD, T* dy_SD, T* dweights_TK);

}  // namespace es::engine::kernels
