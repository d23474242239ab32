// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/alignment_streams.h"

#include <algorithm>

namespace es::engine {
namespace {

at::Tensor rowsAt(const at::Tensor& x_B, const std::vector<std::int64_t>& samples) {
    return x_B.index_select(0, at::tensor(samples, at::kLong).to(x_B.device()));
}

/// Targets are left out: nothing of it is predicted.
ImageStream unmasked(const ImageStream& images) {
    ImageStream out;
    out.patches_BPD = images.patches_BPD;
    out.masked_BP = at::zeros_like(images.masked_BP);
    out.counts_BP = at::zeros_like(images.counts_BP);
    return out;
}

TextStream unmasked(const TextStream& texts) { return {texts.ids_BL, at::zeros_like(texts.masked_BL), texts.valid_BL}; }

ImageStream chosen(const ImageStream& images, const std::vector<std::int64_t>& samples) {
    ImageStream out;
    out.patches_BPD = rowsAt(images.patches_BPD, samples);
    out.masked_BP = rowsAt(images.masked_BP, samples);
    out.counts_BP = rowsAt(images.counts_BP, samples);
    return out;
}

TextStream chosen(const TextStream& texts, const std::vector<std::int64_t>& samples) {
    return {rowsAt(texts.ids_BL, samples), rowsAt(texts.masked_BL, samples), rowsAt(texts.valid_BL, samples)};
}

/// Targets and codes stay those of the first: only its patches count.
ImageStream joined(const std::optional<ImageStream>& first, const ImageStream& second) {
    if (!first) return second;
    ImageStream out = *first;
    out.patches_BPD = at::cat({first->patches_BPD, second.patches_BPD});
    out.masked_BP = at::cat({first->masked_BP, second.masked_BP});
    out.counts_BP = at::cat({first->counts_BP, second.counts_BP});
    return out;
}

TextStream joined(const std::optional<TextStream>& first, const TextStream& second) {
    if (!first) return second;
    const std::int64_t longest = std::max(first->ids_BL.size(1), second.ids_BL.size(1));
    const auto padded = [&](const at::Tensor& x_BL) { return at::constant_pad_nd(x_BL, {0, longest - x_BL.size(1)}, 0); };
    const auto join = [&](const at::Tensor& a_BL, const at::Tensor& b_BL) { return at::cat({padded(a_BL), padded(b_BL)}); };
    return {join(first->ids_BL, second.ids_BL), join(first->masked_BL, second.masked_BL), join(first->valid_BL, second.valid_BL)};
}

SampleRows lastPictures(std::int64_t begin_of_all, std::int64_t all, std::int64_t samples, std::int64_t patches) {
    SampleRows rows{begin_of_all + (all - samples) * patches, samples * patches, samples, {}};
    rows.sample_of.reserve(static_cast<std::size_t>(rows.count));
    for (std::int64_t row = 0; row < rows.count; ++row) rows.sample_of.push_back(row / patches);
    return rows;
}

SampleRows lastCaptions(const WordRows& words, std::int64_t samples) {
    const std::int64_t first = (words.samples - samples) * words.per_sample;
    SampleRows rows;
    rows.samples = samples;
    for (const std::int64_t place : words.padded_of_row)
        if (place >= first) rows.sample_of.push_back((place - first) / words.per_sample);
    rows.count = static_cast<std::int64_t>(rows.sample_of.size());
    rows.begin = words.begin + words.count - rows.count;
    return rows;
}

}  // namespace

Batch pairsAlone(const Batch& batch) {
    TORCH_CHECK(batch.pair_images && batch.pair_texts, "the batch has no pairs");
    Batch out;
    out.images = unmasked(*batch.pair_images);
    out.texts = unmasked(*batch.pair_texts);
    out.appended.alone = batch.pair_images->masked_BP.size(0);
    return out;
}

Batch withAlignmentStreams(const Batch& batch, bool contrastive, const NegativePairs* negatives) {
    Batch out = batch;
    const ImageStream pictures = unmasked(*batch.pair_images);
    const TextStream captions = unmasked(*batch.pair_texts);
    if (contrastive) {
        out.images = joined(batch.images, pictures);
        out.texts = joined(batch.texts, captions);
        out.appended.alone = pictures.masked_BP.size(0);
    }
    if (negatives) {
        const JudgedPairs judged = judgedPairs(*negatives);
        out.pair_images = joined(batch.pair_images, chosen(pictures, judged.picture_of));
        out.pair_texts = joined(batch.pair_texts, chosen(captions, judged.caption_of));
        out.appended.picture_of = judged.picture_of;
        out.appended.caption_of = judged.caption_of;
    }
    return out;
}

AppendedRows rowsAlone(const TokenLayout& layout, std::int64_t samples) {
    return {lastPictures(0, layout.images, samples, layout.patches), lastCaptions(layout.words, samples)};
}

AppendedRows rowsJudged(const TokenLayout& layout, std::int64_t samples) {
    return {lastPictures(layout.image_rows, layout.pairs, samples, layout.patches), lastCaptions(layout.pair_words, samples)};
}

at::Tensor meanOfSamples(const at::Tensor& x_ND, const SampleRows& rows) {
    std::vector<std::int64_t> length(static_cast<std::size_t>(rows.samples), 0);
    for (const std::int64_t sample : rows.sample_of) ++length[static_cast<std::size_t>(sample)];
    const std::int64_t longest = rows.samples > 0 ? *std::ranges::max_element(length) : 0;
    const at::Tensor all_ND = x_ND.narrow(0, rows.begin, rows.count);
    if (rows.count == rows.samples * longest) return all_ND.reshape({rows.samples, longest, x_ND.size(1)}).mean(1);
    // Padding is row 0 with share 0: its gradient adds zeros, so that the order of adding up does not matter on any device.
    std::vector<std::int64_t> row_of(static_cast<std::size_t>(rows.samples * longest), 0), filled(length.size(), 0);
    std::vector<float> share(row_of.size(), 0.0F);
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const auto sample = static_cast<std::size_t>(rows.sample_of[static_cast<std::size_t>(row)]);
        const std::size_t place = sample * static_cast<std::size_t>(longest) + static_cast<std::size_t>(filled[sample]++);
        row_of[place] = row;
        share[place] = 1.0F / static_cast<float>(length[sample]);
    }
    const at::Tensor share_BL1 = at::tensor(share, at::kFloat).view({rows.samples, longest, 1}).to(x_ND.device(), x_ND.scalar_type());
    const at::Tensor rows_M = at::tensor(row_of, at::kLong).to(x_ND.device());
    return (all_ND.index_select(0, rows_M).view({rows.samples, longest, x_ND.size(1)}) * share_BL1).sum(1);
}

}  // namespace es::engine
