// SPDX-License-Identifier: GPL-3.0-or-later
// Checkpoints of a run: written beside and renamed into place, so a folder named step-NNNNNNNNN is complete; kept by rule; read back.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/picture_patches.h"

namespace es::engine {

/// What else a checkpoint must say (state.json). Random numbers and the order of samples follow from seed and step.
struct CheckpointState {
    std::int64_t step = 0;
    std::string config_hash;  ///< of the run that wrote it
    std::string data_hash;
    double validation_loss = 0;  ///< NaN when not evaluated at this step
    PictureScale scale;
    std::int64_t vocabulary = 0, image_size = 0, max_words = 0;
    std::string vocabulary_file;       ///< where the SentencePiece model was; a copy lies in the checkpoint as vocabulary.model
    std::int64_t picture_codes = 0;    ///< that the picture tokenizer has; 0: there is none
    std::int64_t average_updates = 0;  ///< of the moving average of the weights
    std::vector<double> recent_losses = {}, recent_gradient_norms = {};  ///< what spikes are judged by; oldest first
    std::string image_tokenizer_hash = {};                               ///< of its file, which lies in the checkpoint as image_tokenizer.safetensors
};

struct Checkpoint {
    CheckpointState state;
    std::map<std::string, at::Tensor> model;
    std::map<std::string, at::Tensor> optimizer;  ///< empty when it was not asked for
    std::map<std::string, at::Tensor> average;    ///< moving average of the weights; empty when there is none or the optimizer was not asked for
    std::string image_tokenizer = {};             ///< content of the picture tokenizer's file, to be saved; not read back
};

struct RetentionRule {
    std::int64_t keep_last = 3;
    std::int64_t keep_every = 0;
    bool keep_best = true;
};

/// Which of these checkpoints (ascending steps and their validation losses) the rule lets go.
[[nodiscard]] std::vector<std::int64_t> retired(const std::vector<std::pair<std::int64_t, double>>& checkpoints, const RetentionRule& rule);

/// The checkpoints folder of one run. No state of its own: what is on disk counts.
class CheckpointStore {
public:
    explicit CheckpointStore(std::filesystem::path run);

    /// "checkpoints/step-000000600": relative to the run.
    [[nodiscard]] static std::string folderName(std::int64_t step);
    /// Writes, syncs, renames into place. A checkpoint of the same step is replaced.
    [[nodiscard]] Status save(const Checkpoint& checkpoint) const;
    /// Steps of complete checkpoints, ascending.
    [[nodiscard]] std::vector<std::int64_t> steps() const;
    /// Every malformed file is an Error that names it.
    [[nodiscard]] Result<Checkpoint> load(std::int64_t step, bool with_optimizer) const;
    [[nodiscard]] Result<CheckpointState> loadState(std::int64_t step) const;
    /// The newest checkpoint that can be read, and the errors of newer ones that cannot. Fails when none can.
    struct Newest {
        Checkpoint checkpoint;
        std::vector<Error> damaged;
    };
    [[nodiscard]] Result<Newest> loadNewest(bool with_optimizer) const;
    /// Removes what the rule lets go. Returns the steps removed.
    [[nodiscard]] Result<std::vector<std::int64_t>> retire(const RetentionRule& rule) const;
    /// Removes what a killed process left half-written.
    void removeLeftovers() const;
    [[nodiscard]] std::filesystem::path vocabularyFile(std::int64_t step) const;
    /// The checkpoint's copy of the picture tokenizer; empty when it has none.
    [[nodiscard]] std::filesystem::path imageTokenizerFile(std::int64_t step) const;

private:
    std::filesystem::path run_, folder_;
};

}  // namespace es::engine
