// SPDX-License-Identifier: GPL-3.0-or-later
// Weights of one model as the beginning of another: the same, with experts made of dense networks (sparse upcycling), or for pictures and
// captions of other sizes. E experts, D width, H hidden width of an expert, P patches, L words.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

struct TransferOptions {
    double noise = 0;     ///< share of the weights of upcycled experts that is drawn anew
    bool shared = false;  ///< whether shared experts start as copies too
    std::uint64_t seed = 0;
};

/// What became of the model's tensors, by name.
struct TransferReport {
    std::vector<std::string> copied, upcycled, resized, fresh;  ///< resized: positions; fresh: as a new model has them
    std::vector<std::string> unused;                            ///< heads of the source that this model does not have
    /// "84 tensors copied, 8 made of dense networks, positions of patches 3 x 3 interpolated to 4 x 4, ..."
    std::string positions;  ///< what was done to positions; empty: nothing
    [[nodiscard]] std::string text() const;
};

/// Fills the model's parameters and buffers from `source`, those of another one:
/// - the same name and shape: copied;
/// - experts where the source has a dense network of H0 hidden units, H0 = m H: expert e gets the hidden units [(e mod m) H, ...) of it, its output
///   weights times m and its output bias as it is; so with m = 1 every expert is the whole network (arXiv:2212.05055), and with m > 1 each
///   run of m experts is one, as long as all of them are chosen with equal gates: their rows of the router start equal (arXiv:2410.07524).
///   Where the gates of a token sum to 1 the layer then computes what the dense network did. Needs m to divide E and k (`k`: of the layer's
///   router by id);
/// - shared experts: copied where the options say so, else as in a new model; routers, and heads that the source lacks: as in a new model;
/// - positions of patches on another grid: interpolated, bicubic (a = -0.75, corners not aligned), as ViT and BEiT do; positions of words:
///   the first rows, further ones as in a new model.
/// Fails, changing nothing, on anything else, naming the tensor, both shapes and what is allowed. `path` goes into the error.
[[nodiscard]] Result<TransferReport> transferWeights(VlMoe& model, const std::map<std::string, at::Tensor>& source, const TransferOptions& options,
                                                     const std::string& path);

/// Learned positions (P x D, a square grid row by row) on a grid of `side` x `side`, bicubic.
[[nodiscard]] at::Tensor interpolatePositions(const at::Tensor& positions_PD, std::int64_t side);

/// Experts (first dimension E) made of one dense tensor; `name` its last part: "w1", "b1", "w2", "b2", "w3", "norm_weight" or "norm_bias".
/// `slices`: m.
[[nodiscard]] at::Tensor expertsOf(const std::string& name, const at::Tensor& dense, std::int64_t experts, std::int64_t slices);

}  // namespace es::engine
