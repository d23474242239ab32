// SPDX-License-Identifier: GPL-3.0-or-later
// A multiway transformer block: common attention, then a feed-forward network for each modality (VLMo, arXiv:2111.02358).
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/model/attention.h"
#include "engine/model/feed_forward.h"
#include "engine/model/forward_context.h"
#include "engine/model/token_layout.h"

namespace es::engine {

/// The feed-forward branches of a block. `pair` may be empty: then the tokens of pairs go to the branch of their modality, together with
/// the tokens of single samples; otherwise all tokens of pairs go to it. Where there is `all`, the others are empty and all tokens go to it.
struct Branches {
    std::shared_ptr<FeedForward> vision, text, pair, all;
};

struct BlockOptions {
    std::int64_t width = 0, heads = 1;
    std::string attention = "shared";
    bool sub_norm = false;        ///< of attention; that of the networks is theirs
    double layer_scale = 0;       ///< first value of the learned factors of each channel; 0: there are none (arXiv:2103.17239)
    double drop_probability = 0;  ///< of each sublayer in training, sample by sample
    std::int64_t layer = 0;
    std::uint64_t seed = 0;
};

class MultiwayBlock : public torch::nn::Module {
public:
    /// Takes the branches as the submodules "v", "t" and "vl", or "all".
    MultiwayBlock(const BlockOptions& options, Branches branches);
    /// x + attention(x), then x + feed-forward(x), each addend scaled and dropped as the options say; rows as in `layout`. The factors of
    /// the channels are common to the branches, as in VLMo.
    [[nodiscard]] at::Tensor forward(const at::Tensor& x_ND, const TokenLayout& layout, ForwardContext& context) const;

private:
    [[nodiscard]] at::Tensor mixBranches(const at::Tensor& x_ND, const TokenLayout& layout, ForwardContext& context) const;
    /// What a sublayer adds; `sublayer` 0 attention, 1 feed-forward.
    [[nodiscard]] at::Tensor addend(const at::Tensor& y_ND, std::int64_t sublayer, const TokenLayout& layout, const ForwardContext& context) const;

    BlockOptions options_;
    std::shared_ptr<Attention> attention_;
    Branches branches_;
    at::Tensor scale_D_[2];  ///< undefined: there is none
};

}  // namespace es::engine
