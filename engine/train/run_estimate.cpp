// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/run_estimate.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "datasets/dataset.h"
#include "engine/base/machine_resources.h"
#include "engine/config/config_io.h"
#include "engine/config/presets.h"
#include "engine/config/router_settings.h"
#include "engine/model/memory_estimate.h"
#include "engine/tokenizer/tokenizer_cache.h"
#include "engine/train/device.h"

namespace es::engine {
namespace {

using session::TrainEstimate;

constexpr double kGigabyte = 1e9;

double real(std::int64_t value) { return static_cast<double>(value); }

session::PartCost toSession(const std::string& name, const ModelCost& cost) {
    return {name, cost.parameters_total, cost.parameters_active, cost.flops_per_step_active, cost.flops_per_step_total};
}

/// Forward and backward of one sample of one kind.
double flopsOfOne(config::RunConfig config, const DataShape& shape, std::int64_t images, std::int64_t texts, std::int64_t pairs) {
    config.train.batch_images = images;
    config.train.batch_texts = texts;
    config.train.batch_pairs = pairs;
    config.train.accumulate = 1;
    return accountFor(config, shape).flops_per_step_active;
}

std::optional<session::PublishedComparison> compareWithPublished(const std::string& preset) {
    const auto published = config::publishedCount(preset);
    config::RunConfig pure;
    if (!published || !config::applyPreset(pure, preset)) return std::nullopt;
    const ModelAccount account = accountFor(pure, {pure.data.vocabulary, pure.data.image_size, pure.data.max_words});
    session::PublishedComparison out;
    out.preset = preset;
    out.source = published->source;
    out.counts = published->scope == config::CountScope::kWithoutHeads
                     ? "embeddings and layers, no heads"
                     : "embeddings, layers, word head and a head for 8,192 picture codes in place of ours for pixels";
    out.published = published->parameters;
    out.ours = parametersInScope(account, published->scope, pure.model.width);
    out.ours_with_our_heads = account.parameters_total;
    return out;
}

/// Times something due every `every` steps comes in a run; 0: at the end alone.
double timesDue(std::int64_t steps, std::int64_t every) { return every > 0 ? std::max(1.0, real((steps + every - 1) / every)) : 1.0; }

struct RouterTokens {
    double tokens = 0;        ///< in a step
    double probe_tokens = 0;  ///< in a probe
    double experts = 0;
    double choice_bytes = 0;  ///< of one token in a trace
};

/// An id and a half-precision gate a choice, and whether it was kept; or a gate an expert.
double choiceBytes(const config::MoeOptions& moe) {
    if (moe.router == "soft") return 2 * real(moe.experts);
    return real(moe.k) * (real(std::bit_width(static_cast<std::uint64_t>(moe.experts - 1))) / 8 + 2 + 0.125);
}

/// Tokens that each router sees, at most: branches of layers below the vision-language ones see all of their modality.
std::vector<RouterTokens> routerTokens(const config::RunConfig& config, const DataShape& shape) {
    std::vector<RouterTokens> routers;
    if (config.model.ffn != "moe") return routers;
    const double side = real(shape.image_size / config.model.patch), patches = side * side, words = real(shape.max_words);
    const StepSamples step = samplesThroughLayers(config, /*look_ahead=*/false);
    for (const config::RouterSite& site : config::routerSites(config)) {
        const config::MoeOptions moe = config::routerSettings(config, site).moe;
        RouterTokens router{0, 0, real(moe.experts), choiceBytes(moe)};
        for (const bool vision : {true, false}) {
            if (site.branch == (vision ? "t" : "v")) continue;
            const double each = vision ? patches : words;
            router.tokens += real(config.train.accumulate) * (step.pairs + (vision ? step.images : step.texts)) * each;
            router.probe_tokens += 2 * real(config.record.probe_samples) * each;  // alone and in its pair
        }
        routers.push_back(router);
    }
    return routers;
}

session::DiskEstimate estimateDisk(const config::RunConfig& config, const DataShape& shape, double parameters, std::int64_t samples) {
    const auto& train = config.train;
    const auto& record = config.record;
    session::DiskEstimate disk;
    disk.checkpoint = (config.train.ema_decay > 0 ? 16 : 12) * parameters;  // weights, two moments, perhaps an average of the weights
    const double expert_norms = record.expert_gradients_every > 0 ? 12 / real(record.expert_gradients_every) : 0;  // bytes a step
    const double written = timesDue(train.steps, train.checkpoint_every);
    const double by_step = train.keep_every > 0 ? real(train.steps / train.keep_every) : 0;
    // One more while the newest is written beside those that it will replace.
    disk.checkpoints = static_cast<std::int64_t>(std::min(written, real(train.keep_last) + by_step + (train.keep_best ? 1 : 0))) + 1;

    double probe = 0;
    for (const RouterTokens& router : routerTokens(config, shape)) {
        // Entropy and margin a token; whether it was hidden, and which word.
        const double choices = router.choice_bytes + 4;
        disk.trace_step += router.tokens * (choices + 0.125 + real(std::bit_width(static_cast<std::uint64_t>(shape.vocabulary))) / 8);
        probe += router.probe_tokens * (choices + 4 * router.experts);
        disk.journal += real(train.steps) * (2 * (70 + 8 * router.experts) + expert_norms * router.experts);
    }
    const double traced = record.trace_every > 0 ? real(train.steps / record.trace_every) : 0;
    disk.trace_run = traced * disk.trace_step;
    disk.probes = probe * (written + 1 + real(record.probe_random_routers));
    disk.journal += real(train.steps) * 40 * 12;
    const double held_out = train.evaluate_samples > 0 ? real(train.evaluate_samples) : 0.1 * real(samples);
    disk.evaluations = (timesDue(train.steps, train.evaluate_every) + 1) * held_out * 5 * 46;
    double seen = (traced * real(train.accumulate * (train.batch_images + train.batch_texts + train.batch_pairs))) +
                  real(record.probe_samples + record.evaluated_samples);
    if (samples > 0) seen = std::min(seen, real(samples));
    disk.samples = seen * (4 * real(shape.image_size * shape.image_size) + 1000);
    return disk;
}

// Not with {fmt}: Torch brings headers of another version of it.
std::string gigabytes(double bytes) {
    char text[64];
    std::snprintf(text, sizeof(text), "%.1f GB", bytes / kGigabyte);
    return text;
}

}  // namespace

TrainEstimate estimateRun(const config::RunConfig& config, const DataShape& shape, std::int64_t samples, const std::filesystem::path& out) {
    TrainEstimate estimate;
    const ModelAccount account = accountFor(config, shape);
    estimate.preset = config.model.preset;
    estimate.ffn = config.model.ffn;
    for (const PartAccount& part : account.parts) estimate.parts.push_back(toSession(part.name, part));
    estimate.model = toSession("model", account);
    estimate.flops_per_image = flopsOfOne(config, shape, 1, 0, 0);
    estimate.flops_per_text = flopsOfOne(config, shape, 0, 1, 0);
    estimate.flops_per_pair = flopsOfOne(config, shape, 0, 0, 1);
    estimate.published = compareWithPublished(config.model.preset);
    estimate.vocabulary = shape.vocabulary;
    estimate.image_size = shape.image_size;
    estimate.max_words = shape.max_words;
    estimate.images_per_step = config.train.accumulate * config.train.batch_images;
    estimate.texts_per_step = config.train.accumulate * config.train.batch_texts;
    estimate.pairs_per_step = config.train.accumulate * config.train.batch_pairs;
    estimate.steps = config.train.steps;

    const MemoryEstimate memory = estimateMemory(config, shape);
    estimate.memory = {memory.weights, memory.gradients, memory.moments, memory.activations, memory.working, availableMemoryBytes()};
    estimate.disk = estimateDisk(config, shape, real(account.parameters_total), samples);
    estimate.disk.free = freeDiskBytes(out);
    if (estimate.memory.available > 0 && estimate.memory.total() > estimate.memory.available)
        estimate.warnings.push_back({"memory_short", "Training needs about " + gigabytes(estimate.memory.total()) + " of memory, " +
                                                         gigabytes(estimate.memory.available) +
                                                         " are available: use smaller batches or a smaller model, or close other programs"});
    if (estimate.disk.free > 0 && estimate.disk.total() > estimate.disk.free)
        estimate.warnings.push_back(
            {"disk_short", "The run needs about " + gigabytes(estimate.disk.total()) + " of disk, " + gigabytes(estimate.disk.free) +
                               " are free: keep fewer checkpoints (train.keep_last), trace fewer steps (record.trace_every), or write it elsewhere (--out)"});
    return estimate;
}

Result<TrainEstimate> estimateTraining(const session::TrainRequest& request) {
    const config::RunConfig& config = request.config;
    if (Status valid = config::validate(config); !valid) return tl::unexpected(valid.error());
    auto place = choosePlace(config.run);
    if (!place) return tl::unexpected(place.error());
    const bool codes = config.model.image_target == "codes";
    DataShape shape{config.data.vocabulary, config.data.image_size, config.data.max_words, codes ? config.tokenizer.codes : 0};
    if (codes && config.data.image_tokenizer != "auto") {
        auto found = loadTokenizer(config.data.image_tokenizer, config.model.patch);
        if (!found) return tl::unexpected(found.error());
        shape.picture_codes = found->tokenizer->sizes().codes;
    }
    std::int64_t samples = 0;
    bool prepared = false;
    if (const auto dataset = datasets::Dataset::open(config.data)) {
        if (const auto tokenizer = datasets::Tokenizer::load((*dataset)->vocabularyFile())) {
            shape.vocabulary = (*tokenizer)->size();
            shape.image_size = (*dataset)->imageSize();
            samples = (*dataset)->size();
            prepared = true;
        }
    }
    TrainEstimate estimate = estimateRun(config, shape, samples, request.out);
    estimate.prepared = prepared;
    estimate.device = place->device_name;
    if (place->device.is_cuda()) {  // main memory says nothing about the GPU's
        estimate.memory.available = 0;
        std::erase_if(estimate.warnings, [](const session::EstimateWarning& warning) { return warning.kind == "memory_short"; });
    }
    return estimate;
}

std::string accountJson(const ModelAccount& account) {
    nlohmann::ordered_json parts = nlohmann::ordered_json::object();
    for (const PartAccount& part : account.parts)
        parts[part.name] = {{"parameters_total", part.parameters_total},
                            {"parameters_active", part.parameters_active},
                            {"flops_per_step_active", part.flops_per_step_active},
                            {"flops_per_step_total", part.flops_per_step_total}};
    return parts.dump();
}

}  // namespace es::engine
