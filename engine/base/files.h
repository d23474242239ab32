// SPDX-License-Identifier: GPL-3.0-or-later
// Files written whole or not at all, and a lock that dies with its process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace es {

/// The whole file. Fails when it is missing, unreadable or larger than `maxBytes`.
[[nodiscard]] Result<std::string> readFile(const std::filesystem::path& path, std::uintmax_t maxBytes = std::uintmax_t{1} << 32);
/// Writes beside the target, syncs, then renames over it: a reader sees the old file or the new one, never half of one.
[[nodiscard]] Status writeFileAtomically(const std::filesystem::path& path, std::string_view content);
/// Makes sure that a rename or a new file in this folder survives a power cut.
[[nodiscard]] Status syncFolder(const std::filesystem::path& folder);

/// Holds an exclusive flock on a file (made when missing) until destroyed; the kernel frees it when the process dies.
class FileLock {
public:
    /// Fails at once, naming the holder's process id when it wrote one, if another process has the lock.
    [[nodiscard]] static Result<FileLock> acquire(const std::filesystem::path& path);
    /// True when some process holds the lock right now.
    [[nodiscard]] static bool isHeld(const std::filesystem::path& path);
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;
    ~FileLock();

private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

/// Where the user's cache, settings and data live (XDG). Empty when there is no writable home: callers then say so and go on without.
[[nodiscard]] std::filesystem::path userCacheFolder();

}  // namespace es
