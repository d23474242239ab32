// SPDX-License-Identifier: GPL-3.0-or-later
// A converted set, mapped into memory and checked.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "datasets/cache_format.h"
#include "engine/base/result.h"

namespace es::datasets {

/// Read-only view of a cache file. Thread-safe.
class CacheFile {
public:
    /// Reads versions 1 and 2. Fails when the file is missing, of a later version, cut short, or its header, records or texts are damaged (hash). Pictures are
    /// not read here: their bytes are checked by verifyPictures.
    [[nodiscard]] static Result<std::shared_ptr<const CacheFile>> open(const std::filesystem::path& file);
    ~CacheFile();
    CacheFile(const CacheFile&) = delete;
    CacheFile& operator=(const CacheFile&) = delete;

    /// Of a file of version 1 the same without truths.
    [[nodiscard]] const FileHeader& header() const { return header_; }
    [[nodiscard]] std::span<const FileRecord> records() const;
    [[nodiscard]] std::string_view text(StringRef ref) const;
    [[nodiscard]] std::span<const std::uint8_t> picture(std::int64_t index) const;
    /// What is true of a sample (sceneTruthToJson); empty when nothing is known.
    [[nodiscard]] std::string_view truth(std::size_t sample) const;
    [[nodiscard]] std::string_view about() const;
    /// Reads everything: true when the content is as it was written.
    [[nodiscard]] bool verifyPictures() const;

private:
    CacheFile(const char* data, std::size_t bytes) : data_(data), bytes_(bytes) {}
    [[nodiscard]] Status check(const std::filesystem::path& file);

    const char* data_;
    std::size_t bytes_;
    FileHeader header_;
};

}  // namespace es::datasets
