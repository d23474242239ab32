// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/trivial_predictor.h"

#include <algorithm>
#include <cmath>

#include "engine/data/batch_builder.h"
#include "engine/data/masking.h"

namespace es::engine {
namespace {

constexpr std::int64_t kPictures = 4096;
constexpr double kAddedCount = 0.5;
constexpr std::uint64_t kMaskSeed = 1;
constexpr std::uint32_t kMasks = 16;  // of a caption

/// Calls visit(sample, target, countable) for the training pictures, at most kPictures, evenly spaced.
template <class Visit>
void visitPictures(const DataSource& source, Visit&& visit) {
    const auto& pictures = source.samples(Split::kTrain, StreamKind::kImages);
    const std::int64_t size = source.dataset().imageSize(), patch = source.patch(), patches = source.grid() * source.grid(), numbers = patch * patch * 3;
    std::vector<float> input(static_cast<std::size_t>(patches * numbers)), target(input.size());
    std::vector<std::uint8_t> countable(static_cast<std::size_t>(patches));
    const auto count = static_cast<std::int64_t>(pictures.size());
    const std::int64_t taken = std::min(count, kPictures);
    for (std::int64_t i = 0; i < taken; ++i) {
        const std::int64_t sample = pictures[static_cast<std::size_t>(i * count / taken)];
        cutPatches(source.dataset().sample(sample).rgba, size, patch, source.scale(), input.data(), target.data(), countable.data());
        visit(sample, target, countable);
    }
}

std::vector<double> fitMeanPatch(const DataSource& source) {
    const auto numbers = static_cast<std::size_t>(source.patch() * source.patch() * 3);
    std::vector<double> sum(numbers, 0.0);
    double used = 0;
    visitPictures(source, [&](std::int64_t, const std::vector<float>& target, const std::vector<std::uint8_t>& countable) {
        for (std::size_t p = 0; p < countable.size(); ++p) {
            if (!countable[p]) continue;
            ++used;
            for (std::size_t n = 0; n < numbers; ++n) sum[n] += target[p * numbers + n];
        }
    });
    if (used > 0)
        for (double& value : sum) value /= used;
    return sum;
}

std::vector<double> natsOf(const std::vector<double>& count) {
    double total = 0;
    for (const double c : count) total += c;
    std::vector<double> nats;
    for (const double c : count) nats.push_back(-std::log(c / total));
    return nats;
}

std::vector<double> fitCodes(const DataSource& source) {
    if (source.pictureCodes() == 0) return {};
    std::vector<double> count(static_cast<std::size_t>(source.pictureCodes()), kAddedCount);
    visitPictures(source, [&](std::int64_t sample, const std::vector<float>&, const std::vector<std::uint8_t>& countable) {
        const auto codes = source.codes(sample);
        for (std::size_t p = 0; p < countable.size(); ++p)
            if (countable[p]) ++count[static_cast<std::size_t>(codes[p])];
    });
    return natsOf(count);
}

/// How often each of a caption's words is hidden: exactly, or from many masks where whole words are.
std::vector<double> hiddenShares(const DataSource& source, const config::TrainOptions& options, std::int64_t sample, Objective objective) {
    const auto& tokenizer = source.tokenizer();
    const auto ids = source.tokens(sample);
    std::vector<double> shares(ids.size(), 0.0);
    if (options.mask_whole_words) {
        for (std::uint32_t draw = 0; draw < kMasks; ++draw) {
            RandomStream random(kMaskSeed, RandomPurpose::kEvaluationMask, source.dataset().sample(sample).hash, kObjectiveCount + draw);
            const auto mask = drawMask(source, options, sample, objective, random);
            for (std::size_t i = 0; i < mask.size(); ++i) shares[i] += mask[i] / static_cast<double>(kMasks);
        }
        return shares;
    }
    const auto maskable = [&](std::int32_t id) { return id != tokenizer.unknownId() && id != tokenizer.padId(); };
    const auto words = std::count_if(ids.begin(), ids.end(), maskable);
    if (words == 0) return shares;
    const double chance = static_cast<double>(maskedWordCount(words, maskRatio(options, objective))) / static_cast<double>(words);
    for (std::size_t i = 0; i < ids.size(); ++i)
        if (maskable(ids[i])) shares[i] = chance;
    return shares;
}

/// -log of each word's expected share of the masked words at this ratio. In a short caption a word is masked more often.
std::vector<double> fitWords(const DataSource& source, const config::TrainOptions& options, StreamKind kind, Objective objective) {
    const auto& tokenizer = source.tokenizer();
    std::vector<double> count(static_cast<std::size_t>(tokenizer.size()), kAddedCount);
    for (const std::int32_t never : {tokenizer.unknownId(), tokenizer.padId()})
        if (never >= 0 && never < tokenizer.size()) count[static_cast<std::size_t>(never)] = 0;
    for (const std::int64_t sample : source.samples(Split::kTrain, kind)) {
        const auto ids = source.tokens(sample);
        const auto shares = hiddenShares(source, options, sample, objective);
        for (std::size_t i = 0; i < ids.size(); ++i)
            if (shares[i] > 0) count[static_cast<std::size_t>(ids[i])] += shares[i];
    }
    return natsOf(count);
}

}  // namespace

TrivialPredictor::TrivialPredictor(const DataSource& source, const config::TrainOptions& options)
    : mean_patch_(fitMeanPatch(source)), nats_code_(fitCodes(source)), nats_text_(fitWords(source, options, StreamKind::kTexts, Objective::kText)),
      nats_pair_(fitWords(source, options, StreamKind::kPairs, Objective::kPairText)) {}

std::vector<double> TrivialPredictor::imageLoss(const ImageStream& images) const {
    const std::int64_t samples = images.target_BPD.size(0), patches = images.target_BPD.size(1), numbers = images.target_BPD.size(2);
    const float* target = images.target_BPD.const_data_ptr<float>();
    const bool* counts = images.counts_BP.const_data_ptr<bool>();
    std::vector<double> out(static_cast<std::size_t>(samples), 0.0);
    if (!nats_code_.empty()) {
        const std::int64_t* codes = images.code_BP.const_data_ptr<std::int64_t>();
        for (std::int64_t row = 0; row < samples * patches; ++row)
            if (counts[row]) out[static_cast<std::size_t>(row / patches)] += nats_code_[static_cast<std::size_t>(codes[row])];
        return out;
    }
    for (std::int64_t row = 0; row < samples * patches; ++row) {
        if (!counts[row]) continue;
        double squares = 0;
        for (std::int64_t n = 0; n < numbers; ++n) {
            const double difference = target[row * numbers + n] - mean_patch_[static_cast<std::size_t>(n)];
            squares += difference * difference;
        }
        out[static_cast<std::size_t>(row / patches)] += squares / static_cast<double>(numbers);
    }
    return out;
}

std::vector<double> TrivialPredictor::textLoss(const TextStream& texts, Objective objective) const {
    const auto& nats = objective == Objective::kText ? nats_text_ : nats_pair_;
    const std::int64_t samples = texts.ids_BL.size(0), words = texts.ids_BL.size(1);
    const std::int64_t* ids = texts.ids_BL.const_data_ptr<std::int64_t>();
    const bool* masked = texts.masked_BL.const_data_ptr<bool>();
    std::vector<double> out(static_cast<std::size_t>(samples), 0.0);
    for (std::int64_t at = 0; at < samples * words; ++at)
        if (masked[at]) out[static_cast<std::size_t>(at / words)] += nats[static_cast<std::size_t>(ids[at])];
    return out;
}

}  // namespace es::engine
