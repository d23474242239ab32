// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/file_cache.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <vector>

#include "engine/base/hash.h"

namespace es {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kSuffix = ".kept";
constexpr std::string_view kPart = ".kept.part-";
constexpr auto kPartLife = std::chrono::hours(24);    // no process writes one result for as long
constexpr std::uint64_t kMagic = 0x3130545045535845;  // "EXSEPT01"

struct Head {
    std::uint64_t magic = kMagic, key_bytes = 0, content_bytes = 0, content_hash = 0;
};

struct Kept {
    fs::path path;
    std::uintmax_t bytes = 0;
    fs::file_time_type used;
};

std::vector<Kept> keptIn(const fs::path& folder) {
    std::vector<Kept> all;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        if (!at->path().filename().string().ends_with(kSuffix)) continue;
        std::error_code gone;
        Kept kept{at->path(), at->file_size(gone), at->last_write_time(gone)};
        if (!gone) all.push_back(std::move(kept));
    }
    return all;
}

/// What processes that were ended in the middle of a result have left.
void removeForgottenParts(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> forgotten;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        std::error_code gone;
        const bool old =
            at->path().filename().string().find(kPart) != std::string::npos && fs::file_time_type::clock::now() - at->last_write_time(gone) > kPartLife;
        if (old && !gone) forgotten.push_back(at->path());
    }
    for (const auto& path : forgotten) fs::remove(path, error);
}

}  // namespace

FileCache::FileCache(fs::path folder, std::uintmax_t max_bytes) : folder_(std::move(folder)), max_bytes_(max_bytes) {}

fs::path FileCache::fileOf(std::string_view key) const { return folder_ / (hashText(hash64(key)) + hashText(hash64(key, 1)) + std::string(kSuffix)); }

std::optional<std::string> FileCache::get(std::string_view key) const {
    if (folder_.empty()) return {};
    const fs::path path = fileOf(key);
    std::ifstream in(path, std::ios::binary);
    Head head;
    if (!in.read(reinterpret_cast<char*>(&head), sizeof head) || head.magic != kMagic || head.key_bytes != key.size() || head.content_bytes > max_bytes_)
        return {};
    // A damaged head claims anything; the file holds what it holds.
    std::error_code error;
    if (const auto bytes = fs::file_size(path, error); error || bytes != sizeof head + head.key_bytes + head.content_bytes) return {};
    std::string known(key.size(), '\0'), content(head.content_bytes, '\0');
    if (!in.read(known.data(), static_cast<std::streamsize>(known.size())) || known != key) return {};
    if (!in.read(content.data(), static_cast<std::streamsize>(content.size())) || hash64(std::string_view(content)) != head.content_hash) return {};
    fs::last_write_time(path, fs::file_time_type::clock::now(), error);
    return content;
}

void FileCache::put(std::string_view key, std::string_view content) const {
    if (folder_.empty() || content.size() + key.size() + sizeof(Head) > max_bytes_ / 2) return;
    std::error_code error;
    fs::create_directories(folder_, error);
    static std::atomic<unsigned> number = 0;
    const fs::path path = fileOf(key), part = path.string() + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
    {
        std::ofstream out(part, std::ios::binary | std::ios::trunc);
        const Head head{kMagic, key.size(), content.size(), hash64(content)};
        out.write(reinterpret_cast<const char*>(&head), sizeof head);
        out.write(key.data(), static_cast<std::streamsize>(key.size()));
        out.write(content.data(), static_cast<std::streamsize>(content.size()));
        if (!out.flush()) {
            out.close();
            fs::remove(part, error);
            return;
        }
    }
    // Renamed into place: a reader sees the whole of it or nothing.
    fs::rename(part, path, error);
    if (error) fs::remove(part, error);
    makeRoom();
}

std::uintmax_t FileCache::bytes() const {
    std::uintmax_t sum = 0;
    for (const Kept& kept : keptIn(folder_)) sum += kept.bytes;
    return sum;
}

void FileCache::makeRoom() const {
    removeForgottenParts(folder_);
    std::vector<Kept> all = keptIn(folder_);
    std::uintmax_t sum = 0;
    for (const Kept& kept : all) sum += kept.bytes;
    if (sum <= max_bytes_) return;
    std::sort(all.begin(), all.end(), [](const Kept& a, const Kept& b) { return a.used < b.used; });
    for (const Kept& kept : all) {
        if (sum <= max_bytes_) break;
        std::error_code error;
        fs::remove(kept.path, error);
        sum -= kept.bytes;
    }
}

}  // namespace es
