// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace es {
namespace fs = std::filesystem;
namespace {

std::string systemError() { return std::strerror(errno); }

bool writeAll(int descriptor, std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(descriptor, content.data(), content.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

Result<std::string> readFile(const fs::path& path, std::uintmax_t maxBytes) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (error || !fs::exists(status))
        return badInput("Cannot read the file", error ? error.message() : "there is no such file", "Check the path", path.string());
    if (fs::is_directory(status)) return badInput("Cannot read the file", "it is a folder", "Name a file", path.string());
    const auto size = fs::file_size(path, error);
    if (!error && size > maxBytes)
        return badInput("Cannot read the file", "it has " + std::to_string(size) + " bytes, more than the limit of " + std::to_string(maxBytes),
                        "Use a smaller file", path.string());
    std::ifstream in(path, std::ios::binary);
    if (!in) return badInput("Cannot read the file", systemError(), "Check its permissions", path.string());
    std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (in.bad()) return badInput("Cannot read the file", "reading broke off", "Check the disk", path.string());
    return content;
}

Status syncFolder(const fs::path& folder) {
    const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return jobFailed("Cannot open the folder", systemError(), "Check its permissions", folder.string());
    ::fsync(descriptor);  // some network file systems refuse; the rename itself is done by now
    ::close(descriptor);
    return {};
}

Status writeFileAtomically(const fs::path& path, std::string_view content) {
    const fs::path temporary = path.string() + ".part-" + std::to_string(::getpid());
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) return jobFailed("Cannot write the file", systemError(), "Check that the folder exists and is writable", path.string());
    const bool written = writeAll(descriptor, content) && ::fsync(descriptor) == 0;
    const std::string why = written ? "" : systemError();
    ::close(descriptor);
    if (!written) {
        ::unlink(temporary.c_str());
        return jobFailed("Cannot write the file", why, "Free some space on the disk", path.string());
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const std::string reason = systemError();
        ::unlink(temporary.c_str());
        return jobFailed("Cannot replace the file", reason, "Check the folder's permissions", path.string());
    }
    return syncFolder(path.parent_path());
}

Result<FileLock> FileLock::acquire(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) return jobFailed("Cannot open the lock", systemError(), "Check that the folder is writable", path.string());
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        char holder[32] = {};
        const ssize_t length = ::pread(descriptor, holder, sizeof(holder) - 1, 0);
        ::close(descriptor);
        const std::string who = length > 0 ? "process " + std::string(holder, static_cast<std::size_t>(length)) : "another process";
        return badInput("The run is already being written", who + " holds its lock", "Wait for it, or stop it first", path.string());
    }
    const std::string self = std::to_string(::getpid());
    if (::ftruncate(descriptor, 0) == 0) (void)!::pwrite(descriptor, self.data(), self.size(), 0);
    return FileLock(descriptor);
}

bool FileLock::isHeld(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0;
    ::close(descriptor);
    return held;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}
FileLock::~FileLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

fs::path userCacheFolder() {
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return fs::path(cache) / "expertscope";
    if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".cache" / "expertscope";
    return {};
}

}  // namespace es
