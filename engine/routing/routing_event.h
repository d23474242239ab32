// SPDX-License-Identifier: GPL-3.0-or-later
// What a router did with its tokens, offered to whoever asked for it. With no observer nothing is copied.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "engine/base/strong_ids.h"

namespace es::engine {

/// Which stream a run of a router's tokens came from. The tokens of a router are the concatenation of such blocks, each B x per_sample,
/// samples in batch order unless `sources` says otherwise, patches row by row or words in order (padding words are not routed: see token_of_row).
struct TokenBlock {
    Objective objective = Objective::kImage;
    Modality modality = Modality::kVision;
    std::int64_t samples = 0, per_sample = 0;
    /// Which sample of the batch's stream each sample of the block is; empty: the first ones in order.
    std::vector<std::int64_t> sources = {};
};

/// Outputs of one router in one forward. Tensors live on the device and must not be changed.
struct RoutingEvent {
    RouterId router;
    LayerIndex layer;
    Branch branch = Branch::kAll;
    at::Tensor logits_TE, probs_TE;     ///< fp32; probs_TE is a distribution over experts
    bool softmax = true;                ///< whether probs_TE is the softmax of logits_TE
    at::Tensor indices_TK, weights_TK;  ///< int64, fp32; best first; -1 and 0 where a token has fewer than k choices. Soft MoE has no choices:
                                        ///< indices undefined, weights T x E, the mass of each expert in a token's output
    at::Tensor kept_TK;                 ///< bool; undefined: all kept
    at::Tensor place_TK, slots_T;       ///< int64 on the CPU, as SlotPlaces says; undefined: not asked for, or every choice has a slot
    at::Tensor counts_E;                ///< int64: n_e; undefined for Soft MoE
    at::Tensor rows_T;                  ///< int64: for each routed token its row in the concatenated blocks; undefined: all rows
    std::vector<TokenBlock> blocks;
};

class RoutingObserver {
public:
    virtual ~RoutingObserver() = default;
    /// Asked first, before anything is gathered for the event.
    [[nodiscard]] virtual bool wants(LayerIndex layer, std::int64_t step) = 0;
    /// Whether events shall say how far each choice stood from being dropped.
    [[nodiscard]] virtual bool wantsPlaces() const { return false; }
    /// Called once a forward and router, on the training thread; recomputed forwards do not call again.
    virtual void onRouting(const RoutingEvent& event) = 0;
};

}  // namespace es::engine
