// SPDX-License-Identifier: GPL-3.0-or-later
// A run's checkpoint as a model that can be asked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "datasets/dataset.h"
#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/model/vl_moe.h"
#include "engine/tokenizer/image_tokenizer.h"
#include "engine/train/checkpoint_store.h"

namespace es::engine {

/// The step of the checkpoint that is asked for: -1 the newest. Fails on what is no run, on a run without checkpoints, and names those that
/// there are where it is not among them.
[[nodiscard]] Result<std::int64_t> findCheckpoint(const std::filesystem::path& run, std::int64_t wanted);

struct CheckpointModel {
    std::filesystem::path run;
    std::int64_t step = 0;
    std::filesystem::file_time_type written;  ///< of the checkpoint: a run trained anew has the same names
    config::RunConfig config;
    CheckpointState state;
    std::shared_ptr<const datasets::Tokenizer> tokenizer;
    std::shared_ptr<const ImageTokenizer> image_tokenizer;  ///< null: hidden patches are predicted as pixels
    std::shared_ptr<VlMoe> model;                           ///< on the CPU

    /// Whether the checkpoint of that run and step on disk is still this one.
    [[nodiscard]] bool isStill(const std::filesystem::path& run, std::int64_t step) const;
};

/// Opens it. Every file that is missing, damaged or does not fit the others is an error that names it.
[[nodiscard]] Result<CheckpointModel> openCheckpoint(const std::filesystem::path& run, std::int64_t step);

}  // namespace es::engine
