// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/evaluator.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/config/objectives.h"
#include "engine/data/batch_builder.h"
#include "engine/objective/contrastive.h"
#include "engine/objective/matching.h"

namespace es::engine {
namespace {

constexpr std::size_t kChunk = 64;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::vector<std::int64_t> evenlySpaced(const std::vector<std::int64_t>& samples, std::int64_t wanted) {
    const auto count = static_cast<std::int64_t>(samples.size());
    if (wanted <= 0 || wanted >= count) return samples;
    std::vector<std::int64_t> out;
    for (std::int64_t i = 0; i < wanted; ++i) out.push_back(samples[static_cast<std::size_t>(i * count / wanted)]);
    return out;
}

MaskOf evaluationMask(const DataSource& source, const config::TrainOptions& options) {
    return [&source, options](std::int64_t sample, Objective objective) {
        RandomStream random(static_cast<std::uint64_t>(kEvaluationMaskSeed), RandomPurpose::kEvaluationMask, source.dataset().sample(sample).hash,
                            static_cast<std::uint32_t>(objective));
        return drawMask(source, options, sample, objective, random);
    };
}

/// The same samples in batches of about `size`, at least two each, mixed: neighbours are often variants of one picture.
std::vector<std::vector<std::int64_t>> mixedBatches(std::vector<std::int64_t> samples, std::int64_t size) {
    const auto count = static_cast<std::int64_t>(samples.size());
    if (count < 2) return {};
    RandomStream random(static_cast<std::uint64_t>(kEvaluationMaskSeed), RandomPurpose::kEvaluationPairs);
    random.shuffle(std::span(samples));
    const std::int64_t batches = std::clamp<std::int64_t>((count + size / 2) / std::max<std::int64_t>(size, 1), 1, count / 2);
    std::vector<std::vector<std::int64_t>> out;
    for (std::int64_t b = 0; b < batches; ++b) out.emplace_back(samples.begin() + b * count / batches, samples.begin() + (b + 1) * count / batches);
    return out;
}

Batch unmaskedPairs(const DataSource& source, const std::vector<std::int64_t>& samples) {
    const MaskOf nothing = [&](std::int64_t sample, Objective objective) {
        const std::size_t length = objective == Objective::kPairImage ? static_cast<std::size_t>(source.grid() * source.grid()) : source.tokens(sample).size();
        return std::vector<std::uint8_t>(length, 0);
    };
    Batch batch;
    batch.pair_samples = samples;
    batch.pair_images = imagesOf(source, samples, Objective::kPairImage, nothing);
    batch.pair_texts = textsOf(source, samples, Objective::kPairText, nothing);
    return batch;
}

/// Sums of one objective (or its control) over the whole split.
struct Tally {
    double loss = 0, trivial = 0, targets = 0;
    [[nodiscard]] double mean(double sum) const { return targets > 0 ? sum / targets : kNone; }
};

std::vector<double> toVector(const at::Tensor& tensor) {
    const at::Tensor cpu = tensor.to(at::kCPU, at::kDouble).contiguous();
    return {cpu.const_data_ptr<double>(), cpu.const_data_ptr<double>() + cpu.numel()};
}

/// Appends the rows of one objective of one batch.
void addRows(const DataSource& source, const ModelOutput& output, Objective objective, const std::vector<std::int64_t>& samples,
             const std::vector<double>& trivial, const char* variant, std::vector<store::EvaluationRow>& rows, Tally& tally) {
    const auto o = static_cast<std::size_t>(objective);
    if (!output.sample_loss_sum_B[o].defined()) return;
    const auto sums = toVector(output.sample_loss_sum_B[o]), targets = toVector(output.sample_targets_B[o]);
    const auto correct = output.sample_correct_B[o].defined() ? toVector(output.sample_correct_B[o]) : std::vector<double>();
    for (std::size_t i = 0; i < sums.size(); ++i) {
        if (targets[i] <= 0) continue;
        store::EvaluationRow row;
        row.sample = source.dataset().sample(samples[i]).hash;
        row.objective = objective;
        row.mask_seed = kEvaluationMaskSeed;
        row.loss = sums[i] / targets[i];
        row.trivial_loss = trivial[i] / targets[i];
        row.targets = static_cast<std::int32_t>(targets[i]);
        row.accuracy = correct.empty() ? kNone : correct[i] / targets[i];
        row.variant = variant;
        rows.push_back(std::move(row));
        tally.loss += sums[i];
        tally.trivial += trivial[i];
        tally.targets += targets[i];
    }
}

}  // namespace

Evaluator::Evaluator(std::shared_ptr<const DataSource> source, const config::RunConfig& config)
    : source_(std::move(source)), config_(config), trivial_(*source_, config.train) {
    const std::int64_t wanted = config.train.evaluate_samples;
    const std::int64_t batches[3] = {config.train.batch_images, config.train.batch_texts, config.train.batch_pairs};
    // A stream that is not trained is not judged either.
    for (const StreamKind kind : {StreamKind::kImages, StreamKind::kTexts, StreamKind::kPairs})
        if (batches[static_cast<int>(kind)] > 0) samples_[static_cast<std::size_t>(kind)] = evenlySpaced(source_->samples(Split::kValidation, kind), wanted);
    if (config.loss.contrastive > 0 || config.loss.matching > 0)
        alignment_batches_ = mixedBatches(samples_[static_cast<std::size_t>(StreamKind::kPairs)], config.train.batch_pairs);
}

std::vector<std::int64_t> Evaluator::someSamples(std::int64_t wanted) const {
    std::vector<std::int64_t> all;
    for (const auto& samples : samples_) all.insert(all.end(), samples.begin(), samples.end());
    std::ranges::sort(all);
    const auto repeated = std::ranges::unique(all);
    all.erase(repeated.begin(), repeated.end());
    if (wanted <= 0) return {};
    return evenlySpaced(all, wanted);
}

Result<EvaluationOutcome> Evaluator::run(VlMoe& model, at::Device device, std::int64_t step, const JobContext& context, const EvaluationWish& wish) const {
    const at::NoGradGuard no_gradient;
    ForwardOptions options;
    options.training = false;
    options.step = step;
    options.interventions = wish.interventions;
    options.observer = wish.observer;
    const MaskOf mask = evaluationMask(*source_, config_.train);
    EvaluationOutcome out;
    out.evaluation.step = step;
    std::array<Tally, kObjectiveCount> tallies;
    Tally wrong;
    auto& rows = out.evaluation.rows;

    for (std::size_t kind = 0; kind < samples_.size(); ++kind) {
        const auto& samples = samples_[kind];
        for (std::size_t begin = 0; begin < samples.size(); begin += kChunk) {
            if (context.stopRequested()) return stopped("The evaluation");
            const std::size_t end = std::min(samples.size(), begin + kChunk);
            const std::vector<std::int64_t> chunk(samples.begin() + static_cast<std::ptrdiff_t>(begin), samples.begin() + static_cast<std::ptrdiff_t>(end));
            Batch batch;
            if (kind == 0) {
                batch.image_samples = chunk;
                batch.images = imagesOf(*source_, chunk, Objective::kImage, mask);
                const auto output = model.forward(batch.to(device), options);
                addRows(*source_, output, Objective::kImage, chunk, trivial_.imageLoss(*batch.images), "", rows, tallies[0]);
                continue;
            }
            if (kind == 1) {
                batch.text_samples = chunk;
                batch.texts = textsOf(*source_, chunk, Objective::kText, mask);
                const auto output = model.forward(batch.to(device), options);
                addRows(*source_, output, Objective::kText, chunk, trivial_.textLoss(*batch.texts, Objective::kText), "", rows, tallies[1]);
                continue;
            }
            batch.pair_samples = chunk;
            batch.pair_images = imagesOf(*source_, chunk, Objective::kPairImage, mask);
            batch.pair_texts = textsOf(*source_, chunk, Objective::kPairText, mask);
            const auto text_trivial = trivial_.textLoss(*batch.pair_texts, Objective::kPairText);
            const auto output = model.forward(batch.to(device), options);
            addRows(*source_, output, Objective::kPairImage, chunk, trivial_.imageLoss(*batch.pair_images), "", rows, tallies[2]);
            addRows(*source_, output, Objective::kPairText, chunk, text_trivial, "", rows, tallies[3]);
            if (samples.size() < 2 || !wish.controls) continue;
            // Half the split away: neighbours are often variants of one picture.
            std::vector<std::int64_t> others;
            for (std::size_t i = begin; i < end; ++i) others.push_back(samples[(i + samples.size() / 2) % samples.size()]);
            batch.pair_images = imagesOf(*source_, others, Objective::kPairImage, mask);
            const auto control = model.forward(batch.to(device), options);
            addRows(*source_, control, Objective::kPairText, chunk, text_trivial, kWrongPicture, rows, wrong);
        }
    }

    options.align_pairs = true;
    for (const auto& samples : alignment_batches_) {
        if (context.stopRequested()) return stopped("The evaluation");
        const auto output = model.forward(unmaskedPairs(*source_, samples).to(device), options);
        const std::vector<double> guess(samples.size(), contrastiveTrivialLoss(static_cast<std::int64_t>(samples.size())));
        addRows(*source_, output, Objective::kContrastive, samples, guess, "", rows, tallies[static_cast<std::size_t>(Objective::kContrastive)]);
        const std::vector<double> rate(samples.size(), 3 * matchingTrivialLoss());
        addRows(*source_, output, Objective::kMatching, samples, rate, "", rows, tallies[static_cast<std::size_t>(Objective::kMatching)]);
    }

    const config::ObjectiveWeights weights = config::objectiveWeights(config_.loss);
    bool any = false;
    for (std::size_t o = 0; o < kObjectiveCount; ++o) {
        out.loss[o] = tallies[o].mean(tallies[o].loss);
        out.trivial[o] = tallies[o].mean(tallies[o].trivial);
        if (tallies[o].targets <= 0 || weights[o] == 0) continue;
        out.total += weights[o] * out.loss[o];
        any = true;
    }
    if (!any) out.total = kNone;
    out.wrong_picture = wrong.mean(wrong.loss);
    return out;
}

}  // namespace es::engine
