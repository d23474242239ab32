// SPDX-License-Identifier: GPL-3.0-or-later
// Names of converted files, and the description that each carries.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "datasets/dataset.h"
#include "engine/config/run_config.h"

namespace es::datasets {

struct CachePaths {
    std::filesystem::path data, vocabulary, lock;
};
/// "<stem>-<size>px-<keywords|names>-", and where scenes are among it "<stem>-<scenes>-seed<seed>-<size>px-...": what all conversions of one source
/// with these options begin with.
[[nodiscard]] std::string cachePrefix(const config::DataOptions& options, std::string_view stem);
[[nodiscard]] CachePaths cachePaths(const config::DataOptions& options, std::string_view stem, std::uint64_t fingerprint);
/// The vocabulary that belongs to a file of converted data.
[[nodiscard]] std::filesystem::path vocabularyBeside(const std::filesystem::path& data, std::int64_t vocabulary);
/// A piece of a file name out of any text: letters, digits, '-', '_' and whole non-ASCII characters stay; at most 80 bytes.
[[nodiscard]] std::string fileNamePart(std::string_view text);

/// The JSON at the end of a converted file.
struct About {
    std::string set, place;
    bool keywords = true;
    Report report;
};
[[nodiscard]] std::string toJson(const About& about);
/// Missing or strange fields keep their defaults: the text's hash has been checked before.
[[nodiscard]] About aboutFromJson(std::string_view json);

}  // namespace es::datasets
