// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/kernels/grouped_ffn.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/kernels/gemm.h"
#include "engine/kernels/vector_math.h"
#include "engine/kernels/work_items.h"

namespace es::engine::kernels {
// Named, because the lambdas of the templates below hold these types.
namespace grouped_ffn {

constexpr std::int64_t kBlockRows = 256;  // largest block of rows of an item: here products are fastest, and the work is shared out well

struct RowBlock {
    std::int64_t expert, begin, end;
};

/// Equal blocks within an expert; experts without rows have none. Depends on the offsets alone, not on the number of threads.
std::vector<RowBlock> rowBlocks(std::span<const std::int64_t> offsets) {
    std::vector<RowBlock> blocks;
    for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
        const std::int64_t rows = offsets[e + 1] - offsets[e];
        const std::int64_t parts = (rows + kBlockRows - 1) / kBlockRows;
        for (std::int64_t part = 0; part < parts; ++part)
            blocks.push_back({static_cast<std::int64_t>(e), offsets[e] + rows * part / parts, offsets[e] + rows * (part + 1) / parts});
    }
    // The largest first: what is left at the end, when threads go idle, is small.
    std::stable_sort(blocks.begin(), blocks.end(), [](const RowBlock& a, const RowBlock& b) { return a.end - a.begin > b.end - b.begin; });
    return blocks;
}

/// Rows of a weight gradient that an item computes. Over many tokens a product of 192 rows is 1.3 times as fast as one of 64; over few tokens the memory
/// that it writes decides, and 64 are the faster. Depends on the offsets alone.
std::int64_t sliceRows(std::span<const std::int64_t> offsets) {
    constexpr std::int64_t kManyTokens = 256;
    const std::int64_t experts = static_cast<std::int64_t>(offsets.size()) - 1;
    return offsets.back() >= kManyTokens * experts ? 192 : 64;
}

/// One weight matrix of each expert: its gradient is outputᵀ · input over the expert's rows, and its bias' the sum of the outputs.
template <class T>
struct WeightGradient {
    const T *output, *input;
    std::int64_t rows, columns;  ///< of the matrix
    T *matrix, *bias;            ///< bias null: there is none
    std::int64_t slice_rows;
    [[nodiscard]] std::int64_t slices() const { return (rows + slice_rows - 1) / slice_rows; }
};

template <class T>
void computeSlice(const WeightGradient<T>& weight, std::int64_t slice, std::int64_t expert, std::int64_t begin, std::int64_t count) {
    const std::int64_t from = slice * weight.slice_rows, rows = std::min(weight.slice_rows, weight.rows - from);
    T* matrix = weight.matrix + (expert * weight.rows + from) * weight.columns;
    T* bias = weight.bias ? weight.bias + expert * weight.rows + from : nullptr;
    if (count == 0) {
        std::fill_n(matrix, rows * weight.columns, T(0));
        if (bias) std::fill_n(bias, rows, T(0));
        return;
    }
    const T* output = weight.output + begin * weight.rows + from;
    multiplyTN<T>(rows, weight.columns, count, {output, weight.rows}, {weight.input + begin * weight.columns, weight.columns}, T(0), {matrix, weight.columns});
    if (bias) sumRows(output, count, rows, weight.rows, bias);
}

}  // namespace grouped_ffn

namespace {

/// Multiply-adds of one matrix product over all rows, for forEachItem's guess.
double operationsOf(const FfnShape& shape) { return 2.0 * static_cast<double>(shape.offsets.back()) * static_cast<double>(shape.width * shape.hidden); }

}  // namespace

template <class T>
void groupedFfnForward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, const FfnKept<T>& kept, T* y_SD) {
    const std::int64_t d = shape.width, h = shape.hidden;
    const std::vector<grouped_ffn::RowBlock> blocks = grouped_ffn::rowBlocks(shape.offsets);
    forEachItem(static_cast<std::int64_t>(blocks.size()), operationsOf(shape), [&](std::int64_t i) {
        const auto [e, begin, end] = blocks[static_cast<std::size_t>(i)];
        const std::int64_t rows = end - begin;
        T* activation = kept.activation + begin * h;
        T* slope = kept.slope ? kept.slope + begin * h : nullptr;
        multiplyNT<T>(rows, h, d, {x_SD + begin * d, d}, {weights.w1 + e * h * d, d}, T(0), {activation, h});
        if (shape.activation == Activation::kSwiglu) {
            T* gate = kept.gate + begin * h;
            multiplyNT<T>(rows, h, d, {x_SD + begin * d, d}, {weights.w3 + e * h * d, d}, T(0), {gate, h});
            swiglu(activation, gate, slope, rows * h);
        } else {
            biasGelu(activation, weights.b1 ? weights.b1 + e * h : nullptr, slope, rows, h);
        }
        multiplyNT<T>(rows, d, h, {activation, h}, {weights.w2 + e * d * h, h}, T(0), {y_SD + begin * d, d});
        if (weights.b2) addBias(y_SD + begin * d, weights.b2 + e * d, rows, d);
    });
}

template <class T>
void groupedFfnBackward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, const FfnKept<const T>& kept, const T* dy_SD, T* scratch_SH,
                        T* gate_scratch_SH, T* dx_SD, const FfnWeights<T>& gradients) {
    const std::int64_t d = shape.width, h = shape.hidden;
    const bool gated = shape.activation == Activation::kSwiglu;
    const std::vector<grouped_ffn::RowBlock> blocks = grouped_ffn::rowBlocks(shape.offsets);
    forEachItem(static_cast<std::int64_t>(blocks.size()), operationsOf(shape), [&](std::int64_t i) {
        const auto [e, begin, end] = blocks[static_cast<std::size_t>(i)];
        const std::int64_t rows = end - begin;
        T* du = scratch_SH + begin * h;
        T* dv = gated ? gate_scratch_SH + begin * h : nullptr;
        multiplyNN<T>(rows, h, d, {dy_SD + begin * d, d}, {weights.w2 + e * d * h, h}, T(0), {du, h});
        if (gated) multiplyTo(dv, du, kept.gate + begin * h, rows * h);
        multiplyInPlace(du, kept.slope + begin * h, rows * h);
        if (!dx_SD) return;
        multiplyNN<T>(rows, d, h, {du, h}, {weights.w1 + e * h * d, d}, T(0), {dx_SD + begin * d, d});
        if (gated) multiplyNN<T>(rows, d, h, {dv, h}, {weights.w3 + e * h * d, d}, T(1), {dx_SD + begin * d, d});
    });

    const std::int64_t slice_rows = grouped_ffn::sliceRows(shape.offsets);
    // The slices of the matrices of one expert follow each other in the list.
    const std::array<grouped_ffn::WeightGradient<T>, 3> matrices{{
        {scratch_SH, x_SD, h, d, gradients.w1, gradients.b1, slice_rows},
        {dy_SD, kept.activation, d, h, gradients.w2, gradients.b2, slice_rows},
        {gate_scratch_SH, x_SD, h, d, gradients.w3, nullptr, slice_rows},
    }};
    const std::span<const grouped_ffn::WeightGradient<T>> present(matrices.data(), gated ? 3 : 2);
    std::int64_t slices = 0;
    for (const grouped_ffn::WeightGradient<T>& matrix : present) slices += matrix.slices();
    const std::int64_t experts = static_cast<std::int64_t>(shape.offsets.size()) - 1;
    forEachItem(experts * slices, operationsOf(shape) + static_cast<double>(experts * d * h), [&](std::int64_t i) {
        const std::int64_t e = i / slices;
        const std::int64_t begin = shape.offsets[static_cast<std::size_t>(e)], count = shape.offsets[static_cast<std::size_t>(e) + 1] - begin;
        std::int64_t slice = i % slices;
        for (const grouped_ffn::WeightGradient<T>& matrix : present) {
            if (slice < matrix.slices()) return computeSlice(matrix, slice, e, begin, count);
            slice -= matrix.slices();
        }
    });
}

template void groupedFfnForward(const FfnShape&, const FfnWeights<const float>&, const float*, const FfnKept<float>&, float*);
template void groupedFfnForward(const FfnShape&, const FfnWeights<const double>&, const double*, const FfnKept<double>&, double*);
template void groupedFfnBackward(const FfnShape&, const FfnWeights<const float>&, const float*, const FfnKept<const float>&, const float*, float*, float*,
                                 float*, const FfnWeights<float>&);
template void groupedFfnBackward(const FfnShape&, const FfnWeights<const double>&, const double*, const FfnKept<const double>&, const double*, double*, double*,
                                 double*, const FfnWeights<double>&);

}  // namespace es::engine::kernels
