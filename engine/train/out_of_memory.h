// SPDX-License-Identifier: GPL-3.0-or-later
// When a step does not fit into memory: how that is told from other failures, what is left, and which batch would fit.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "engine/config/run_config.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

/// Whether it was thrown because memory was refused: std::bad_alloc, or what Torch's allocators throw.
[[nodiscard]] bool isOutOfMemory(const std::exception& problem);

/// Bytes that can still be taken on the device, after everything unused has been given back; 0 when nobody knows.
[[nodiscard]] double memoryLeft(at::Device device);

struct FittingBatch {
    std::int64_t images = 0, texts = 0, pairs = 0;
    std::int64_t accumulate = 1;  ///< micro-batches with which a step has about as many samples as the configured one
    /// "train.batch_images = 4, train.batch_texts = 8 and train.accumulate = 4": what is to be set, streams that stay empty left out.
    [[nodiscard]] std::string text() const;
};

/// What a step takes beside weights and moments, in bytes, by estimateMemory().
[[nodiscard]] double stepBytes(const config::RunConfig& config, const DataShape& shape);
/// The largest batch in the proportions of the configured one that needs at most `bytes` beside weights and moments, with room to spare; never
/// more than half of the configured one, which did not fit. None when not even one sample of each kind does.
[[nodiscard]] std::optional<FittingBatch> fittingBatch(const config::RunConfig& config, const DataShape& shape, double bytes);

}  // namespace es::engine
