// SPDX-License-Identifier: GPL-3.0-or-later
// How much memory training a model takes, reckoned without building it.
#pragma once

#include "engine/config/run_config.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

/// Bytes, in fp32, of one step of the configured batch with texts at their full length.
struct MemoryEstimate {
    double weights = 0;  ///< and their moving average, where there is one
    double gradients = 0, moments = 0;
    double activations = 0;  ///< what the forward pass keeps for the backward pass
    /// The largest that one layer's backward pass (with checkpointed activations what it computes again, too) or the heads need beside it,
    /// and the batches made ahead.
    double working = 0;
    [[nodiscard]] double total() const { return weights + gradients + moments + activations + working; }
};

[[nodiscard]] MemoryEstimate estimateMemory(const config::RunConfig& config, const DataShape& shape);

}  // namespace es::engine
