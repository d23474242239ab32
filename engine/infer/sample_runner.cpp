// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/sample_runner.h"

#include <ATen/core/grad_mode.h>

#include <chrono>
#include <exception>

#include "datasets/dataset.h"
#include "engine/base/hash.h"
#include "engine/config/config_io.h"
#include "engine/data/batch_builder.h"
#include "engine/infer/model_weights.h"
#include "engine/model/vl_moe.h"
#include "engine/routing/routing_recorder.h"
#include "engine/train/checkpoint_store.h"
#include "engine/train/device.h"

namespace es::engine {

namespace fs = std::filesystem;

struct SampleRunner::Loaded {
    fs::path run;
    std::int64_t step = 0;
    fs::file_time_type written;  ///< of the checkpoint: a run trained anew has the same names
    config::RunConfig config;
    CheckpointState state;
    std::shared_ptr<const datasets::Tokenizer> tokenizer;
    std::shared_ptr<VlMoe> model;
};

namespace {

constexpr int kPredictions = 10;

/// The sample as pixels, words and masks.
struct Prepared {
    std::vector<std::uint8_t> rgba;
    std::vector<std::int32_t> ids;
    std::vector<std::uint8_t> masked_patches, masked_words;
};

tl::unexpected<Error> asked(std::string why, std::string remedy) { return wrongCall("Cannot run the sample", std::move(why), std::move(remedy)); }

Status hide(std::vector<std::uint8_t>& mask, const std::vector<std::int32_t>& positions, const char* what) {
    for (const std::int32_t position : positions) {
        if (position < 0 || static_cast<std::size_t>(position) >= mask.size())
            return asked(std::string("there is no ") + what + " " + std::to_string(position) + " to hide: the sample has " + std::to_string(mask.size()),
                         "Name positions from 0");
        mask[static_cast<std::size_t>(position)] = 1;
    }
    return {};
}

std::vector<session::WordPrediction> predictions(const at::Tensor& log_probs_NV, const std::vector<std::uint8_t>& masked,
                                                 const datasets::Tokenizer& tokenizer) {
    std::vector<session::WordPrediction> out;
    if (!log_probs_NV.defined() || log_probs_NV.size(0) == 0) return out;
    const auto count = std::min<std::int64_t>(kPredictions, log_probs_NV.size(1));
    const auto [values, indices] = log_probs_NV.to(at::kCPU, at::kFloat).topk(count, 1);
    const at::Tensor probabilities_NK = values.exp().contiguous(), ids_NK = indices.contiguous();
    std::int64_t row = 0;
    for (std::size_t position = 0; position < masked.size() && row < ids_NK.size(0); ++position) {
        if (!masked[position]) continue;
        session::WordPrediction word;
        word.position = static_cast<std::int32_t>(position);
        for (std::int64_t k = 0; k < count; ++k) {
            word.words.push_back(tokenizer.piece(static_cast<std::int32_t>(ids_NK.const_data_ptr<std::int64_t>()[row * count + k])));
            word.probabilities.push_back(probabilities_NK.const_data_ptr<float>()[row * count + k]);
        }
        out.push_back(std::move(word));
        ++row;
    }
    return out;
}

}  // namespace

SampleRunner::SampleRunner() = default;
SampleRunner::~SampleRunner() = default;

Result<SampleRunner::Loaded*> SampleRunner::load(const session::SampleRequest& request) {
    const CheckpointStore store(request.run);
    const auto steps = store.steps();
    std::error_code error;
    if (!fs::exists(request.run / "run.toml", error))
        return badInput("Cannot open the run", "it has no run.toml", "Name the folder of a run", request.run.string());
    if (steps.empty())
        return badInput("Cannot run a sample through this run", "it has no checkpoint yet", "Wait for its first checkpoint, or make one now",
                        request.run.string());
    const std::int64_t step = request.checkpoint < 0 ? steps.back() : request.checkpoint;
    if (!std::ranges::binary_search(steps, step)) {
        std::string known;
        for (const std::int64_t s : steps) known += (known.empty() ? "" : ", ") + std::to_string(s);
        return badInput("There is no such checkpoint", "the run keeps those of steps " + known, "Choose one of them",
                        (request.run / CheckpointStore::folderName(step)).string());
    }
    const auto written = fs::last_write_time(request.run / CheckpointStore::folderName(step) / "state.json", error);
    if (loaded_ && loaded_->run == request.run && loaded_->step == step && loaded_->written == written) return loaded_.get();

    auto config = config::loadConfig(request.run / "run.toml");
    if (!config) return tl::unexpected(config.error());
    auto checkpoint = store.load(step, false);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    auto tokenizer = datasets::Tokenizer::load(store.vocabularyFile(step));
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    auto fresh = std::make_unique<Loaded>();
    fresh->run = request.run;
    fresh->step = step;
    fresh->written = written;
    fresh->config = *config;
    fresh->state = checkpoint->state;
    fresh->tokenizer = *tokenizer;
    const DataShape shape{checkpoint->state.vocabulary, checkpoint->state.image_size, checkpoint->state.max_words};
    fresh->model = std::make_shared<VlMoe>(*config, shape, static_cast<std::uint64_t>(config->run.seed));
    if (Status done = loadWeights(*fresh->model, checkpoint->model, (request.run / CheckpointStore::folderName(step)).string()); !done)
        return tl::unexpected(done.error());
    loaded_ = std::move(fresh);
    return loaded_.get();
}

Result<session::SampleResult> SampleRunner::run(const session::SampleRequest& request, const JobContext& context) try {
    const auto begin = std::chrono::steady_clock::now();
    std::lock_guard lock(mutex_);
    if (!request.interventions.empty()) return asked("interventions are not available in this engine", "Run it without --ban, --force, --silence and --swap");
    auto found = load(request);
    if (!found) return tl::unexpected(found.error());
    if (context.stopRequested()) return stopped("Running the sample");
    const Loaded& loaded = **found;
    const std::int64_t size = loaded.state.image_size, patch = loaded.config.model.patch, grid = size / patch;

    Prepared prepared;
    if (!request.image_file.empty()) {
        auto rgba = datasets::loadPicture(request.image_file, size);
        if (!rgba) return tl::unexpected(rgba.error());
        prepared.rgba = std::move(*rgba);
    } else if (!request.picture.empty()) {
        auto rgba = datasets::fitPicture(request.picture.rgba, request.picture.width, request.picture.height, size);
        if (!rgba) return tl::unexpected(rgba.error());
        prepared.rgba = std::move(*rgba);
    }
    if (!request.caption.empty()) prepared.ids = loaded.tokenizer->encode(request.caption, loaded.state.max_words);
    if (prepared.rgba.empty() && request.caption.empty()) return asked("there is neither a picture nor a caption", "Give at least one of them");
    if (prepared.rgba.empty() && prepared.ids.empty()) return asked("the caption has no word", "Write a word, or add a picture");
    if (!prepared.rgba.empty()) prepared.masked_patches.assign(static_cast<std::size_t>(grid * grid), 0);
    prepared.masked_words.assign(prepared.ids.size(), 0);
    if (Status done = hide(prepared.masked_patches, request.masked_patches, "patch"); !done) return tl::unexpected(done.error());
    if (Status done = hide(prepared.masked_words, request.masked_words, "word"); !done) return tl::unexpected(done.error());

    session::SampleResult out;
    auto& sample = out.sample;
    sample.hash = hash64(request.caption, hash64(std::as_bytes(std::span(prepared.rgba))));
    sample.dataset = "own";
    sample.caption = request.caption;
    sample.token_ids = prepared.ids;
    for (const std::int32_t id : prepared.ids) sample.token_texts.push_back(loaded.tokenizer->piece(id));
    sample.source = request.image_file.string();

    const at::NoGradGuard no_gradient;
    Batch batch;
    const bool pair = !prepared.rgba.empty() && !prepared.ids.empty();
    if (!prepared.rgba.empty()) {
        sample.picture = {static_cast<std::int32_t>(size), static_cast<std::int32_t>(size), prepared.rgba};
        sample.grid_width = sample.grid_height = static_cast<std::int32_t>(grid);
        const std::span<const std::uint8_t> pixels(prepared.rgba);
        (pair ? batch.pair_images : batch.images) = makeImages(std::span(&pixels, 1), size, patch, loaded.state.scale, prepared.masked_patches);
    }
    if (!prepared.ids.empty()) {
        const std::span<const std::int32_t> words(prepared.ids);
        (pair ? batch.pair_texts : batch.texts) = makeTexts(std::span(&words, 1), std::span(&prepared.masked_words, 1), loaded.tokenizer->padId());
    }
    (pair ? batch.pair_samples : !prepared.rgba.empty() ? batch.image_samples : batch.text_samples).push_back(0);

    RoutingRecorder recorder(loaded.model->routers(), [hash = sample.hash](std::int64_t) { return hash; });
    recorder.begin(loaded.step, batch, {.tables = true, .probabilities = true});
    ForwardOptions options;
    options.training = false;
    options.step = loaded.step;
    options.observer = &recorder;
    const ModelOutput output = loaded.model->forward(batch, options);
    out.routing = recorder.take().tables;
    const auto objective = static_cast<std::size_t>(pair ? Objective::kPairText : Objective::kText);
    out.predictions = predictions(output.word_log_probs_NV[objective], prepared.masked_words, *loaded.tokenizer);
    out.elapsed_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    return out;
} catch (const std::exception& problem) {
    return jobFailed("Cannot run the sample", problem.what(), "Report this with the run and the sample", request.run.string());
}

}  // namespace es::engine
