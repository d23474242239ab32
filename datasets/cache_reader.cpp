// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/cache_reader.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/hash.h"
#include "engine/base/strong_ids.h"

namespace es::datasets {
namespace {

constexpr const char* kWhat = "Cannot open the converted data";
constexpr const char* kRemedy = "Run 'expertscope data prepare' again: it is made anew";

}  // namespace

Result<std::shared_ptr<const CacheFile>> CacheFile::open(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return badInput(kWhat, std::strerror(errno), "Run 'expertscope data prepare' first", file.string());
    struct stat about {};
    const bool known = ::fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode);
    const auto bytes = static_cast<std::size_t>(about.st_size);
    if (!known || bytes < sizeof(FileHeader1)) {
        ::close(descriptor);
        return badInput(kWhat, known ? "the file is cut short" : "it is not a file", kRemedy, file.string());
    }
    void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    const int error = errno;
    ::close(descriptor);
    if (data == MAP_FAILED) return jobFailed(kWhat, std::strerror(error), "Free some memory", file.string());
    std::shared_ptr<CacheFile> cache(new CacheFile(static_cast<const char*>(data), bytes));
    if (auto checked = cache->check(file); !checked) return tl::unexpected(checked.error());
    return std::shared_ptr<const CacheFile>(std::move(cache));
}

CacheFile::~CacheFile() { ::munmap(const_cast<char*>(data_), bytes_); }

Status CacheFile::check(const std::filesystem::path& file) {
    const auto damaged = [&](const std::string& why) -> Status { return badInput(kWhat, why, kRemedy, file.string()); };
    FileHeader1 old;
    std::memcpy(&old, data_, sizeof(old));
    if (std::memcmp(old.magic, kMagic, sizeof(kMagic)) != 0) return damaged("it is not a file of converted data");
    if (old.version > kFormatVersion)
        return badInput(kWhat, fmt::format("it has format version {}, this program reads up to {}", old.version, kFormatVersion),
                        "Update ExpertScope, or run 'expertscope data prepare' again: it is made anew", file.string());
    const bool first = old.version == 1;
    if (bytes_ < (first ? sizeof(FileHeader1) : sizeof(FileHeader))) return damaged("the file is cut short");
    const std::size_t hashed = first ? offsetof(FileHeader1, header_hash) : offsetof(FileHeader, header_hash);
    if (first) {
        header_ = {.version = 1,
                   .image_size = old.image_size,
                   .samples = old.samples,
                   .pictures = old.pictures,
                   .records_at = old.records_at,
                   .strings_at = old.strings_at,
                   .strings_bytes = old.strings_bytes,
                   .about_at = old.about_at,
                   .about_bytes = old.about_bytes,
                   .file_bytes = old.file_bytes,
                   .content_hash = old.content_hash,
                   .tail_hash = old.tail_hash,
                   .header_hash = old.header_hash};
    } else {
        std::memcpy(&header_, data_, sizeof(header_));
    }
    if (header_.header_hash != hash64(std::string_view(data_, hashed))) return damaged("its header is damaged");
    if (header_.file_bytes != bytes_) return damaged(fmt::format("it has {} bytes instead of {}", bytes_, header_.file_bytes));
    // The header is as it was written, so its places agree with each other; the tail is checked before anything points into it.
    const std::string_view tail(data_ + header_.records_at, bytes_ - header_.records_at);
    if (header_.tail_hash != hash64(tail)) return damaged("its records are damaged");
    return {};
}

std::span<const FileRecord> CacheFile::records() const {
    return {reinterpret_cast<const FileRecord*>(data_ + header().records_at), static_cast<std::size_t>(header().samples)};
}

std::string_view CacheFile::text(StringRef ref) const { return {data_ + header().strings_at + ref.at, ref.bytes}; }

std::span<const std::uint8_t> CacheFile::picture(std::int64_t index) const {
    if (index < 0) return {};
    const std::size_t bytes = std::size_t{header().image_size} * header().image_size * 4;
    return {reinterpret_cast<const std::uint8_t*>(data_) + kPicturesAt + static_cast<std::size_t>(index) * bytes, bytes};
}

std::string_view CacheFile::truth(std::size_t sample) const {
    if (header().truths_bytes == 0) return {};
    const char* block = data_ + header().truths_at;
    const auto* places = reinterpret_cast<const std::uint64_t*>(block);
    const char* texts = block + (header().samples + 1) * sizeof(std::uint64_t);
    return {texts + places[sample], static_cast<std::size_t>(places[sample + 1] - places[sample])};
}

std::string_view CacheFile::about() const { return {data_ + header().about_at, static_cast<std::size_t>(header().about_bytes)}; }

bool CacheFile::verifyPictures() const {
    std::uint64_t hash = 0;
    for (std::uint64_t i = 0; i < header().pictures; ++i) hash = hash64(std::as_bytes(picture(static_cast<std::int64_t>(i))), hash);
    const std::string_view texts(data_ + header().records_at, static_cast<std::size_t>(header().strings_at + header().strings_bytes - header().records_at));
    hash = hash64(texts, hash);
    if (header().truths_bytes > 0) hash = hash64(std::string_view(data_ + header().truths_at, static_cast<std::size_t>(header().truths_bytes)), hash);
    return hash == header().content_hash;
}

}  // namespace es::datasets
