// SPDX-License-Identifier: GPL-3.0-or-later
// A data set as training sees it: which samples each stream draws from, captions as token ids, pictures as codes, the scale of
// the pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/data/picture_patches.h"
#include "engine/model/vl_moe.h"
#include "engine/store/records.h"
#include "engine/tokenizer/tokenizer_cache.h"

namespace es::engine {

/// What a stream needs of its samples.
enum class StreamKind : std::uint8_t { kImages, kTexts, kPairs };

/// Immutable once made; read by several data threads.
class DataSource {
public:
    /// Opens the prepared cache, tokenises every caption and measures the scale of the pixels on (at most 4,096 of) the training pictures. Where
    /// patches are predicted as codes, turns every picture into codes by the picture tokenizer in `image_tokenizer`, or when that is empty the one
    /// that the configuration means, which may have to be trained first. Fails when the cache is not there, when a stream that the configuration
    /// asks for has no training sample, or when the tokenizer does not fit.
    [[nodiscard]] static Result<std::shared_ptr<const DataSource>> open(const config::RunConfig& config, const JobContext& context,
                                                                        const std::filesystem::path& image_tokenizer = {});

    [[nodiscard]] const datasets::Dataset& dataset() const { return *dataset_; }
    [[nodiscard]] const datasets::Tokenizer& tokenizer() const { return *tokenizer_; }
    [[nodiscard]] const PictureScale& scale() const { return scale_; }
    [[nodiscard]] std::int64_t maxWords() const { return max_words_; }
    [[nodiscard]] std::int64_t patch() const { return patch_; }
    /// Patches along one side.
    [[nodiscard]] std::int64_t grid() const { return dataset_->imageSize() / patch_; }
    /// Token ids of a caption, at most max_words; empty when there is none.
    [[nodiscard]] std::span<const std::int32_t> tokens(std::int64_t sample) const;
    /// Codes of a picture's patches, row by row; empty without a picture, or where patches are predicted as pixels.
    [[nodiscard]] std::span<const std::int32_t> codes(std::int64_t sample) const;
    /// Codes that the picture tokenizer has; 0: there is none.
    [[nodiscard]] std::int64_t pictureCodes() const;
    /// The picture tokenizer; its members are empty where there is none.
    [[nodiscard]] const FoundTokenizer& imageTokenizer() const { return image_tokenizer_; }
    /// What the model has to know of the data.
    [[nodiscard]] DataShape shape() const { return {tokenizer_->size(), dataset_->imageSize(), max_words_, pictureCodes()}; }
    /// Samples of a split that have what the stream needs, ascending. The split must be train, validation or test.
    [[nodiscard]] const std::vector<std::int64_t>& samples(Split split, StreamKind kind) const;
    /// The training samples in the groups that training draws from in turn: the parts of a set that joins several ("objects+scenes": emoji, stamps,
    /// clipart and scenes), so that none drowns the others; else all in one.
    [[nodiscard]] std::vector<std::vector<std::int64_t>> trainingGroups(StreamKind kind) const;
    /// A sample as views need it, picture included.
    [[nodiscard]] store::SampleRecord record(std::int64_t sample) const;

private:
    DataSource() = default;
    [[nodiscard]] Status encodePictures(const config::RunConfig& config, const JobContext& context, const std::filesystem::path& file);

    std::shared_ptr<const datasets::Dataset> dataset_;
    std::shared_ptr<const datasets::Tokenizer> tokenizer_;
    PictureScale scale_;
    std::int64_t max_words_ = 0, patch_ = 1;
    bool joined_ = false;
    std::vector<std::int32_t> tokens_;
    std::vector<std::int64_t> token_offsets_;
    std::vector<std::int64_t> samples_[3][3];  // split, stream
    FoundTokenizer image_tokenizer_;
    std::vector<std::int32_t> codes_;
    std::vector<std::int64_t> code_offsets_;  // -1: no picture
};

}  // namespace es::engine
