// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/batch_builder.h"

#include <algorithm>
#include <cstring>

#include "engine/data/masking.h"

namespace es::engine {

ImageStream makeImages(std::span<const std::span<const std::uint8_t>> pictures, std::int64_t size, std::int64_t patch, const PictureScale& scale,
                       std::span<const std::uint8_t> masked) {
    const auto batch = static_cast<std::int64_t>(pictures.size());
    const std::int64_t grid = size / patch, patches = grid * grid, numbers = patch * patch * 3;
    ImageStream out{at::empty({batch, patches, numbers}, at::kFloat), at::empty({batch, patches, numbers}, at::kFloat), at::empty({batch, patches}, at::kBool),
                    at::empty({batch, patches}, at::kBool)};
    std::vector<std::uint8_t> countable(static_cast<std::size_t>(patches));
    bool* hidden = out.masked_BP.data_ptr<bool>();
    bool* counts = out.counts_BP.data_ptr<bool>();
    for (std::int64_t b = 0; b < batch; ++b) {
        cutPatches(pictures[static_cast<std::size_t>(b)], size, patch, scale, out.patches_BPD.data_ptr<float>() + b * patches * numbers,
                   out.target_BPD.data_ptr<float>() + b * patches * numbers, countable.data());
        for (std::int64_t p = 0; p < patches; ++p) {
            const std::int64_t at = b * patches + p;
            hidden[at] = masked[static_cast<std::size_t>(at)] != 0;
            counts[at] = hidden[at] && countable[static_cast<std::size_t>(p)] != 0;
        }
    }
    return out;
}

TextStream makeTexts(std::span<const std::span<const std::int32_t>> captions, std::span<const std::vector<std::uint8_t>> masked, std::int32_t pad_id) {
    const auto batch = static_cast<std::int64_t>(captions.size());
    std::int64_t longest = 0;
    for (const auto& caption : captions) longest = std::max(longest, static_cast<std::int64_t>(caption.size()));
    TextStream out{at::empty({batch, longest}, at::kLong), at::empty({batch, longest}, at::kBool), at::empty({batch, longest}, at::kBool)};
    std::int64_t* ids = out.ids_BL.data_ptr<std::int64_t>();
    bool* hidden = out.masked_BL.data_ptr<bool>();
    bool* valid = out.valid_BL.data_ptr<bool>();
    for (std::int64_t b = 0; b < batch; ++b) {
        const auto& caption = captions[static_cast<std::size_t>(b)];
        const auto& mask = masked[static_cast<std::size_t>(b)];
        for (std::int64_t l = 0; l < longest; ++l) {
            const std::int64_t at = b * longest + l;
            const auto i = static_cast<std::size_t>(l);
            valid[at] = i < caption.size();
            ids[at] = valid[at] ? caption[i] : pad_id;
            hidden[at] = valid[at] && mask[i] != 0;
        }
    }
    return out;
}

ImageStream imagesOf(const DataSource& source, std::span<const std::int64_t> samples, Objective objective, const MaskOf& mask) {
    std::vector<std::span<const std::uint8_t>> pictures;
    std::vector<std::uint8_t> masked;
    for (const std::int64_t sample : samples) {
        pictures.push_back(source.dataset().sample(sample).rgba);
        const auto one = mask(sample, objective);
        masked.insert(masked.end(), one.begin(), one.end());
    }
    ImageStream out = makeImages(pictures, source.dataset().imageSize(), source.patch(), source.scale(), masked);
    if (source.pictureCodes() == 0) return out;
    out.code_BP = at::empty(out.masked_BP.sizes(), at::kLong);
    std::int64_t* next = out.code_BP.mutable_data_ptr<std::int64_t>();
    for (const std::int64_t sample : samples) next = std::ranges::copy(source.codes(sample), next).out;
    return out;
}

TextStream textsOf(const DataSource& source, std::span<const std::int64_t> samples, Objective objective, const MaskOf& mask) {
    std::vector<std::span<const std::int32_t>> captions;
    std::vector<std::vector<std::uint8_t>> masked;
    for (const std::int64_t sample : samples) {
        captions.push_back(source.tokens(sample));
        masked.push_back(mask(sample, objective));
    }
    return makeTexts(captions, masked, source.tokenizer().padId());
}

double maskRatio(const config::TrainOptions& options, Objective objective) {
    switch (objective) {
        case Objective::kImage: return options.mask_image;
        case Objective::kText: return options.mask_text;
        case Objective::kPairImage: return options.mask_pair_image;
        case Objective::kPairText: return options.mask_pair_text;
        case Objective::kContrastive:
        case Objective::kMatching: break;
    }
    return 0;
}

std::vector<std::uint8_t> drawMask(const DataSource& source, const config::TrainOptions& options, std::int64_t sample, Objective objective,
                                   RandomStream& random) {
    const double ratio = maskRatio(options, objective);
    if (objective == Objective::kImage || objective == Objective::kPairImage) return blockMask(source.grid(), source.grid(), ratio, random);
    const auto ids = source.tokens(sample);
    const auto& tokenizer = source.tokenizer();
    if (!options.mask_whole_words) return wordMask(ids, tokenizer.unknownId(), tokenizer.padId(), ratio, random);
    std::vector<std::uint8_t> starts;
    for (const std::int32_t id : ids) starts.push_back(tokenizer.startsWord(id) ? 1 : 0);
    return wholeWordMask(ids, starts, tokenizer.unknownId(), tokenizer.padId(), ratio, random);
}

BatchBuilder::BatchBuilder(std::shared_ptr<const DataSource> source, const config::RunConfig& config)
    : source_(std::move(source)), options_(config.train), seed_(static_cast<std::uint64_t>(config.run.seed)),
      images_(source_->trainingGroups(StreamKind::kImages), seed_, RandomPurpose::kImageOrder, options_.batch_images),
      texts_(source_->trainingGroups(StreamKind::kTexts), seed_, RandomPurpose::kTextOrder, options_.batch_texts),
      pairs_(source_->trainingGroups(StreamKind::kPairs), seed_, RandomPurpose::kPairOrder, options_.batch_pairs) {}

Batch BatchBuilder::training(std::int64_t step) {
    const auto at = static_cast<std::uint64_t>(step);
    RandomStream image(seed_, RandomPurpose::kImageMask, at), text(seed_, RandomPurpose::kTextMask, at);
    RandomStream pair_image(seed_, RandomPurpose::kPairImageMask, at), pair_text(seed_, RandomPurpose::kPairTextMask, at);
    RandomStream* const streams[kMaskedObjectiveCount] = {&image, &text, &pair_image, &pair_text};
    const MaskOf mask = [&](std::int64_t sample, Objective objective) {
        return drawMask(*source_, options_, sample, objective, *streams[static_cast<std::size_t>(objective)]);
    };
    Batch out;
    out.image_samples = images_.batch(step);
    out.text_samples = texts_.batch(step);
    out.pair_samples = pairs_.batch(step);
    if (!out.image_samples.empty()) out.images = imagesOf(*source_, out.image_samples, Objective::kImage, mask);
    if (!out.text_samples.empty()) out.texts = textsOf(*source_, out.text_samples, Objective::kText, mask);
    if (!out.pair_samples.empty()) {
        out.pair_images = imagesOf(*source_, out.pair_samples, Objective::kPairImage, mask);
        out.pair_texts = textsOf(*source_, out.pair_samples, Objective::kPairText, mask);
    }
    return out;
}

}  // namespace es::engine
