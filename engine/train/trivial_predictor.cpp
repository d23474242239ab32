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

std::vector<double> fitMeanPatch(const DataSource& source) {
    const auto& pictures = source.samples(Split::kTrain, StreamKind::kImages);
    const std::int64_t size = source.dataset().imageSize(), patch = source.patch(), patches = source.grid() * source.grid(), numbers = patch * patch * 3;
    std::vector<double> sum(static_cast<std::size_t>(numbers), 0.0);
    std::vector<float> input(static_cast<std::size_t>(patches * numbers)), target(input.size());
    std::vector<std::uint8_t> countable(static_cast<std::size_t>(patches));
    double used = 0;
    const auto count = static_cast<std::int64_t>(pictures.size());
    const std::int64_t taken = std::min(count, kPictures);
    for (std::int64_t i = 0; i < taken; ++i) {
        const auto rgba = source.dataset().sample(pictures[static_cast<std::size_t>(i * count / taken)]).rgba;
        cutPatches(rgba, size, patch, source.scale(), input.data(), target.data(), countable.data());
        for (std::int64_t p = 0; p < patches; ++p) {
            if (!countable[static_cast<std::size_t>(p)]) continue;
            ++used;
            for (std::int64_t n = 0; n < numbers; ++n) sum[static_cast<std::size_t>(n)] += target[static_cast<std::size_t>(p * numbers + n)];
        }
    }
    if (used > 0)
        for (double& value : sum) value /= used;
    return sum;
}

/// -log of each word's expected share of the masked words at this ratio. In a short caption a word is masked more often.
std::vector<double> fitWords(const DataSource& source, StreamKind kind, double ratio) {
    const auto& tokenizer = source.tokenizer();
    std::vector<double> count(static_cast<std::size_t>(tokenizer.size()), kAddedCount);
    for (const std::int32_t never : {tokenizer.unknownId(), tokenizer.padId()})
        if (never >= 0 && never < tokenizer.size()) count[static_cast<std::size_t>(never)] = 0;
    const auto maskable = [&](std::int32_t id) { return id != tokenizer.unknownId() && id != tokenizer.padId(); };
    for (const std::int64_t sample : source.samples(Split::kTrain, kind)) {
        const auto ids = source.tokens(sample);
        const auto words = std::count_if(ids.begin(), ids.end(), maskable);
        if (words == 0) continue;
        const double chance = static_cast<double>(maskedWordCount(words, ratio)) / static_cast<double>(words);
        for (const std::int32_t id : ids)
            if (maskable(id)) count[static_cast<std::size_t>(id)] += chance;
    }
    double total = 0;
    for (const double c : count) total += c;
    std::vector<double> nats;
    for (const double c : count) nats.push_back(-std::log(c / total));
    return nats;
}

}  // namespace

TrivialPredictor::TrivialPredictor(const DataSource& source, const config::TrainOptions& options)
    : mean_patch_(fitMeanPatch(source)), nats_text_(fitWords(source, StreamKind::kTexts, maskRatio(options, Objective::kText))),
      nats_pair_(fitWords(source, StreamKind::kPairs, maskRatio(options, Objective::kPairText))) {}

std::vector<double> TrivialPredictor::imageLoss(const ImageStream& images) const {
    const std::int64_t samples = images.target_BPD.size(0), patches = images.target_BPD.size(1), numbers = images.target_BPD.size(2);
    const float* target = images.target_BPD.const_data_ptr<float>();
    const bool* counts = images.counts_BP.const_data_ptr<bool>();
    std::vector<double> out(static_cast<std::size_t>(samples), 0.0);
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
