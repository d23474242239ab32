// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/tokenizer/image_tokenizer.h"

#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <charconv>
#include <optional>

#include "engine/base/files.h"
#include "engine/model/initialization.h"
#include "engine/objective/contrastive.h"
#include "engine/train/safetensors.h"

namespace es::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKind = "expertscope.image_tokenizer.1";
constexpr const char* kCannotUse = "Cannot use the picture tokenizer";
constexpr std::int64_t kLargestNumber = 1 << 24;  // of any size in a file: more is damage

at::Tensor through(const std::vector<std::shared_ptr<Linear>>& layers, at::Tensor x) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
        x = layers[i]->forward(x);
        if (i + 1 < layers.size()) x = at::gelu(x);
    }
    return x;
}

std::string listText(const std::array<float, 3>& values) {
    std::string out;
    for (const float value : values) {
        char text[32];
        const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
        out += (out.empty() ? "" : " ") + std::string(text, end);
    }
    return out;
}

std::optional<std::array<float, 3>> listFrom(std::string_view text) {
    std::array<float, 3> out{};
    for (float& value : out) {
        while (text.starts_with(' ')) text.remove_prefix(1);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc()) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
    return text.empty() ? std::optional(out) : std::nullopt;
}

std::optional<std::int64_t> sizeFrom(const std::map<std::string, std::string>& metadata, const std::string& key) {
    const auto found = metadata.find(key);
    std::int64_t value = 0;
    if (found == metadata.end()) return std::nullopt;
    const auto& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kLargestNumber) return std::nullopt;
    return value;
}

}  // namespace

PatchAutoencoder::PatchAutoencoder(const TokenizerSizes& sizes, std::uint64_t seed) {
    const auto build = [&](const std::string& name, std::vector<std::int64_t> widths) {
        std::vector<std::shared_ptr<Linear>> layers;
        auto holder = register_module(name, std::make_shared<torch::nn::Module>());
        for (std::size_t i = 0; i + 1 < widths.size(); ++i)
            layers.push_back(holder->register_module(std::to_string(i), std::make_shared<Linear>(widths[i], widths[i + 1])));
        return layers;
    };
    encoder_ = build("encoder", {sizes.numbers(), sizes.width, sizes.width, sizes.code_width});
    decoder_ = build("decoder", {sizes.code_width, sizes.width, sizes.width, sizes.numbers()});
    initialize(*this, seed, {});
}

at::Tensor PatchAutoencoder::encode(const at::Tensor& patches_ND) const { return unitRows(through(encoder_, patches_ND)); }

at::Tensor PatchAutoencoder::decode(const at::Tensor& code_NC) const { return through(decoder_, code_NC); }

at::Tensor ImageTokenizer::codesOf(const at::Tensor& patches_ND) const {
    const at::NoGradGuard no_grad;
    return quantizer_.nearest(network_->encode(patches_ND));
}

at::Tensor ImageTokenizer::patchesOf(const at::Tensor& code_N) const {
    const at::NoGradGuard no_grad;
    return network_->decode(quantizer_.codebook().index_select(0, code_N));
}

std::vector<std::int32_t> ImageTokenizer::codesOfPictures(std::span<const std::span<const std::uint8_t>> pictures, std::int64_t size) const {
    const std::int64_t grid = size / sizes_.patch, patches = grid * grid, numbers = sizes_.numbers();
    at::Tensor input_ND = at::empty({static_cast<std::int64_t>(pictures.size()) * patches, numbers}, at::kFloat);
    std::vector<float> target(static_cast<std::size_t>(patches * numbers));
    std::vector<std::uint8_t> countable(static_cast<std::size_t>(patches));
    float* input = input_ND.mutable_data_ptr<float>();
    for (const auto& rgba : pictures) {
        cutPatches(rgba, size, sizes_.patch, scale_, input, target.data(), countable.data());
        input += patches * numbers;
    }
    const at::Tensor code_N = codesOf(input_ND);
    const std::int64_t* codes = code_N.const_data_ptr<std::int64_t>();
    return {codes, codes + code_N.numel()};
}

Status ImageTokenizer::save(const fs::path& file, const std::map<std::string, std::string>& notes) const {
    TensorFile out;
    out.metadata = notes;
    out.metadata["format"] = "pt";
    out.metadata["kind"] = kKind;
    out.metadata["patch"] = std::to_string(sizes_.patch);
    out.metadata["codes"] = std::to_string(sizes_.codes);
    out.metadata["code_width"] = std::to_string(sizes_.code_width);
    out.metadata["width"] = std::to_string(sizes_.width);
    out.metadata["pixel_mean"] = listText(scale_.mean);
    out.metadata["pixel_deviation"] = listText(scale_.deviation);
    for (const auto& parameter : network_->named_parameters()) out.tensors[parameter.key()] = parameter.value().detach();
    out.tensors["codebook"] = quantizer_.codebook();
    const fs::path part = file.string() + ".part-" + std::to_string(::getpid());
    if (Status done = writeSafetensors(part, out); !done) return done;
    std::error_code error;
    fs::rename(part, file, error);
    if (error) return jobFailed("Cannot put the picture tokenizer in its place", error.message(), "Check the folder's permissions", file.string());
    return syncFolder(file.parent_path());
}

Result<std::shared_ptr<const ImageTokenizer>> ImageTokenizer::load(const fs::path& file) {
    const auto refused = [&](std::string why) {
        return badInput(kCannotUse, std::move(why), "Name a file that 'expertscope data tokenizer' made, or set data.image_tokenizer = \"auto\"",
                        file.string());
    };
    auto read = readSafetensors(file);
    if (!read) return refused(read.error().why);
    const auto& metadata = read->metadata;
    if (const auto kind = metadata.find("kind"); kind == metadata.end() || kind->second != kKind) return refused("it is no picture tokenizer of this version");
    TokenizerSizes sizes;
    for (const auto& [key, field] : {std::pair("patch", &TokenizerSizes::patch), std::pair("codes", &TokenizerSizes::codes),
                                     std::pair("code_width", &TokenizerSizes::code_width), std::pair("width", &TokenizerSizes::width)}) {
        const auto value = sizeFrom(metadata, key);
        if (!value) return refused(std::string("it does not say its '") + key + "'");
        sizes.*field = *value;
    }
    PictureScale scale;
    for (const auto& [key, field] : {std::pair("pixel_mean", &PictureScale::mean), std::pair("pixel_deviation", &PictureScale::deviation)}) {
        const auto found = metadata.find(key);
        const auto value = found == metadata.end() ? std::nullopt : listFrom(found->second);
        if (!value) return refused(std::string("it does not say its '") + key + "'");
        scale.*field = *value;
    }
    // Before anything of that size is allocated.
    for (const auto& [name, inputs] : {std::pair("encoder.0.weight", sizes.numbers()), std::pair("encoder.1.weight", sizes.width)}) {
        const auto found = read->tensors.find(name);
        if (found == read->tensors.end() || found->second.sizes() != at::IntArrayRef({sizes.width, inputs}))
            return refused("its tensors do not have the sizes that it says");
    }
    auto network = std::make_shared<PatchAutoencoder>(sizes, 0);
    const at::NoGradGuard no_grad;
    std::size_t used = 0;
    for (auto& parameter : network->named_parameters()) {
        const auto found = read->tensors.find(parameter.key());
        if (found == read->tensors.end() || found->second.sizes() != parameter.value().sizes()) return refused("tensor '" + parameter.key() + "' does not fit");
        parameter.value().copy_(found->second);
        parameter.value().requires_grad_(false);
        ++used;
    }
    const auto codebook = read->tensors.find("codebook");
    if (codebook == read->tensors.end() || codebook->second.scalar_type() != at::kFloat ||
        codebook->second.sizes() != at::IntArrayRef({sizes.codes, sizes.code_width}))
        return refused("tensor 'codebook' does not fit");
    if (used + 1 != read->tensors.size()) return refused("it has tensors that no picture tokenizer has");
    return std::make_shared<const ImageTokenizer>(sizes, scale, std::move(network), VectorQuantizer(codebook->second));
}

}  // namespace es::engine
