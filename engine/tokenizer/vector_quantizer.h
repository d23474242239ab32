// SPDX-License-Identifier: GPL-3.0-or-later
// A codebook learnt by moving averages (VQ-VAE, arXiv:1711.00937, appendix A.1) whose vectors and inputs have length 1 (ViT-VQGAN,
// arXiv:2110.04627; BEiT-2, arXiv:2208.06366): the nearest code is the one of largest cosine. N vectors, K codes, C numbers each. On the CPU.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "engine/base/random.h"

namespace es::engine {

struct QuantizerOptions {
    double decay = 0.95;
    double revive_below = 0.2;  ///< of an even share of the vectors; 0: codes may die
};

/// Used on one thread. The same calls give the same codes to the bit.
class VectorQuantizer {
public:
    /// As trained before: K x C, rows of length 1.
    explicit VectorQuantizer(at::Tensor codebook_KC, const QuantizerOptions& options = {});
    /// From data: spherical k-means on these vectors (rows of length 1, at least one), started at `codes` of them. Where there are fewer vectors
    /// than codes, or a code has lost all its vectors, it starts at a random direction or vector.
    [[nodiscard]] static VectorQuantizer fitted(const at::Tensor& z_NC, std::int64_t codes, const QuantizerOptions& options, RandomStream& random);

    [[nodiscard]] const at::Tensor& codebook() const { return codebook_KC_; }
    /// int64, N: the code of largest cosine, the first among equals.
    [[nodiscard]] at::Tensor nearest(const at::Tensor& z_NC) const;
    /// Moves each code's average towards the vectors that took it: n_k <- decay n_k + (1 - decay) count_k, m_k likewise with their sum, and the
    /// code becomes m_k / |m_k|. Then codes with n_k below revive_below · (mean of n) start again as random ones of these vectors. Returns how
    /// many did.
    std::int64_t update(const at::Tensor& z_NC, const at::Tensor& code_N, RandomStream& random);

private:
    void restart(std::int64_t code, const at::Tensor& z_NC, double weight, RandomStream& random);

    QuantizerOptions options_;
    at::Tensor codebook_KC_, size_K_, sum_KC_;  ///< fp32
};

/// exp of the entropy of how often each of K codes occurs: K when all are used alike, 1 when one is used alone.
[[nodiscard]] double codePerplexity(const at::Tensor& counts_K);
/// fp64, K: how often each code occurs.
[[nodiscard]] at::Tensor countCodes(const at::Tensor& code_N, std::int64_t codes);

}  // namespace es::engine
