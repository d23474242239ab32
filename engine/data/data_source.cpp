// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/data_source.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "engine/data/pixel_scale.h"

namespace es::engine {
namespace {

constexpr std::size_t kPicturesAtOnce = 64;

}  // namespace

Result<std::shared_ptr<const DataSource>> DataSource::open(const config::RunConfig& config, const JobContext& context,
                                                           const std::filesystem::path& image_tokenizer) {
    auto dataset = datasets::Dataset::open(config.data);
    if (!dataset) return tl::unexpected(dataset.error());
    auto tokenizer = datasets::Tokenizer::load((*dataset)->vocabularyFile());
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    std::shared_ptr<DataSource> out(new DataSource);
    out->dataset_ = *dataset;
    out->tokenizer_ = *tokenizer;
    out->max_words_ = config.data.max_words;
    out->patch_ = config.model.patch;
    out->joined_ = datasets::setParts(config.data.set).size() > 1;

    const std::int64_t size = out->dataset_->size();
    out->token_offsets_.assign(1, 0);
    for (std::int64_t i = 0; i < size; ++i) {
        if (i % 4096 == 0) {
            context.progress(i, size, "Splitting captions into words");
            if (context.stopRequested()) return stopped("Opening the data");
        }
        const auto caption = out->dataset_->sample(i).caption;
        if (!caption.empty()) {
            const auto ids = out->tokenizer_->encode(caption, out->max_words_);
            out->tokens_.insert(out->tokens_.end(), ids.begin(), ids.end());
        }
        out->token_offsets_.push_back(static_cast<std::int64_t>(out->tokens_.size()));
    }
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
        auto& streams = out->samples_[static_cast<int>(split)];
        for (const std::int64_t i : out->dataset_->indices(split)) {
            const bool picture = !out->dataset_->sample(i).rgba.empty(), words = !out->tokens(i).empty();
            if (picture) streams[0].push_back(i);
            if (words) streams[1].push_back(i);
            if (picture && words) streams[2].push_back(i);
        }
    }
    const auto& train = out->samples_[static_cast<int>(Split::kTrain)];
    const std::int64_t wanted[3] = {config.train.batch_images, config.train.batch_texts, config.train.batch_pairs};
    const char* const what[3] = {"pictures", "captions", "pictures with captions"};
    const char* const key[3] = {"train.batch_images", "train.batch_texts", "train.batch_pairs"};
    for (int kind = 0; kind < 3; ++kind)
        if (wanted[kind] > 0 && train[kind].empty())
            return badInput("Cannot train on this data", std::string("its training split has no ") + what[kind],
                            std::string("Set ") + key[kind] + " = 0, or use other data", out->dataset_->file().string());
    out->scale_ = measurePixelScale(*out->dataset_, train[0]);
    if (config.model.image_target == "codes")
        if (Status done = out->encodePictures(config, context, image_tokenizer); !done) return tl::unexpected(done.error());
    return std::shared_ptr<const DataSource>(std::move(out));
}

Status DataSource::encodePictures(const config::RunConfig& config, const JobContext& context, const std::filesystem::path& file) {
    auto found = file.empty() ? findTokenizer(config, *dataset_, context) : loadTokenizer(file, patch_);
    if (!found) return tl::unexpected(found.error());
    image_tokenizer_ = std::move(*found);
    const std::int64_t size = dataset_->size();
    const auto patches = static_cast<std::size_t>(grid() * grid());
    std::vector<std::int64_t> samples;
    std::vector<std::span<const std::uint8_t>> pictures;
    code_offsets_.assign(static_cast<std::size_t>(size), -1);
    const auto encode = [&] {
        const auto codes = image_tokenizer_.tokenizer->codesOfPictures(pictures, dataset_->imageSize());
        for (std::size_t i = 0; i < samples.size(); ++i)
            code_offsets_[static_cast<std::size_t>(samples[i])] = static_cast<std::int64_t>(codes_.size() + i * patches);
        codes_.insert(codes_.end(), codes.begin(), codes.end());
        samples.clear();
        pictures.clear();
    };
    for (std::int64_t i = 0; i < size; ++i) {
        if (i % 1024 == 0) {
            context.progress(i, size, "Turning pictures into codes");
            if (context.stopRequested()) return stopped("Opening the data");
        }
        if (const auto rgba = dataset_->sample(i).rgba; !rgba.empty()) {
            samples.push_back(i);
            pictures.push_back(rgba);
        }
        if (pictures.size() == kPicturesAtOnce) encode();
    }
    if (!pictures.empty()) encode();
    return {};
}

std::span<const std::int32_t> DataSource::codes(std::int64_t sample) const {
    if (code_offsets_.empty() || code_offsets_[static_cast<std::size_t>(sample)] < 0) return {};
    return std::span(codes_).subspan(static_cast<std::size_t>(code_offsets_[static_cast<std::size_t>(sample)]), static_cast<std::size_t>(grid() * grid()));
}

std::int64_t DataSource::pictureCodes() const { return image_tokenizer_.tokenizer ? image_tokenizer_.tokenizer->sizes().codes : 0; }

std::span<const std::int32_t> DataSource::tokens(std::int64_t sample) const {
    const auto begin = token_offsets_[static_cast<std::size_t>(sample)], end = token_offsets_[static_cast<std::size_t>(sample) + 1];
    return std::span(tokens_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

const std::vector<std::int64_t>& DataSource::samples(Split split, StreamKind kind) const { return samples_[static_cast<int>(split)][static_cast<int>(kind)]; }

std::vector<std::vector<std::int64_t>> DataSource::trainingGroups(StreamKind kind) const {
    const auto& all = samples(Split::kTrain, kind);
    if (!joined_) return {all};
    // By name: the order is part of what makes a training repeat itself. Files from before parts were told have domains, which are theirs.
    const auto parts = dataset_->parts();
    std::map<std::pair<std::string_view, std::ptrdiff_t>, std::vector<std::int64_t>> byPart;
    for (const std::int64_t sample : all) {
        const auto part = std::find_if(parts.begin(), parts.end(), [&](const datasets::SetPart& p) { return sample < p.end; });
        if (part == parts.end()) byPart[{dataset_->sample(sample).domain, 0}].push_back(sample);
        else byPart[{part->name, part - parts.begin()}].push_back(sample);
    }
    std::vector<std::vector<std::int64_t>> groups;
    for (auto& [part, group] : byPart) groups.push_back(std::move(group));
    return groups;
}

store::SampleRecord DataSource::record(std::int64_t sample) const {
    const auto view = dataset_->sample(sample);
    store::SampleRecord out;
    out.hash = view.hash;
    out.dataset = dataset_->name();
    out.index = sample;
    out.split = view.split;
    out.caption = view.caption;
    const auto ids = tokens(sample);
    out.token_ids.assign(ids.begin(), ids.end());
    for (const std::int32_t id : ids) out.token_texts.push_back(tokenizer_->piece(id));
    out.category = view.category;
    out.subcategory = view.subcategory;
    out.domain = view.domain;
    out.license = view.license;
    out.source = view.source;
    if (!view.truth.empty()) out.truth = sceneTruthFromJson(view.truth);
    if (!view.rgba.empty()) {
        out.picture.width = out.picture.height = static_cast<std::int32_t>(dataset_->imageSize());
        out.picture.rgba.assign(view.rgba.begin(), view.rgba.end());
        out.grid_width = out.grid_height = static_cast<std::int32_t>(grid());
    }
    return out;
}

}  // namespace es::engine
