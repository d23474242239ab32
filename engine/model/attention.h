// SPDX-License-Identifier: GPL-3.0-or-later
// Multi-head self-attention within each sequence of a packed batch. N rows, D width, A heads; B samples of T tokens where a batch is padded.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/model/linear.h"
#include "engine/model/token_layout.h"

namespace es::engine {

/// softmax(q kᵀ / sqrt(D / A)) v for q, k, v in the columns of `qkv_N3D`, with gradient. On the CPU in fp32 and fp64 a packed kernel,
/// otherwise padded and given to scaled_dot_product_attention. `attended_N` (bool; undefined: all) is false for rows that nobody attends to;
/// they ask like the others. Each sequence with rows needs one that is attended to.
[[nodiscard]] at::Tensor packedAttention(const at::Tensor& qkv_N3D, const std::vector<kernels::SequenceRows>& sequences, std::int64_t heads,
                                         const at::Tensor& attended_N = {});

/// The same by padding to the longest sequence: any device and precision, and what the packed kernel is checked against.
[[nodiscard]] at::Tensor packedAttentionReference(const at::Tensor& qkv_N3D, const std::vector<kernels::SequenceRows>& sequences, std::int64_t heads,
                                                  const at::Tensor& attended_N = {});

/// Projections y = x Wᵀ + b of one attention layer, W as outputs x inputs. Biases may be undefined.
struct AttentionWeights {
    at::Tensor wq_DD, wk_DD, wv_DD, wo_DD, bq_D, bk_D, bv_D, bo_D;
};

/// Multi-head self-attention over a padded batch: the projections around packedAttention, without norm and residual, with gradient to x and
/// the weights. `mask_BT` (bool or 0 and 1): the keys that are attended to, at least one a sample. It hides keys alone: queries at hidden
/// positions get an output too, from the keys that are attended to. So the rows of a sample, hidden ones included, are one sequence of the
/// packed kernel, and the mask goes along as `attended_N`. Heads are contiguous columns.
[[nodiscard]] at::Tensor maskedSelfAttention(const at::Tensor& x_BTD, const at::Tensor& mask_BT, const AttentionWeights& weights, std::int64_t heads);

/// Pre-LayerNorm attention sublayer, without the residual. "shared": one set of weights for both modalities (VLMo). "decoupled": the norm
/// and all projections exist once for each modality and only the product of attention is common (BEiT-3's released code). `sub_norm`:
/// another LayerNorm of what attention mixed, before the output projection (arXiv:2210.06423), once for each modality where those are.
class Attention : public torch::nn::Module {
public:
    Attention(std::int64_t width, std::int64_t heads, const std::string& kind, bool sub_norm = false);
    [[nodiscard]] at::Tensor forward(const at::Tensor& x_ND, const TokenLayout& layout) const;
    /// How much attention each row receives within its sequence: the softmax weights on it, mean over heads and over the sequence's queries.
    /// fp32 N, on the device of x; sums to 1 over each sequence. Without gradient, and computed apart: forward() is as fast as without.
    [[nodiscard]] at::Tensor received(const at::Tensor& x_ND, const TokenLayout& layout) const;

private:
    /// One modality's weights, or everybody's.
    struct Projections {
        std::shared_ptr<LayerNorm> norm, inner_norm;  ///< inner_norm may be null
        std::shared_ptr<Linear> qkv, out;
        [[nodiscard]] at::Tensor project(const at::Tensor& mixed_ND) const { return out->forward(inner_norm ? inner_norm->forward(mixed_ND) : mixed_ND); }
    };
    Projections makeProjections(torch::nn::Module& owner) const;
    [[nodiscard]] at::Tensor queriesKeysValues(const at::Tensor& x_ND, const TokenLayout& layout) const;  ///< N x 3D

    std::int64_t width_, heads_;
    bool sub_norm_;
    std::vector<Projections> projections_;  ///< one, or vision then text
};

}  // namespace es::engine
