// SPDX-License-Identifier: GPL-3.0-or-later
// Feed-forward networks of many experts on the CPU. Rows are sorted by expert; work is split by (expert, block of rows) in the forward
// pass and by (expert, slice of weights) for the weight gradients, so that no two threads write the same memory and the sums have one order.
// S rows (slots), E experts, D width, H hidden width.
#pragma once

#include <cstdint>
#include <span>

namespace es::engine::kernels {

enum class Activation {
    kGelu,    ///< w2 · gelu(w1 · x + b1) + b2, exact GELU; either bias may be missing
    kSwiglu,  ///< w2 · (silu(w1 · x) * (w3 · x)) without biases (arXiv:2002.05202 eq. 6)
};

/// Weights of all experts, contiguous: w1 E x H x D, b1 E x H, w2 E x D x H, b2 E x D, w3 E x H x D. Biases may be null; w3 is for SwiGLU
/// alone.
template <class T>
struct FfnWeights {
    T *w1 = nullptr, *b1 = nullptr, *w2 = nullptr, *b2 = nullptr, *w3 = nullptr;
};

struct FfnShape {
    std::int64_t width = 0, hidden = 0;
    std::span<const std::int64_t> offsets;  ///< E + 1: expert e has the rows [offsets[e], offsets[e + 1])
    Activation activation = Activation::kGelu;
};

/// What the forward pass leaves for the backward pass, S x H each. With a = the input of w2, u = w1 · x + b1 and v = w3 · x:
template <class T>
struct FfnKept {
    T* activation = nullptr;  ///< a
    T* slope = nullptr;       ///< da/du; null when there will be no backward
    T* gate = nullptr;        ///< da/dv = silu(u) of SwiGLU, which needs the memory even without backward; null for GELU
};

/// y for each row with its expert's weights. T is float or double.
template <class T>
void groupedFfnForward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, const FfnKept<T>& kept, T* y_SD);

/// Gradients of x (null: not wanted) and of the weights that are there, all overwritten; experts without rows get zeros. `scratch_SH` and,
/// for SwiGLU, `gate_scratch_SH` are overwritten.
template <class T>
void groupedFfnBackward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, const FfnKept<const T>& kept, const T* dy_SD, T* scratch_SH,
                        T* gate_scratch_SH, T* dx_SD, const FfnWeights<T>& gradients);

}  // namespace es::engine::kernels
