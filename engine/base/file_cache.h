// SPDX-License-Identifier: GPL-3.0-or-later
// Results kept on disk under a key, within a bound of bytes. Losing any of them costs nothing but time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace es {

/// One folder of kept results. Several processes may use it at the same time; what is damaged, cut off or of another key reads as absent.
/// No call fails or throws: a cache that cannot be used keeps nothing. Thread-safe.
class FileCache {
public:
    /// An empty folder keeps nothing. It is made with the first result.
    FileCache(std::filesystem::path folder, std::uintmax_t max_bytes);
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

    /// What was kept under the key; it counts as just used.
    [[nodiscard]] std::optional<std::string> get(std::string_view key) const;
    /// Keeps a result in place of an older one. Those used longest ago are removed until the folder fits its bound; a result larger than half
    /// of the bound is not kept.
    void put(std::string_view key, std::string_view content) const;
    [[nodiscard]] std::uintmax_t bytes() const;  ///< that the folder takes

private:
    [[nodiscard]] std::filesystem::path fileOf(std::string_view key) const;
    void makeRoom() const;
    std::filesystem::path folder_;
    std::uintmax_t max_bytes_;
};

}  // namespace es
