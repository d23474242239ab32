// SPDX-License-Identifier: GPL-3.0-or-later
// One step's input as tensors. B samples, P patches, L words, D numbers a patch (patch * patch * 3).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace es::engine {

/// Pictures cut into patches, row by row, with what is hidden and what should come back.
struct ImageStream {
    at::Tensor patches_BPD;   ///< fp32 input pixels, composited on white, scaled to mean 0 and about unit deviation
    at::Tensor target_BPD;    ///< fp32 per-patch normalised pixels: (x - mean) / sqrt(variance + 0.01^2)
    at::Tensor masked_BP;     ///< bool: hidden from the model
    at::Tensor counts_BP;     ///< bool: masked, opaque (alpha > 0.02) and not flat (std > 2/255): in the loss
    at::Tensor code_BP = {};  ///< int64: code of each patch where targets are codes; undefined where they are pixels
};

/// Captions as token ids, padded at the end.
struct TextStream {
    at::Tensor ids_BL;     ///< int64, before masking: the targets
    at::Tensor masked_BL;  ///< bool: hidden from the model and in the loss; unknown words never are
    at::Tensor valid_BL;   ///< bool: false on padding
};

/// Samples that the model itself puts at the end of streams: pairs once more, with nothing hidden.
struct AppendedPairs {
    std::int64_t alone = 0;  ///< for contrastive learning: the pairs in order, pictures at the end of `images`, captions at the end of `texts`
    /// For matching, at the end of the pairs: which of the batch's pairs picture and caption come from.
    std::vector<std::int64_t> picture_of = {}, caption_of = {};

    [[nodiscard]] std::int64_t matched() const { return static_cast<std::int64_t>(picture_of.size()); }
};

/// Any stream may be missing (a batch with one modality just works). pair_images and pair_texts come together, sample by sample.
struct Batch {
    std::optional<ImageStream> images;
    std::optional<TextStream> texts;
    std::optional<ImageStream> pair_images;
    std::optional<TextStream> pair_texts;
    std::vector<std::int64_t> image_samples, text_samples, pair_samples;  ///< data set indices, B each
    AppendedPairs appended = {};

    [[nodiscard]] Batch to(at::Device device) const;
};

}  // namespace es::engine
