// SPDX-License-Identifier: GPL-3.0-or-later
// Attention over sequences that lie packed in one matrix, on the CPU: no padding is computed, nothing of size L x L is kept.
#pragma once

#include <cstdint>
#include <span>

namespace es::engine::kernels {

/// The rows of one sequence: two runs, either of which may be empty (patches, then words).
struct SequenceRows {
    std::int64_t first_begin = 0, first_count = 0, second_begin = 0, second_count = 0;
    [[nodiscard]] std::int64_t size() const { return first_count + second_count; }
};

struct AttentionShape {
    std::int64_t width = 0, heads = 0;
    std::span<const SequenceRows> sequences;
    /// One a row: 0 where no query attends to it, which then still asks itself. Null: all are attended to. At least one in a sequence that is
    /// not empty, else its outputs are NaN.
    const bool* attended = nullptr;
};

/// out = softmax(q kᵀ / sqrt(width / heads)) v within each sequence and head (heads are contiguous columns).
/// `qkv` has rows of 3 · width: q, k, v. `norms` (rows x heads x 2) keeps what backward needs of
/// the softmax. Rows in no sequence are not written.
template <class T>
void packedAttentionForward(const AttentionShape& shape, const T* qkv_N3D, T* out_ND, T* norms_NA2);

/// Gradient of qkv; probabilities are computed again (FlashAttention, arXiv:2205.14135, without its tiling: sequences are short).
template <class T>
void packedAttentionBackward(const AttentionShape& shape, const T* qkv_N3D, const T* norms_NA2, const T* dout_ND, T* dqkv_N3D);

}  // namespace es::engine::kernels
