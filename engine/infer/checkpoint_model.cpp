// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/checkpoint_model.h"

#include <algorithm>

#include "engine/config/config_io.h"
#include "engine/infer/model_weights.h"

namespace es::engine {

namespace fs = std::filesystem;

namespace {

fs::file_time_type writtenAt(const fs::path& run, std::int64_t step) {
    std::error_code error;
    return fs::last_write_time(run / CheckpointStore::folderName(step) / "state.json", error);
}

}  // namespace

Result<std::int64_t> findCheckpoint(const fs::path& run, std::int64_t wanted) {
    std::error_code error;
    if (!fs::exists(run / "run.toml", error)) return badInput("Cannot open the run", "it has no run.toml", "Name the folder of a run", run.string());
    const auto steps = CheckpointStore(run).steps();
    if (steps.empty())
        return badInput("Cannot use the run's weights", "it has no checkpoint yet", "Wait for its first checkpoint, or make one now", run.string());
    const std::int64_t step = wanted < 0 ? steps.back() : wanted;
    if (std::ranges::binary_search(steps, step)) return step;
    std::string known;
    for (const std::int64_t s : steps) known += (known.empty() ? "" : ", ") + std::to_string(s);
    return badInput("There is no such checkpoint", "the run keeps those of steps " + known, "Choose one of them",
                    (run / CheckpointStore::folderName(step)).string());
}

bool CheckpointModel::isStill(const fs::path& other_run, std::int64_t other_step) const {
    return run == other_run && step == other_step && written == writtenAt(run, step);
}

Result<CheckpointModel> openCheckpoint(const fs::path& run, std::int64_t step) {
    CheckpointModel out;
    out.run = run;
    out.step = step;
    out.written = writtenAt(run, step);
    auto config = config::loadConfig(run / "run.toml");
    if (!config) return tl::unexpected(config.error());
    out.config = std::move(*config);
    const CheckpointStore store(run);
    auto checkpoint = store.load(step, false);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    out.state = checkpoint->state;
    auto tokenizer = datasets::Tokenizer::load(store.vocabularyFile(step));
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    out.tokenizer = std::move(*tokenizer);
    if (out.tokenizer->size() != out.state.vocabulary)
        return badInput("The checkpoint's vocabulary does not fit it",
                        "it has " + std::to_string(out.tokenizer->size()) + " words, the weights are for " + std::to_string(out.state.vocabulary),
                        "Copy the run again", store.vocabularyFile(step).string());
    if (out.state.picture_codes > 0) {
        auto image_tokenizer = ImageTokenizer::load(store.imageTokenizerFile(step));
        if (!image_tokenizer) return tl::unexpected(image_tokenizer.error());
        out.image_tokenizer = std::move(*image_tokenizer);
    }
    const DataShape shape{out.state.vocabulary, out.state.image_size, out.state.max_words, out.state.picture_codes};
    out.model = std::make_shared<VlMoe>(out.config, shape, static_cast<std::uint64_t>(out.config.run.seed));
    if (Status done = loadWeights(*out.model, checkpoint->model, (run / CheckpointStore::folderName(step)).string()); !done)
        return tl::unexpected(done.error());
    return out;
}

}  // namespace es::engine
