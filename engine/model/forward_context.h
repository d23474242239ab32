// SPDX-License-Identifier: GPL-3.0-or-later
// What the layers of one forward pass share.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/model/token_layout.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

/// Lives for one forward pass, on the training thread.
struct ForwardContext {
    const ForwardOptions& options;
    std::vector<RouterLosses>& router_losses;  ///< each router appends its own
    TokenNames names = {};                     ///< of all rows; only where a router asks for them
    /// Called with what the parts compute, in order, each named within its layer ("attention", "v", "v.moe.router"); usually empty.
    std::function<void(const std::string& part, const at::Tensor& result)> watch = {};
};

/// Tokens that a branch's feed-forward gets, and where they come from.
struct BranchTokens {
    at::Tensor x_TD;
    const std::vector<TokenBlock>& blocks;  ///< the padded blocks
    at::Tensor rows_T;                      ///< row of each token in the blocks; undefined: all rows in order
    TokenNames names = {};                  ///< as the context's, of these tokens
};

}  // namespace es::engine
