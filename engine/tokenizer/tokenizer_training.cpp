// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/tokenizer/tokenizer_training.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/data/pixel_scale.h"
#include "engine/data/sample_order.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedule.h"

namespace es::engine {
namespace {

constexpr std::int64_t kLines = 20;         // of the log, evenly spaced
constexpr std::int64_t kJudged = 4096;      // pictures, at most
constexpr std::int64_t kFirstPatches = 64;  // vectors a code for the first k-means, at most
constexpr double kWarmup = 0.05, kFinalShare = 0.05;

std::vector<std::int64_t> picturesOf(const datasets::Dataset& dataset, Split split) {
    std::vector<std::int64_t> out;
    for (const std::int64_t sample : dataset.indices(split))
        if (!dataset.sample(sample).rgba.empty()) out.push_back(sample);
    return out;
}

std::vector<std::int64_t> someOf(const std::vector<std::int64_t>& samples, std::int64_t wanted) {
    const auto count = static_cast<std::int64_t>(samples.size());
    std::vector<std::int64_t> out;
    for (std::int64_t i = 0; i < std::min(count, wanted); ++i) out.push_back(samples[static_cast<std::size_t>(i * count / std::min(count, wanted))]);
    return out;
}

/// Cuts the patches that count out of pictures.
class PatchCutter {
public:
    PatchCutter(const datasets::Dataset& dataset, std::int64_t patch, const PictureScale& scale) : dataset_(dataset), patch_(patch), scale_(scale) {}

    /// N x numbers, N what there are.
    [[nodiscard]] at::Tensor cut(std::span<const std::int64_t> samples) const {
        const std::int64_t size = dataset_.imageSize(), grid = size / patch_, patches = grid * grid, numbers = patch_ * patch_ * 3;
        std::vector<float> input(static_cast<std::size_t>(patches * numbers)), target(input.size()), kept;
        std::vector<std::uint8_t> countable(static_cast<std::size_t>(patches));
        for (const std::int64_t sample : samples) {
            cutPatches(dataset_.sample(sample).rgba, size, patch_, scale_, input.data(), target.data(), countable.data());
            for (std::int64_t p = 0; p < patches; ++p)
                if (countable[static_cast<std::size_t>(p)])
                    kept.insert(kept.end(), input.begin() + static_cast<std::ptrdiff_t>(p * numbers),
                                input.begin() + static_cast<std::ptrdiff_t>((p + 1) * numbers));
        }
        return at::tensor(kept, at::kFloat).view({-1, numbers});
    }

private:
    const datasets::Dataset& dataset_;
    std::int64_t patch_;
    PictureScale scale_;
};

AdamW optimizerOf(const PatchAutoencoder& network) {
    std::vector<OptimizedParameter> parameters;
    for (const auto& parameter : network.named_parameters()) parameters.push_back({parameter.key(), parameter.value(), false, "tokenizer"});
    return AdamW(std::move(parameters), {0.9, 0.99, 1e-8, 0.0, 1.0});
}

/// Sums between two lines of the log.
struct LineSums {
    double reconstruction = 0, commitment = 0;
    std::int64_t steps = 0, revived = 0;
    at::Tensor counts_K;

    explicit LineSums(std::int64_t codes) : counts_K(at::zeros({codes}, at::kDouble)) {}
    [[nodiscard]] TokenizerLine line(std::int64_t step) const {
        const double n = static_cast<double>(std::max<std::int64_t>(1, steps));
        return {step, reconstruction / n, commitment / n, codePerplexity(counts_K), counts_K.eq(0).sum().item<std::int64_t>(), revived};
    }
};

std::string lineText(const TokenizerLine& line) {
    char text[128];
    std::snprintf(text, sizeof(text), "Training the picture tokenizer: error %.3f, perplexity %.0f", line.reconstruction, line.perplexity);
    return text;
}

TokenizerQuality judge(const ImageTokenizer& tokenizer, const PatchCutter& cutter, const std::vector<std::int64_t>& train,
                       const std::vector<std::int64_t>& held_out) {
    const at::NoGradGuard no_grad;
    const std::int64_t codes = tokenizer.sizes().codes;
    TokenizerQuality out;
    const auto seen = someOf(train, kJudged);
    at::Tensor seen_K = at::zeros({codes}, at::kDouble), sum_D = at::zeros({tokenizer.sizes().numbers()}, at::kDouble);
    double seen_patches = 0;
    constexpr std::size_t kAtOnce = 64;
    const auto each = [&](const std::vector<std::int64_t>& samples, const auto& visit) {
        for (std::size_t begin = 0; begin < samples.size(); begin += kAtOnce) {
            const at::Tensor patches_ND = cutter.cut(std::span(samples).subspan(begin, std::min(kAtOnce, samples.size() - begin)));
            if (patches_ND.size(0) > 0) visit(patches_ND, tokenizer.codesOf(patches_ND));
        }
    };
    each(seen, [&](const at::Tensor& patches_ND, const at::Tensor& code_N) {
        seen_K += countCodes(code_N, codes);
        sum_D += patches_ND.to(at::kDouble).sum(0);
        seen_patches += static_cast<double>(patches_ND.size(0));
    });
    out.unused = seen_K.eq(0).sum().item<std::int64_t>();
    const at::Tensor mean_D = sum_D / std::max(1.0, seen_patches);
    at::Tensor counts_K = at::zeros({codes}, at::kDouble);
    out.held_out = !held_out.empty();
    double error = 0, spread = 0, numbers = 0;
    each(out.held_out ? someOf(held_out, kJudged) : seen, [&](const at::Tensor& patches_ND, const at::Tensor& code_N) {
        counts_K += countCodes(code_N, codes);
        const at::Tensor exact_ND = patches_ND.to(at::kDouble);
        error += (tokenizer.patchesOf(code_N).to(at::kDouble) - exact_ND).square().sum().item<double>();
        spread += (exact_ND - mean_D).square().sum().item<double>();
        numbers += static_cast<double>(patches_ND.numel());
        out.patches += patches_ND.size(0);
    });
    out.reconstruction = error / std::max(1.0, numbers);
    out.variance = spread / std::max(1.0, numbers);
    out.perplexity = codePerplexity(counts_K);
    return out;
}

}  // namespace

Result<TrainedTokenizer> trainTokenizer(const datasets::Dataset& dataset, std::int64_t patch, const config::TokenizerOptions& options,
                                        const JobContext& context) {
    const auto train = picturesOf(dataset, Split::kTrain), held_out = picturesOf(dataset, Split::kValidation);
    const auto nothing = [&] {
        return badInput("Cannot train a picture tokenizer on this data", "no picture of its training split has a patch that is neither transparent nor flat",
                        "Use other data, or model.image_target = \"pixels\"", dataset.file().string());
    };
    if (train.empty()) return nothing();
    const PictureScale scale = measurePixelScale(dataset, train);
    const PatchCutter cutter(dataset, patch, scale);
    const TokenizerSizes sizes{patch, options.codes, options.code_width, options.width};
    const auto seed = static_cast<std::uint64_t>(options.seed);
    auto network = std::make_shared<PatchAutoencoder>(sizes, seed);
    AdamW optimizer = optimizerOf(*network);
    const LearningRateSchedule rate{.steps = options.steps, .peak = options.learning_rate, .warmup = kWarmup, .final_share = kFinalShare};

    RandomStream random(seed, RandomPurpose::kImageTokenizer, 0, /*rank=*/1);  // apart from the order of the pictures
    const std::int64_t grid = dataset.imageSize() / patch,
                       first = std::max<std::int64_t>(options.batch_pictures, options.codes * kFirstPatches / (grid * grid));
    const at::Tensor first_ND = cutter.cut(someOf(train, first));
    if (first_ND.size(0) == 0) return nothing();
    VectorQuantizer quantizer = [&] {
        const at::NoGradGuard no_grad;
        return VectorQuantizer::fitted(network->encode(first_ND), options.codes, {options.decay, options.revive_below}, random);
    }();

    TrainedTokenizer out;
    SampleOrder order(train, seed, RandomPurpose::kImageTokenizer, options.batch_pictures);
    const std::int64_t between = std::max<std::int64_t>(1, options.steps / kLines);
    LineSums sums(options.codes);
    std::string label = "Training the picture tokenizer";
    for (std::int64_t step = 1; step <= options.steps; ++step) {
        context.progress(step - 1, options.steps, label);
        if (context.stopRequested()) return stopped("Training the picture tokenizer");
        const at::Tensor patches_ND = cutter.cut(order.batch(step));
        if (patches_ND.size(0) > 0) {
            const at::Tensor z_NC = network->encode(patches_ND);
            const at::Tensor code_N = quantizer.nearest(z_NC);
            const at::Tensor e_NC = quantizer.codebook().index_select(0, code_N);
            const at::Tensor reconstruction = at::mse_loss(network->decode(z_NC + (e_NC - z_NC).detach()), patches_ND);
            const at::Tensor commitment = (z_NC - e_NC).square().sum(1).mean();
            (reconstruction + options.commitment * commitment).backward();
            optimizer.step(rate.at(step - 1));
            optimizer.zeroGradients();
            sums.revived += quantizer.update(z_NC, code_N, random);
            sums.reconstruction += reconstruction.item<double>();
            sums.commitment += commitment.item<double>();
            sums.counts_K += countCodes(code_N, options.codes);
            ++sums.steps;
            if (!std::isfinite(sums.reconstruction + sums.commitment))
                return jobFailed("The picture tokenizer diverged at step " + std::to_string(step), "its loss is not finite", "Lower tokenizer.learning_rate",
                                 dataset.file().string());
        }
        if (step % between != 0 && step != options.steps) continue;
        out.lines.push_back(sums.line(step));
        out.revived += sums.revived;
        label = lineText(out.lines.back());
        sums = LineSums(options.codes);
    }
    context.progress(options.steps, options.steps, label);
    for (auto& parameter : network->named_parameters()) parameter.value().requires_grad_(false);
    out.tokenizer = std::make_shared<const ImageTokenizer>(sizes, scale, std::move(network), std::move(quantizer));
    out.quality = judge(*out.tokenizer, cutter, train, held_out);
    return out;
}

}  // namespace es::engine
