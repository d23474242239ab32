// SPDX-License-Identifier: GPL-3.0-or-later
// Patches of pictures as codes, and back: an autoencoder of single patches with a codebook in the middle. N patches, D numbers a patch,
// C numbers a code, K codes. On the CPU.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/picture_patches.h"
#include "engine/model/linear.h"
#include "engine/tokenizer/vector_quantizer.h"

namespace es::engine {

struct TokenizerSizes {
    std::int64_t patch = 8;  ///< pixels along a side
    std::int64_t codes = 512, code_width = 16, width = 192;
    [[nodiscard]] std::int64_t numbers() const { return patch * patch * 3; }
};

/// Encoder D -> width -> width -> C and decoder back, GELU between the layers; the encoder's vectors have length 1.
class PatchAutoencoder : public torch::nn::Module {
public:
    PatchAutoencoder(const TokenizerSizes& sizes, std::uint64_t seed);
    [[nodiscard]] at::Tensor encode(const at::Tensor& patches_ND) const;
    [[nodiscard]] at::Tensor decode(const at::Tensor& code_NC) const;

private:
    std::vector<std::shared_ptr<Linear>> encoder_, decoder_;
};

/// Trained; immutable. Its colours have a scale of their own, so that it sees the same whatever data it is used on.
class ImageTokenizer {
public:
    ImageTokenizer(const TokenizerSizes& sizes, const PictureScale& scale, std::shared_ptr<const PatchAutoencoder> network, VectorQuantizer quantizer)
        : sizes_(sizes), scale_(scale), network_(std::move(network)), quantizer_(std::move(quantizer)) {}

    [[nodiscard]] const TokenizerSizes& sizes() const { return sizes_; }
    [[nodiscard]] const PictureScale& scale() const { return scale_; }
    /// int64, N: codes of patches whose colours have the tokenizer's scale.
    [[nodiscard]] at::Tensor codesOf(const at::Tensor& patches_ND) const;
    /// N x D: the patches that codes stand for.
    [[nodiscard]] at::Tensor patchesOf(const at::Tensor& code_N) const;
    /// Codes of all patches of RGBA pictures (size x size), row by row, one picture after the other. Threads as Torch has them.
    [[nodiscard]] std::vector<std::int32_t> codesOfPictures(std::span<const std::span<const std::uint8_t>> pictures, std::int64_t size) const;

    /// A safetensors file: "encoder.N.*", "decoder.N.*", "codebook", and what else there is to know as metadata; put in place whole.
    [[nodiscard]] Status save(const std::filesystem::path& file, const std::map<std::string, std::string>& notes) const;
    /// Fails, naming the file, on anything that is not such a file.
    [[nodiscard]] static Result<std::shared_ptr<const ImageTokenizer>> load(const std::filesystem::path& file);

private:
    TokenizerSizes sizes_;
    PictureScale scale_;
    std::shared_ptr<const PatchAutoencoder> network_;
    VectorQuantizer quantizer_;
};

}  // namespace es::engine
