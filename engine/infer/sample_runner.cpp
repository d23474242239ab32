// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/sample_runner.h"

#include <ATen/core/grad_mode.h>

#include <chrono>
#include <exception>

#include "datasets/dataset.h"
#include "engine/base/hash.h"
#include "engine/data/batch_builder.h"
#include "engine/infer/checkpoint_model.h"
#include "engine/infer/intervention_plan.h"
#include "engine/model/vl_moe.h"
#include "engine/routing/routing_recorder.h"
#include "engine/train/build_info.h"

namespace es::engine {

namespace {

constexpr int kPredictions = 10;

/// The sample as pixels, words and masks.
struct Prepared {
    std::vector<std::uint8_t> rgba;
    std::vector<std::int32_t> ids;
    std::vector<std::uint8_t> masked_patches, masked_words;
    bool caption_cut = false;
    [[nodiscard]] bool pair() const { return !rgba.empty() && !ids.empty(); }
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

/// The request's sample in the model's sizes.
Result<Prepared> prepare(const session::SampleRequest& request, const CheckpointModel& checkpoint) {
    const std::int64_t size = checkpoint.state.image_size, grid = size / checkpoint.config.model.patch;
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
    if (!request.caption.empty()) {
        prepared.ids = checkpoint.tokenizer->encode(request.caption, checkpoint.state.max_words);
        prepared.caption_cut = checkpoint.tokenizer->encode(request.caption, checkpoint.state.max_words + 1).size() > prepared.ids.size();
    }
    if (prepared.rgba.empty() && request.caption.empty()) return asked("there is neither a picture nor a caption", "Give at least one of them");
    if (prepared.rgba.empty() && prepared.ids.empty()) return asked("the caption has no word", "Write a word, or add a picture");
    if (!prepared.rgba.empty()) prepared.masked_patches.assign(static_cast<std::size_t>(grid * grid), 0);
    prepared.masked_words.assign(prepared.ids.size(), 0);
    if (Status done = hide(prepared.masked_patches, request.masked_patches, "patch"); !done) return tl::unexpected(done.error());
    if (Status done = hide(prepared.masked_words, request.masked_words, "word"); !done) return tl::unexpected(done.error());
    return prepared;
}

Batch batchOf(const Prepared& prepared, const CheckpointModel& checkpoint) {
    Batch batch;
    const bool pair = prepared.pair();
    if (!prepared.rgba.empty()) {
        const std::span<const std::uint8_t> pixels(prepared.rgba);
        ImageStream images =
            makeImages(std::span(&pixels, 1), checkpoint.state.image_size, checkpoint.config.model.patch, checkpoint.state.scale, prepared.masked_patches);
        if (checkpoint.image_tokenizer) {
            const std::vector<std::int32_t> codes = checkpoint.image_tokenizer->codesOfPictures(std::span(&pixels, 1), checkpoint.state.image_size);
            images.code_BP = at::tensor(codes, at::kInt).to(at::kLong).view({1, -1});
        }
        (pair ? batch.pair_images : batch.images) = std::move(images);
    }
    if (!prepared.ids.empty()) {
        const std::span<const std::int32_t> words(prepared.ids);
        (pair ? batch.pair_texts : batch.texts) = makeTexts(std::span(&words, 1), std::span(&prepared.masked_words, 1), checkpoint.tokenizer->padId());
    }
    (pair ? batch.pair_samples : !prepared.rgba.empty() ? batch.image_samples : batch.text_samples).push_back(0);
    return batch;
}

store::SampleRecord recordOf(const session::SampleRequest& request, const Prepared& prepared, const CheckpointModel& checkpoint) {
    store::SampleRecord sample;
    sample.hash = hash64(request.caption, hash64(std::as_bytes(std::span(prepared.rgba))));
    sample.dataset = "own";
    sample.caption = request.caption;
    sample.token_ids = prepared.ids;
    for (const std::int32_t id : prepared.ids) sample.token_texts.push_back(checkpoint.tokenizer->piece(id));
    sample.source = request.image_file.string();
    if (prepared.rgba.empty()) return sample;
    const auto size = static_cast<std::int32_t>(checkpoint.state.image_size);
    sample.picture = {size, size, prepared.rgba};
    sample.grid_width = sample.grid_height = size / static_cast<std::int32_t>(checkpoint.config.model.patch);
    return sample;
}

/// Rows of one sample: its patches, then its words.
session::AttentionReceived attentionOf(std::size_t layer, const at::Tensor& received_N, const Prepared& prepared) {
    const at::Tensor shares_N = received_N.to(at::kCPU, at::kFloat).contiguous();
    const std::span<const float> shares(shares_N.const_data_ptr<float>(), static_cast<std::size_t>(shares_N.numel()));
    const std::size_t patches = prepared.masked_patches.size();
    TORCH_CHECK(shares.size() == patches + prepared.ids.size(), "attention of ", shares.size(), " rows for ", patches, " patches and words");
    session::AttentionReceived out{LayerIndex(static_cast<std::int32_t>(layer)), {}, {}};
    out.patches.assign(shares.begin(), shares.begin() + static_cast<std::ptrdiff_t>(patches));
    out.words.assign(shares.begin() + static_cast<std::ptrdiff_t>(patches), shares.end());
    return out;
}

/// One forward of one sample. `plan`: null for the model as it is.
session::SampleReading read(const CheckpointModel& checkpoint, const Batch& batch, const Prepared& prepared, std::uint64_t hash, const InterventionPlan* plan,
                            bool attention) {
    const at::NoGradGuard no_gradient;
    RoutingRecorder recorder(plan ? routersUnder(*plan, *checkpoint.model) : checkpoint.model->routers(), [hash](std::int64_t) { return hash; });
    recorder.begin(checkpoint.step, batch, {.tables = true, .probabilities = true});
    ForwardOptions options;
    options.training = false;
    options.step = checkpoint.step;
    options.observer = &recorder;
    options.interventions = plan;
    std::vector<at::Tensor> received_N;
    if (attention) options.attention_received_N = &received_N;
    const ModelOutput output = checkpoint.model->forward(batch, options);
    session::SampleReading reading;
    reading.routing = recorder.take().tables;
    for (std::size_t layer = 0; layer < received_N.size(); ++layer) reading.attention.push_back(attentionOf(layer, received_N[layer], prepared));
    const auto text = static_cast<std::size_t>(prepared.pair() ? Objective::kPairText : Objective::kText);
    reading.predictions = predictions(output.word_log_probs_NV[text], prepared.masked_words, *checkpoint.tokenizer);
    for (std::size_t o = 0; o < kMaskedObjectiveCount; ++o) {
        if (!output.sample_loss_sum_B[o].defined()) continue;
        const auto targets = static_cast<std::int64_t>(output.sample_targets_B[o].item<float>());
        if (targets > 0)
            reading.losses.push_back({static_cast<Objective>(o), output.sample_loss_sum_B[o].item<double>() / static_cast<double>(targets), targets});
    }
    return reading;
}

}  // namespace

SampleRunner::SampleRunner() = default;
SampleRunner::~SampleRunner() = default;

Result<const CheckpointModel*> SampleRunner::load(const session::SampleRequest& request) {
    const auto step = findCheckpoint(request.run, request.checkpoint);
    if (!step) return tl::unexpected(step.error());
    if (loaded_ && loaded_->isStill(request.run, *step)) return loaded_.get();
    auto fresh = openCheckpoint(request.run, *step);
    if (!fresh) return tl::unexpected(fresh.error());
    loaded_ = std::make_unique<CheckpointModel>(std::move(*fresh));
    return loaded_.get();
}

Result<session::SampleResult> SampleRunner::run(const session::SampleRequest& request, const JobContext& context) try {
    const auto begin = std::chrono::steady_clock::now();
    std::lock_guard lock(mutex_);
    auto found = load(request);
    if (!found) return tl::unexpected(found.error());
    if (context.stopRequested()) return stopped("Running the sample");
    const CheckpointModel& checkpoint = **found;
    auto prepared = prepare(request, checkpoint);
    if (!prepared) return tl::unexpected(prepared.error());
    const PositionLimits limits{static_cast<std::int64_t>(prepared->masked_patches.size()), static_cast<std::int64_t>(prepared->ids.size())};
    auto plan = planInterventions(request.interventions, *checkpoint.model, limits, static_cast<std::uint64_t>(checkpoint.config.run.seed));
    if (!plan) return tl::unexpected(plan.error());

    session::SampleResult out;
    out.step = checkpoint.step;
    out.sample = recordOf(request, *prepared, checkpoint);
    out.caption_cut = prepared->caption_cut;
    const Batch batch = batchOf(*prepared, checkpoint);
    const bool changed = !request.interventions.empty();
    static_cast<session::SampleReading&>(out) = read(checkpoint, batch, *prepared, out.sample.hash, changed ? &*plan : nullptr, request.attention);
    if (changed) {
        out.baseline = read(checkpoint, batch, *prepared, out.sample.hash, nullptr, request.attention);
        for (std::size_t i = 0; i < out.routing.size(); ++i)
            out.rerouted.push_back({out.routing[i].router.id, reroutedTokens(out.baseline->routing.at(i), out.routing[i])});
    }
    out.program_version = programVersion();
    out.elapsed_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    return out;
} catch (const std::exception& problem) {
    return jobFailed("Cannot run the sample", problem.what(), "Report this with the run and the sample", request.run.string());
}

}  // namespace es::engine
