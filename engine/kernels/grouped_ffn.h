// SPDX-License-Identifier: GPL-3.0-or-later
// Feed-forward networks of many experts on the CPU. Rows are sorted by expert; work is split by (expert, block of rows) in the forward
// pass and by (expert, slice of weights) for the weight gradients, so that no two threads write the same memory and the sums have one order.
// S rows (slots), E experts, D width, H hidden width.
#pragma once

#include <cstdint>
#include <span>

namespace es::engine::kernels {

/// Weights of all experts, contiguous: w1 E x H x D, b1 E x H, w2 E x D x H, b2 E x D.
template <class T>
struct FfnWeights {
    T *w1 = nullptr, *b1 = nullptr, *w2 = nullptr, *b2 = nullptr;
};

struct FfnShape {
    std::int64_t width = 0, hidden = 0;
    std::span<const std::int64_t> offsets;  ///< E + 1: expert e has the rows [offsets[e], offsets[e + 1])
};

/// y = w2 · gelu(w1 · x + b1) + b2 for each row with its expert's weights. `activation_SH` and `slope_SH` keep what backward needs;
/// slope may be null when there will be no backward. T is float or double.
template <class T>
void groupedFfnForward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, T* activation_SH, T* slope_SH, T* y_SD);

/// Gradients of x (null: not wanted) and of the weights, all overwritten; experts without rows get zeros. `scratch_SH` is overwritten.
template <class T>
void groupedFfnBackward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, const T* activation_SH, const T* slope_SH,
                        const T* dy_SD, T* scratch_SH, T* dx_SD, const FfnWeights<T>& gradients);

}  // namespace es::engine::kernels
