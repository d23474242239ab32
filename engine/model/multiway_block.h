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
/// the tokens of single samples; otherwise all tokens of pairs go to it.
struct Branches {
    std::shared_ptr<FeedForward> vision, text, pair;
};

class MultiwayBlock : public torch::nn::Module {
public:
    /// Takes the branches as the submodules "v", "t" and "vl".
    MultiwayBlock(std::int64_t width, std::int64_t heads, const std::string& attention, Branches branches);
    /// x + attention(x), then x + feed-forward(x); rows as in `layout`.
    [[nodiscard]] at::Tensor forward(const at::Tensor& x_ND, const TokenLayout& layout, ForwardContext& context) const;

private:
    std::shared_ptr<Attention> attention_;
    Branches branches_;
};

}  // namespace es::engine
