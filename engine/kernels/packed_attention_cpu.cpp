// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/kernels/packed_attention_cpu.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/kernels/gemm.h"
#include "engine/kernels/vector_math.h"
#include "engine/kernels/work_items.h"

namespace es::engine::kernels {
namespace {

/// Row of the packed matrix of each position of a sequence.
template <class Visit>
void forEachRow(const SequenceRows& rows, const Visit& visit) {
    std::int64_t position = 0;
    for (std::int64_t r = 0; r < rows.first_count; ++r) visit(position++, rows.first_begin + r);
    for (std::int64_t r = 0; r < rows.second_count; ++r) visit(position++, rows.second_begin + r);
}

template <class T>
void gather(const SequenceRows& rows, const T* source, std::int64_t stride, std::int64_t columns, T* target) {
    forEachRow(rows, [&](std::int64_t position, std::int64_t row) {
        std::memcpy(target + position * columns, source + row * stride, static_cast<std::size_t>(columns) * sizeof(T));
    });
}

template <class T>
void scatter(const SequenceRows& rows, const T* source, std::int64_t columns, T* target, std::int64_t stride) {
    forEachRow(rows, [&](std::int64_t position, std::int64_t row) {
        std::memcpy(target + row * stride, source + position * columns, static_cast<std::size_t>(columns) * sizeof(T));
    });
}

double operationsOf(const AttentionShape& shape) {
    double pairs = 0;
    for (const SequenceRows& rows : shape.sequences) pairs += static_cast<double>(rows.size() * rows.size());
    return 2 * pairs * static_cast<double>(shape.width);
}

/// Scores (length x length) of keys that nobody attends to become -inf: probability 0, and no gradient through them.
template <class T>
void hideKeys(const AttentionShape& shape, const SequenceRows& rows, T* scores) {
    if (!shape.attended) return;
    const std::int64_t length = rows.size();
    forEachRow(rows, [&](std::int64_t position, std::int64_t row) {
        if (shape.attended[row]) return;
        for (std::int64_t i = 0; i < length; ++i) scores[i * length + position] = -std::numeric_limits<T>::infinity();
    });
}

/// Memory of a thread that grows to the longest sequence it has seen.
template <class T>
T* scratch(std::int64_t elements) {
    thread_local std::vector<T> memory;
    if (memory.size() < static_cast<std::size_t>(elements)) memory.resize(static_cast<std::size_t>(elements));
    return memory.data();
}

}  // namespace

template <class T>
void packedAttentionForward(const AttentionShape& shape, const T* qkv_N3D, T* out_ND, T* norms_NA2) {
    const std::int64_t d = shape.width, heads = shape.heads, c = d / heads;
    const T scale = T(1) / std::sqrt(static_cast<T>(c));
    forEachItem(static_cast<std::int64_t>(shape.sequences.size()) * heads, operationsOf(shape), [&](std::int64_t item) {
        const SequenceRows& rows = shape.sequences[static_cast<std::size_t>(item / heads)];
        const std::int64_t head = item % heads, length = rows.size();
        if (length == 0) return;
        T* q = scratch<T>(length * (4 * c + length + 2));
        T *k = q + length * c, *v = k + length * c, *o = v + length * c, *p = o + length * c, *norms = p + length * length;
        gather(rows, qkv_N3D + head * c, 3 * d, c, q);
        gather(rows, qkv_N3D + d + head * c, 3 * d, c, k);
        gather(rows, qkv_N3D + 2 * d + head * c, 3 * d, c, v);
        multiplyNT<T>(length, length, c, {q, c}, {k, c}, T(0), {p, length});
        hideKeys(shape, rows, p);
        softmaxRows(p, scale, length, length, norms);
        multiplyNN<T>(length, c, length, {p, length}, {v, c}, T(0), {o, c});
        scatter(rows, o, c, out_ND + head * c, d);
        scatter(rows, norms, 2, norms_NA2 + 2 * head, 2 * heads);
    });
}

template <class T>
void packedAttentionBackward(const AttentionShape& shape, const T* qkv_N3D, const T* norms_NA2, const T* dout_ND, T* dqkv_N3D) {
    const std::int64_t d = shape.width, heads = shape.heads, c = d / heads;
    const T scale = T(1) / std::sqrt(static_cast<T>(c));
    forEachItem(static_cast<std::int64_t>(shape.sequences.size()) * heads, operationsOf(shape), [&](std::int64_t item) {
        const SequenceRows& rows = shape.sequences[static_cast<std::size_t>(item / heads)];
        const std::int64_t head = item % heads, length = rows.size();
        if (length == 0) return;
        T* q = scratch<T>(length * (7 * c + 2 * length + 3));
        T *k = q + length * c, *v = k + length * c, *dout = v + length * c;
        T *dq = dout + length * c, *dk = dq + length * c, *dv = dk + length * c;
        T *p = dv + length * c, *dp = p + length * length, *norms = dp + length * length, *dots = norms + 2 * length;
        gather(rows, qkv_N3D + head * c, 3 * d, c, q);
        gather(rows, qkv_N3D + d + head * c, 3 * d, c, k);
        gather(rows, qkv_N3D + 2 * d + head * c, 3 * d, c, v);
        gather(rows, dout_ND + head * c, d, c, dout);
        gather(rows, norms_NA2 + 2 * head, 2 * heads, 2, norms);
        multiplyNT<T>(length, length, c, {q, c}, {k, c}, T(0), {p, length});
        hideKeys(shape, rows, p);
        softmaxFromNorms(p, scale, length, length, norms);
        multiplyTN<T>(length, c, length, {p, length}, {dout, c}, T(0), {dv, c});
        multiplyNT<T>(length, length, c, {dout, c}, {v, c}, T(0), {dp, length});
        // Not out · dout, which is the same sum in another order: a row that is decided must get exactly no gradient.
        for (std::int64_t i = 0; i < length; ++i) dots[i] = dot(p + i * length, dp + i * length, length);
        softmaxGradient(dp, p, dots, scale, length, length);
        multiplyNN<T>(length, c, length, {dp, length}, {k, c}, T(0), {dq, c});
        multiplyTN<T>(length, c, length, {dp, length}, {q, c}, T(0), {dk, c});
        scatter(rows, dq, c, dqkv_N3D + head * c, 3 * d);
        scatter(rows, dk, c, dqkv_N3D + d + head * c, 3 * d);
        scatter(rows, dv, c, dqkv_N3D + 2 * d + head * c, 3 * d);
    });
}

template void packedAttentionForward(const AttentionShape&, const float*, float*, float*);
template void packedAttentionForward(const AttentionShape&, const double*, double*, double*);
template void packedAttentionBackward(const AttentionShape&, const float*, const float*, const float*, float*);
template void packedAttentionBackward(const AttentionShape&, const double*, const double*, const double*, double*);

}  // namespace es::engine::kernels
