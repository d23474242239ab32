// SPDX-License-Identifier: GPL-3.0-or-later
// Writes a converted set: pictures as they come, the rest at the end. Nothing appears under the final name before it is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/cache_format.h"
#include "datasets/source.h"
#include "engine/base/result.h"

namespace es::datasets {

/// A sample whose fate is decided.
struct PlacedSample {
    std::uint64_t hash = 0;
    std::int64_t picture = -1;  ///< in order of addPicture
    Split split = Split::kNone;
    const Item* item = nullptr;  ///< its texts; must outlive the writer's finish()
    std::string truth = {};      ///< sceneTruthToJson; empty: nothing is known
};

/// One thread. Removes its unfinished file when it goes.
class CacheWriter {
public:
    [[nodiscard]] static Result<CacheWriter> create(const std::filesystem::path& target, std::int64_t image_size);
    CacheWriter(CacheWriter&& other) noexcept;
    CacheWriter& operator=(CacheWriter&&) = delete;
    ~CacheWriter();

    [[nodiscard]] Status addPicture(std::span<const std::uint8_t> rgba);
    /// Writes the rest, syncs, and gives the file its name. `about` is the description, JSON.
    [[nodiscard]] Status finish(const std::vector<PlacedSample>& samples, const std::string& about);

private:
    CacheWriter(int descriptor, std::filesystem::path target, std::filesystem::path temporary, std::int64_t image_size);
    [[nodiscard]] Status append(const void* data, std::size_t bytes);
    [[nodiscard]] Status flush();

    int descriptor_ = -1;
    std::filesystem::path target_, temporary_;
    std::string pending_;
    FileHeader header_;
    std::uint64_t written_ = kPicturesAt;
};

}  // namespace es::datasets
