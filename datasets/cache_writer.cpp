// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/cache_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "engine/base/files.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPendingBytes = std::size_t{4} << 20;

auto cannotWrite(int error, const fs::path& path) {
    return jobFailed("Cannot write the converted data", std::strerror(error),
                     error == ENOSPC ? "Free some space on the disk, or name another folder with data.cache"
                                     : "Check that the folder is writable, or name another with data.cache",
                     path.string());
}

bool writeAt(int descriptor, const char* data, std::size_t bytes, std::uint64_t at) {
    while (bytes > 0) {
        const ssize_t written = ::pwrite(descriptor, data, bytes, static_cast<off_t>(at));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        data += written;
        at += static_cast<std::uint64_t>(written);
        bytes -= static_cast<std::size_t>(written);
    }
    return true;
}

/// All texts in one block; equal ones (categories, licences) once.
class StringTable {
public:
    StringRef add(const std::string& text) {
        const auto [it, isNew] = known_.try_emplace(text, StringRef{static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size())});
        if (isNew) bytes_ += text;
        return it->second;
    }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

private:
    std::string bytes_;
    std::unordered_map<std::string, StringRef> known_;
};

/// Places and texts of the truths, one after the other; empty when no sample has one.
std::string truthBlock(const std::vector<PlacedSample>& samples) {
    if (std::none_of(samples.begin(), samples.end(), [](const PlacedSample& s) { return !s.truth.empty(); })) return {};
    std::vector<std::uint64_t> places{0};
    for (const auto& sample : samples) places.push_back(places.back() + sample.truth.size());
    std::string block(reinterpret_cast<const char*>(places.data()), places.size() * sizeof(std::uint64_t));
    block.reserve(block.size() + places.back());
    for (const auto& sample : samples) block += sample.truth;
    return block;
}

}  // namespace

Result<CacheWriter> CacheWriter::create(const fs::path& target, std::int64_t image_size) {
    static std::atomic<int> serial{0};
    const fs::path temporary = target.string() + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(++serial);
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) return cannotWrite(errno, temporary);
    return CacheWriter(descriptor, target, temporary, image_size);
}

CacheWriter::CacheWriter(int descriptor, fs::path target, fs::path temporary, std::int64_t image_size)
    : descriptor_(descriptor), target_(std::move(target)), temporary_(std::move(temporary)) {
    std::memcpy(header_.magic, kMagic, sizeof(kMagic));
    header_.version = kFormatVersion;
    header_.image_size = static_cast<std::uint32_t>(image_size);
}

CacheWriter::CacheWriter(CacheWriter&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), target_(std::move(other.target_)), temporary_(std::move(other.temporary_)),
      pending_(std::move(other.pending_)), header_(other.header_), written_(other.written_) {}

CacheWriter::~CacheWriter() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
}

Status CacheWriter::flush() {
    if (!writeAt(descriptor_, pending_.data(), pending_.size(), written_)) return cannotWrite(errno, temporary_);
    written_ += pending_.size();
    pending_.clear();
    return {};
}

Status CacheWriter::append(const void* data, std::size_t bytes) {
    pending_.append(static_cast<const char*>(data), bytes);
    return pending_.size() < kPendingBytes ? Status{} : flush();
}

Status CacheWriter::addPicture(std::span<const std::uint8_t> rgba) {
    header_.content_hash = hash64(std::as_bytes(rgba), header_.content_hash);
    ++header_.pictures;
    return append(rgba.data(), rgba.size());
}

Status CacheWriter::finish(const std::vector<PlacedSample>& samples, const std::string& about) {
    StringTable strings;
    std::vector<FileRecord> records;
    records.reserve(samples.size());
    for (const auto& sample : samples) {
        const Item& item = *sample.item;
        if (strings.bytes().size() > (std::uint64_t{1} << 32) - (std::uint64_t{1} << 24))
            return badInput("Cannot convert the data", "its texts are more than 4 GB", "Split it into smaller folders", target_.string());
        records.push_back({.hash = sample.hash,
                           .picture = sample.picture,
                           .split = static_cast<std::uint64_t>(sample.split),
                           .caption = strings.add(item.caption),
                           .category = strings.add(item.category),
                           .subcategory = strings.add(item.subcategory),
                           .domain = strings.add(item.domain),
                           .license = strings.add(item.license),
                           .source = strings.add(item.source)});
    }
    if (auto done = flush(); !done) return done;
    header_.samples = records.size();
    header_.records_at = (written_ + 7) / 8 * 8;
    header_.strings_at = header_.records_at + records.size() * sizeof(FileRecord);
    header_.strings_bytes = strings.bytes().size();
    const std::string truths = truthBlock(samples);
    header_.truths_at = (header_.strings_at + header_.strings_bytes + 7) / 8 * 8;
    header_.truths_bytes = truths.size();
    header_.about_at = header_.truths_at + header_.truths_bytes;
    header_.about_bytes = about.size();
    header_.file_bytes = header_.about_at + header_.about_bytes;
    written_ = header_.records_at;
    std::string tail(reinterpret_cast<const char*>(records.data()), records.size() * sizeof(FileRecord));
    tail += strings.bytes();
    header_.content_hash = hash64(std::string_view(tail), header_.content_hash);
    tail.resize(static_cast<std::size_t>(header_.truths_at - header_.records_at), '\0');
    // A set without truths keeps the content hash that it had before there were any: runs trained on it go on.
    if (!truths.empty()) header_.content_hash = hash64(std::string_view(truths), header_.content_hash);
    tail += truths;
    tail += about;
    header_.tail_hash = hash64(std::string_view(tail));
    header_.header_hash = hash64(std::string_view(reinterpret_cast<const char*>(&header_), offsetof(FileHeader, header_hash)));
    if (!writeAt(descriptor_, tail.data(), tail.size(), written_) || !writeAt(descriptor_, reinterpret_cast<const char*>(&header_), sizeof(header_), 0) ||
        ::fsync(descriptor_) != 0)
        return cannotWrite(errno, temporary_);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) return cannotWrite(errno, target_);
    ::close(std::exchange(descriptor_, -1));
    return syncFolder(target_.parent_path());
}

}  // namespace es::datasets
