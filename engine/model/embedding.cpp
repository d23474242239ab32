// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/embedding.h"

#include <optional>
#include <vector>

namespace es::engine {
namespace {

/// Ids (the mask token where hidden) and positions of the words that have rows.
struct Words {
    std::vector<std::int64_t> ids, positions;
};

void appendWords(const std::optional<TextStream>& stream, const WordRows& rows, std::int64_t vocabulary, Words& words) {
    if (!stream) return;
    const at::Tensor ids_BL = stream->ids_BL.cpu().contiguous(), masked_BL = stream->masked_BL.cpu().contiguous();
    const std::int64_t* ids = ids_BL.const_data_ptr<std::int64_t>();
    const bool* masked = masked_BL.const_data_ptr<bool>();
    for (const std::int64_t place : rows.padded_of_row) {
        TORCH_CHECK(ids[place] >= 0 && ids[place] < vocabulary, "word id ", ids[place], " is outside the vocabulary of ", vocabulary);
        words.ids.push_back(masked[place] ? vocabulary : ids[place]);
        words.positions.push_back(place % rows.per_sample);
    }
}

}  // namespace

Embedding::Embedding(const EmbeddingSizes& sizes) : sizes_(sizes) {
    patch_ = register_module("patch", std::make_shared<Linear>(sizes.patch_numbers, sizes.width));
    mask_patch_D_ = register_parameter("mask_patch", at::zeros({sizes.width}));
    word_VD_ = register_parameter("word", at::zeros({sizes.vocabulary + 1, sizes.width}));
    position_v_PD_ = register_parameter("position_v", at::zeros({sizes.patches, sizes.width}));
    position_t_LD_ = register_parameter("position_t", at::zeros({sizes.max_words, sizes.width}));
    modality_2D_ = register_parameter("modality", at::zeros({2, sizes.width}));
}

at::Tensor Embedding::forward(const Batch& batch, const TokenLayout& layout) const {
    if (layout.vision_rows == 0) return embedWords(batch, layout);
    if (layout.vision_rows == layout.rows) return embedPatches(batch, layout);
    return at::cat({embedPatches(batch, layout), embedWords(batch, layout)});
}

at::Tensor Embedding::embedPatches(const Batch& batch, const TokenLayout& layout) const {
    std::vector<at::Tensor> patches, masks;
    for (const std::optional<ImageStream>* stream : {&batch.images, &batch.pair_images}) {
        if (!*stream) continue;
        patches.push_back((*stream)->patches_BPD);
        masks.push_back((*stream)->masked_BP);
    }
    const at::Tensor patches_BPD = patches.size() == 1 ? patches[0] : at::cat(patches);
    const at::Tensor masked_BP = (masks.size() == 1 ? masks[0] : at::cat(masks)).to(patches_BPD.device());
    TORCH_CHECK(layout.patches == sizes_.patches && patches_BPD.size(2) == sizes_.patch_numbers, "the model takes ", sizes_.patches, " patches of ",
                sizes_.patch_numbers, " numbers, the batch has ", layout.patches, " of ", patches_BPD.size(2));
    const at::Tensor content_BPD = patch_->forward(patches_BPD.to(mask_patch_D_.scalar_type()));
    const at::Tensor place_PD = position_v_PD_ + modality_2D_[0];
    return (at::where(masked_BP.unsqueeze(2), mask_patch_D_, content_BPD) + place_PD).view({layout.vision_rows, sizes_.width});
}

at::Tensor Embedding::embedWords(const Batch& batch, const TokenLayout& layout) const {
    for (const WordRows* rows : {&layout.pair_words, &layout.words})
        TORCH_CHECK(rows->per_sample <= sizes_.max_words, "texts of ", rows->per_sample, " words; the model takes ", sizes_.max_words);
    Words words;
    appendWords(batch.pair_texts, layout.pair_words, sizes_.vocabulary, words);
    appendWords(batch.texts, layout.words, sizes_.vocabulary, words);
    const at::Device device = word_VD_.device();
    const at::Tensor place_LD = position_t_LD_ + modality_2D_[1];
    return at::embedding(word_VD_, at::tensor(words.ids, at::kLong).to(device)) + at::embedding(place_LD, at::tensor(words.positions, at::kLong).to(device));
}

}  // namespace es::engine
