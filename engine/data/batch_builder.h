// SPDX-License-Identifier: GPL-3.0-or-later
// Puts samples and masks together into the tensors of a batch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/config/run_config.h"
#include "engine/data/batch.h"
#include "engine/data/data_source.h"
#include "engine/data/sample_order.h"

namespace es::engine {

/// Pictures given as pixels. `masked`: pictures x patches, 1 is hidden.
[[nodiscard]] ImageStream makeImages(std::span<const std::span<const std::uint8_t>> pictures, std::int64_t size, std::int64_t patch, const PictureScale& scale,
                                     std::span<const std::uint8_t> masked);
/// Captions given as token ids; the tensors are as long as the longest. `masked`: one mask a caption.
[[nodiscard]] TextStream makeTexts(std::span<const std::span<const std::int32_t>> captions, std::span<const std::vector<std::uint8_t>> masked,
                                   std::int32_t pad_id);

/// The mask of a sample under an objective, in the length of its patches or words.
using MaskOf = std::function<std::vector<std::uint8_t>(std::int64_t sample, Objective objective)>;

/// Streams of samples of a source; `mask` is asked once a sample and objective, in order.
[[nodiscard]] ImageStream imagesOf(const DataSource& source, std::span<const std::int64_t> samples, Objective objective, const MaskOf& mask);
[[nodiscard]] TextStream textsOf(const DataSource& source, std::span<const std::int64_t> samples, Objective objective, const MaskOf& mask);

/// The share that a masked objective hides; 0 for the others.
[[nodiscard]] double maskRatio(const config::TrainOptions& options, Objective objective);

/// The mask of a sample under a masked objective, drawn from `random`.
[[nodiscard]] std::vector<std::uint8_t> drawMask(const DataSource& source, const config::TrainOptions& options, std::int64_t sample, Objective objective,
                                                 RandomStream& random);

/// Makes the batch of any training step from (configuration, step) alone. One per thread. Plain loops: no tensor library threads.
class BatchBuilder {
public:
    BatchBuilder(std::shared_ptr<const DataSource> source, const config::RunConfig& config);
    /// Steps count from 1. Streams of size 0 are left out.
    [[nodiscard]] Batch training(std::int64_t step);

private:
    std::shared_ptr<const DataSource> source_;
    config::TrainOptions options_;
    std::uint64_t seed_;
    BalancedOrder images_, texts_, pairs_;
};

}  // namespace es::engine
