// SPDX-License-Identifier: GPL-3.0-or-later
// A block whose backward pass computes its forward pass again instead of keeping what that made (activation checkpointing, Chen et al.,
// arXiv:1604.06174).
#pragma once

#include <ATen/ATen.h>

#include <memory>

#include "engine/model/forward_context.h"
#include "engine/model/multiway_block.h"

namespace es::engine {

/// block->forward(x_ND, *layout, context), of which only `x_ND` is kept for the backward pass. The losses of its routers are in the context
/// as ever, with gradient. The second forward pass draws the same random numbers and gives the same bits; the observer is told of the first
/// alone. Gradients of the block's parameters are added to their .grad by any backward pass through the result: torch::autograd::grad()
/// does not see them. `x_ND` must require a gradient; once the graph is gone, nothing here holds on to anything.
[[nodiscard]] at::Tensor forwardCheckpointed(const std::shared_ptr<const MultiwayBlock>& block, const at::Tensor& x_ND,
                                             const std::shared_ptr<const TokenLayout>& layout, ForwardContext& context);

}  // namespace es::engine
