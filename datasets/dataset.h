// SPDX-License-Identifier: GPL-3.0-or-later
// Converted data: one memory-mapped file of pictures, captions and labels, the same for every source.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/base/strong_ids.h"
#include "engine/config/run_config.h"

namespace es::datasets {

/// A sample as it lies in the cache. Views into mapped memory, valid as long as the Dataset.
struct SampleView {
    std::int64_t index = -1;
    std::uint64_t hash = 0;  ///< of picture and caption: the same wherever the sample is prepared
    Split split = Split::kNone;
    std::span<const std::uint8_t> rgba;  ///< image_size x image_size x 4, alpha not multiplied in; empty when there is no picture
    std::string_view caption;            ///< name, then keywords when the options ask for them; empty when there is none
    std::string_view category, subcategory, domain, license, source;
    std::string_view truth;  ///< of composed scenes: sceneTruthToJson, read by sceneTruthFromJson; empty for all other data
};

/// One of the sets that a joined set consists of.
struct SetPart {
    std::string name;
    std::int64_t end = 0;  ///< one past its last sample
};

/// An opened cache. Thread-safe for reading.
class Dataset {
public:
    /// Opens the cache that these options name; fails with the remedy when it has not been prepared or is of another version.
    [[nodiscard]] static Result<std::shared_ptr<const Dataset>> open(const config::DataOptions& options);
    virtual ~Dataset() = default;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    [[nodiscard]] virtual std::int64_t imageSize() const = 0;
    [[nodiscard]] virtual SampleView sample(std::int64_t index) const = 0;
    /// Indices of a split, ascending.
    [[nodiscard]] virtual std::span<const std::int64_t> indices(Split split) const = 0;
    /// Of a set that joins several: where each part's samples end, in order of the samples, which lie part by part. Empty for a set of one part, and
    /// for files that do not say.
    [[nodiscard]] virtual std::span<const SetPart> parts() const = 0;
    /// Hash over all content: what a run's provenance records.
    [[nodiscard]] virtual std::uint64_t contentHash() const = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;
    /// The SentencePiece model that belongs to it (a file beside the cache, trained on the training split).
    [[nodiscard]] virtual std::filesystem::path vocabularyFile() const = 0;
    [[nodiscard]] virtual const std::filesystem::path& file() const = 0;
};

struct Problem {
    std::string path, why;
};
struct Report {
    std::string set, cache;
    std::int64_t found = 0;     ///< samples that the source holds: these, duplicates, damaged ones and those that a rule leaves out; 0: not known
    std::int64_t samples = 0;   ///< what the cache holds
    std::int64_t pictures = 0;  ///< samples with a picture
    std::int64_t captions = 0;  ///< samples with a caption
    std::int64_t pairs = 0;     ///< samples with both
    std::int64_t distinct_captions = 0;
    std::int64_t duplicates = 0;  ///< left out: picture and caption equal an earlier sample's
    std::int64_t train = 0, validation = 0, test = 0;
    std::vector<SetPart> parts;   ///< of a set that joins several, else empty
    std::int64_t vocabulary = 0;  ///< pieces that the captions supported, at most what was asked for; 0 from check
    double seconds = 0;
    bool converted = false;         ///< false: the cache was current already (or check)
    std::vector<Problem> problems;  ///< damaged or unusable items; the rest went on
    std::vector<Problem> notes;     ///< worth knowing, nothing is damaged: duplicates left out, captions cut, files of other kinds
};
struct SetInfo {
    std::string name, description, license;
    bool available = false;
    std::string remedy;
    std::int64_t samples = 0;
};

/// The sets that a name joins by '+' ("objects+scenes"), in order; the name alone when it means one set or a folder, whose name may hold a '+'.
[[nodiscard]] std::vector<std::string> setParts(const std::string& set);
[[nodiscard]] std::vector<SetInfo> list(const std::filesystem::path& cache);
/// Converts a set (in parallel, with progress) unless its cache is current, and trains its vocabulary. Damaged items are skipped and
/// reported; an error only when nothing usable is left, the source is missing or unreadable, or the disk is full.
[[nodiscard]] Result<Report> prepare(const config::DataOptions& options, const JobContext& context);
/// Reads everything as prepare would and writes nothing. Damaged items are in the report; the caller decides what they mean.
[[nodiscard]] Result<Report> check(const config::DataOptions& options, const JobContext& context);

/// Decodes one picture file (PNG, JPEG, WebP, ...; turned by its EXIF tag, 16 bit, grey, CMYK and alpha made RGBA) and fits it, aspect kept,
/// transparent around, into size x size. Refuses damaged files, and pictures of more than 100 megapixels before decoding them.
[[nodiscard]] Result<std::vector<std::uint8_t>> loadPicture(const std::filesystem::path& file, std::int64_t size);
/// The same for pixels at hand: any size, RGBA, in.
[[nodiscard]] Result<std::vector<std::uint8_t>> fitPicture(std::span<const std::uint8_t> rgba, std::int64_t width, std::int64_t height, std::int64_t size);

/// Words to ids and back. Thread-safe.
class Tokenizer {
public:
    [[nodiscard]] static Result<std::shared_ptr<const Tokenizer>> load(const std::filesystem::path& model);
    virtual ~Tokenizer() = default;
    /// At most max_tokens ids; empty captions give none. Invalid UTF-8 is replaced, never refused.
    [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text, std::int64_t max_tokens) const = 0;
    [[nodiscard]] virtual std::string piece(std::int32_t id) const = 0;  ///< readable: word starts without the marker
    [[nodiscard]] virtual bool startsWord(std::int32_t id) const = 0;    ///< whether a space comes before the piece
    [[nodiscard]] virtual std::int32_t size() const = 0;                 ///< without the mask token
    [[nodiscard]] virtual std::int32_t unknownId() const = 0;
    [[nodiscard]] virtual std::int32_t padId() const = 0;
    [[nodiscard]] virtual std::int32_t maskId() const = 0;  ///< == size(): one past the vocabulary
};

}  // namespace es::datasets
