// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/token_layout.h"

#include <algorithm>

namespace es::engine {
namespace {

/// `valid_BL` is copied to the host if it is not there.
WordRows makeWordRows(const TextStream& stream, std::int64_t begin) {
    const at::Tensor valid_BL = stream.valid_BL.cpu().contiguous();
    WordRows words;
    words.samples = stream.ids_BL.size(0);
    words.per_sample = stream.ids_BL.size(1);
    words.begin = begin;
    const bool* valid = valid_BL.const_data_ptr<bool>();
    words.row_of_padded.reserve(static_cast<std::size_t>(valid_BL.numel()));
    for (std::int64_t i = 0; i < valid_BL.numel(); ++i) {
        words.row_of_padded.push_back(valid[i] ? begin + words.count++ : -1);
        if (valid[i]) words.padded_of_row.push_back(i);
    }
    return words;
}

/// Appends the run of rows of each sample. Sequences of pairs exist already and get their second run.
void addWordSequences(const WordRows& words, std::vector<kernels::SequenceRows>& sequences, std::size_t first_sequence) {
    std::int64_t row = words.begin;
    std::size_t next = 0;
    for (std::int64_t sample = 0; sample < words.samples; ++sample) {
        const std::int64_t limit = (sample + 1) * words.per_sample, start = row;
        while (next < words.padded_of_row.size() && words.padded_of_row[next] < limit) ++next, ++row;
        const std::size_t index = first_sequence + static_cast<std::size_t>(sample);
        if (index == sequences.size()) sequences.emplace_back();
        sequences[index].second_begin = start;
        sequences[index].second_count = row - start;
    }
}

at::Tensor rowsInBlocks(const WordRows& first, const WordRows& second, at::Device device) {
    std::vector<std::int64_t> rows = first.padded_of_row;
    const std::int64_t offset = first.samples * first.per_sample;
    for (const std::int64_t row : second.padded_of_row) rows.push_back(offset + row);
    if (static_cast<std::int64_t>(rows.size()) == offset + second.samples * second.per_sample) return {};
    return at::tensor(rows, at::kLong).to(device);
}

/// The streams in order of their rows, each followed by what the model appended to it.
void nameBlocks(const AppendedPairs& appended, TokenLayout& layout) {
    const auto add = [](std::vector<TokenBlock>& blocks, const TokenBlock& block) {
        if (block.samples > 0) blocks.push_back(block);
    };
    const std::int64_t judged = appended.matched(), words = layout.words.per_sample, pair_words = layout.pair_words.per_sample;
    add(layout.vision_blocks, {Objective::kImage, Modality::kVision, layout.images - appended.alone, layout.patches});
    add(layout.vision_blocks, {Objective::kContrastive, Modality::kVision, appended.alone, layout.patches});
    layout.single_vision_blocks = layout.vision_blocks;
    add(layout.vision_blocks, {Objective::kPairImage, Modality::kVision, layout.pairs - judged, layout.patches});
    add(layout.vision_blocks, {Objective::kMatching, Modality::kVision, judged, layout.patches, appended.picture_of});
    add(layout.single_text_blocks, {Objective::kText, Modality::kText, layout.words.samples - appended.alone, words});
    add(layout.single_text_blocks, {Objective::kContrastive, Modality::kText, appended.alone, words});
    add(layout.text_blocks, {Objective::kPairText, Modality::kText, layout.pairs - judged, pair_words});
    add(layout.text_blocks, {Objective::kMatching, Modality::kText, judged, pair_words, appended.caption_of});
    layout.text_blocks.insert(layout.text_blocks.end(), layout.single_text_blocks.begin(), layout.single_text_blocks.end());
}

void checkImages(const ImageStream& stream, const char* name) {
    TORCH_CHECK(stream.patches_BPD.dim() == 3, name, ": patches have shape ", stream.patches_BPD.sizes());
    TORCH_CHECK(stream.masked_BP.sizes() == stream.patches_BPD.sizes().slice(0, 2), name, ": masks have shape ", stream.masked_BP.sizes());
}

void checkTexts(const TextStream& stream, const char* name) {
    TORCH_CHECK(stream.ids_BL.dim() == 2 && stream.valid_BL.sizes() == stream.ids_BL.sizes() && stream.masked_BL.sizes() == stream.ids_BL.sizes(), name,
                ": ids ", stream.ids_BL.sizes(), ", valid ", stream.valid_BL.sizes(), ", masked ", stream.masked_BL.sizes());
}

}  // namespace

TokenNames TokenNames::rows(std::int64_t begin, std::int64_t count) const {
    const auto part = [&](const at::Tensor& column_N) { return column_N.defined() ? column_N.narrow(0, begin, count) : column_N; };
    return {part(id_N), part(position_N), part(modality_N), part(sequence_N)};
}

TokenNames nameTokenRows(const Batch& batch, const TokenLayout& layout, std::int64_t mask_token) {
    TokenNames names;
    names.id_N = at::full({layout.rows}, -1, at::kLong);
    names.position_N = at::empty({layout.rows}, at::kLong);
    std::int64_t* id = names.id_N.mutable_data_ptr<std::int64_t>();
    std::int64_t* position = names.position_N.mutable_data_ptr<std::int64_t>();
    for (std::int64_t row = 0; row < layout.vision_rows; ++row) position[row] = row % layout.patches;
    const auto nameWords = [&](const WordRows& words, const std::optional<TextStream>& stream) {
        if (!stream) return;
        const at::Tensor ids_BL = stream->ids_BL.masked_fill(stream->masked_BL, mask_token).cpu().contiguous();
        for (std::int64_t i = 0; i < words.count; ++i) {
            const std::int64_t padded = words.padded_of_row[static_cast<std::size_t>(i)];
            id[words.begin + i] = ids_BL.const_data_ptr<std::int64_t>()[padded];
            position[words.begin + i] = padded % words.per_sample;
        }
    };
    nameWords(layout.pair_words, batch.pair_texts);
    nameWords(layout.words, batch.texts);
    names.modality_N = at::full({layout.rows}, static_cast<std::int64_t>(Modality::kText), at::kLong);
    names.modality_N.narrow(0, 0, layout.vision_rows).fill_(static_cast<std::int64_t>(Modality::kVision));
    names.sequence_N = at::full({layout.rows}, -1, at::kLong);
    std::int64_t* sequence = names.sequence_N.mutable_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < layout.sequences.size(); ++i) {
        const kernels::SequenceRows& rows = layout.sequences[i];
        std::fill_n(sequence + rows.first_begin, rows.first_count, static_cast<std::int64_t>(i));
        std::fill_n(sequence + rows.second_begin, rows.second_count, static_cast<std::int64_t>(i));
    }
    return names;
}

TokenLayout makeTokenLayout(const Batch& batch) {
    TORCH_CHECK(batch.pair_images.has_value() == batch.pair_texts.has_value(), "pairs need both pictures and texts");
    TORCH_CHECK(batch.images || batch.texts || batch.pair_images, "the batch is empty");
    TokenLayout layout;
    at::Device device = at::kCPU;
    if (batch.images) {
        checkImages(*batch.images, "images");
        layout.images = batch.images->patches_BPD.size(0);
        layout.patches = batch.images->patches_BPD.size(1);
        device = batch.images->patches_BPD.device();
    }
    if (batch.pair_images) {
        checkImages(*batch.pair_images, "pair_images");
        checkTexts(*batch.pair_texts, "pair_texts");
        layout.pairs = batch.pair_images->patches_BPD.size(0);
        TORCH_CHECK(batch.pair_texts->ids_BL.size(0) == layout.pairs, "as many pair pictures as pair texts are needed");
        TORCH_CHECK(!batch.images || layout.patches == batch.pair_images->patches_BPD.size(1), "pictures differ in their number of patches");
        layout.patches = batch.pair_images->patches_BPD.size(1);
        device = batch.pair_images->patches_BPD.device();
    }
    if (batch.texts) {
        checkTexts(*batch.texts, "texts");
        device = batch.texts->ids_BL.device();
    }

    layout.image_rows = layout.images * layout.patches;
    layout.vision_rows = layout.image_rows + layout.pairs * layout.patches;
    for (std::int64_t sample = 0; sample < layout.images + layout.pairs; ++sample) layout.sequences.push_back({sample * layout.patches, layout.patches, 0, 0});
    layout.rows = layout.vision_rows;
    if (batch.pair_texts) {
        layout.pair_words = makeWordRows(*batch.pair_texts, layout.rows);
        layout.rows += layout.pair_words.count;
        addWordSequences(layout.pair_words, layout.sequences, static_cast<std::size_t>(layout.images));
    }
    if (batch.texts) {
        layout.words = makeWordRows(*batch.texts, layout.rows);
        layout.rows += layout.words.count;
        addWordSequences(layout.words, layout.sequences, layout.sequences.size());
    }

    nameBlocks(batch.appended, layout);
    layout.text_rows = rowsInBlocks(layout.pair_words, layout.words, device);
    layout.single_text_rows = rowsInBlocks({}, layout.words, device);
    return layout;
}

}  // namespace es::engine
