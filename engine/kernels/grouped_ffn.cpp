// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/kernels/grouped_ffn.h"

#include <algorithm>
#include <vector>

#include "engine/kernels/gemm.h"
#include "engine/kernels/vector_math.h"
#include "engine/kernels/work_items.h"

namespace es::engine::kernels {
namespace {

constexpr std::int64_t kBlockRows = 192;   // largest block of rows of an item: its activations stay in the second-level cache
constexpr std::int64_t kSliceRows = 64;    // rows of a weight gradient that an item computes

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

}  // namespace

template <class T>
void groupedFfnForward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, T* activation_SH, T* slope_SH, T* y_SD) {
    const std::int64_t d = shape.width, h = shape.hidden;
    const std::vector<RowBlock> blocks = rowBlocks(shape.offsets);
    const double operations = 2.0 * static_cast<double>(shape.offsets.back()) * static_cast<double>(d * h);
    forEachItem(static_cast<std::int64_t>(blocks.size()), operations, [&](std::int64_t i) {
        const auto [e, begin, end] = blocks[static_cast<std::size_t>(i)];
        const std::int64_t rows = end - begin;
        T* activation = activation_SH + begin * h;
        multiplyNT<T>(rows, h, d, {x_SD + begin * d, d}, {weights.w1 + e * h * d, d}, T(0), {activation, h});
        biasGelu(activation, weights.b1 + e * h, slope_SH ? slope_SH + begin * h : nullptr, rows, h);
        multiplyNT<T>(rows, d, h, {activation, h}, {weights.w2 + e * d * h, h}, T(0), {y_SD + begin * d, d});
        addBias(y_SD + begin * d, weights.b2 + e * d, rows, d);
    });
}

template <class T>
void groupedFfnBackward(const FfnShape& shape, const FfnWeights<const T>& weights, const T* x_SD, const T* activation_SH, const T* slope_SH,
                        const T* dy_SD, T* scratch_SH, T* dx_SD, const FfnWeights<T>& gradients) {
    const std::int64_t d = shape.width, h = shape.hidden;
    const std::vector<RowBlock> blocks = rowBlocks(shape.offsets);
    const double operations = 2.0 * static_cast<double>(shape.offsets.back()) * static_cast<double>(d * h);
    forEachItem(static_cast<std::int64_t>(blocks.size()), operations, [&](std::int64_t i) {
        const auto [e, begin, end] = blocks[static_cast<std::size_t>(i)];
        const std::int64_t rows = end - begin;
        T* dh = scratch_SH + begin * h;
        multiplyNN<T>(rows, h, d, {dy_SD + begin * d, d}, {weights.w2 + e * d * h, h}, T(0), {dh, h});
        multiplyInPlace(dh, slope_SH + begin * h, rows * h);
        if (dx_SD) multiplyNN<T>(rows, d, h, {dh, h}, {weights.w1 + e * h * d, d}, T(0), {dx_SD + begin * d, d});
    });

    // Slices of dw1 (rows are hidden units) and of dw2 (rows are outputs) of one expert follow each other in the list.
    const std::int64_t experts = static_cast<std::int64_t>(shape.offsets.size()) - 1;
    const std::int64_t slices1 = (h + kSliceRows - 1) / kSliceRows, slices2 = (d + kSliceRows - 1) / kSliceRows;
    const std::int64_t slices = slices1 + slices2;
    forEachItem(experts * slices, operations + static_cast<double>(experts * d * h), [&](std::int64_t i) {
        const std::int64_t e = i / slices, slice = i % slices;
        const std::int64_t begin = shape.offsets[static_cast<std::size_t>(e)], rows = shape.offsets[static_cast<std::size_t>(e) + 1] - begin;
        const bool first = slice < slices1;
        const std::int64_t limit = first ? h : d, columns = first ? d : h;
        const std::int64_t from = (first ? slice : slice - slices1) * kSliceRows, count = std::min(kSliceRows, limit - from);
        T* matrix = (first ? gradients.w1 + e * h * d : gradients.w2 + e * d * h) + from * columns;
        T* bias = (first ? gradients.b1 + e * h : gradients.b2 + e * d) + from;
        if (rows == 0) {
            std::fill_n(matrix, count * columns, T(0));
            std::fill_n(bias, count, T(0));
            return;
        }
        const T* output = first ? scratch_SH + begin * h : dy_SD + begin * d;
        const T* input = first ? x_SD + begin * d : activation_SH + begin * h;
        multiplyTN<T>(count, columns, rows, {output + from, limit}, {input, columns}, T(0), {matrix, columns});
        sumRows(output + from, rows, count, limit, bias);
    });
}

template void groupedFfnForward(const FfnShape&, const FfnWeights<const float>&, const float*, float*, float*, float*);
template void groupedFfnForward(const FfnShape&, const FfnWeights<const double>&, const double*, double*, double*, double*);
template void groupedFfnBackward(const FfnShape&, const FfnWeights<const float>&, const float*, const float*, const float*, const float*, float*,
                                 float*, const FfnWeights<float>&);
template void groupedFfnBackward(const FfnShape&, const FfnWeights<const double>&, const double*, const double*, const double*, const double*,
                                 double*, double*, const FfnWeights<double>&);

}  // namespace es::engine::kernels
