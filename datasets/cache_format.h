// SPDX-License-Identifier: GPL-3.0-or-later
// The file that a converted set is: a header, pictures side by side, a record for each sample, their texts, a description in JSON.
// Little-endian, made to be mapped into memory. Written once, under another name, and renamed: a file with this header is whole.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace es::datasets {

inline constexpr char kMagic[8] = {'E', 'S', 'D', 'A', 'T', 'A', '\r', '\n'};
inline constexpr std::uint32_t kFormatVersion = 2;
inline constexpr std::uint64_t kPicturesAt = 4096;  ///< the header's page
inline constexpr const char* kCacheExtension = ".esdata";

struct FileHeader {
    char magic[8] = {};
    std::uint32_t version = 0;
    std::uint32_t image_size = 0;
    std::uint64_t samples = 0, pictures = 0;
    std::uint64_t records_at = 0, strings_at = 0, strings_bytes = 0, about_at = 0, about_bytes = 0, file_bytes = 0;
    std::uint64_t truths_at = 0, truths_bytes = 0;  ///< samples + 1 places (u64, from the end of the places), then texts: sceneTruthToJson; 0 bytes: none
    std::uint64_t content_hash = 0;                 ///< of pictures, records and texts, and of the truths where there are any
    std::uint64_t tail_hash = 0;                    ///< of everything after the pictures
    std::uint64_t header_hash = 0;                  ///< of the fields above
};

/// The header of version 1, which knew no truths; everything else lies as in version 2. Read, never written.
struct FileHeader1 {
    char magic[8] = {};
    std::uint32_t version = 0;
    std::uint32_t image_size = 0;
    std::uint64_t samples = 0, pictures = 0;
    std::uint64_t records_at = 0, strings_at = 0, strings_bytes = 0, about_at = 0, about_bytes = 0, file_bytes = 0;
    std::uint64_t content_hash = 0, tail_hash = 0, header_hash = 0;
};

struct StringRef {
    std::uint32_t at = 0, bytes = 0;  ///< in the texts
};

struct FileRecord {
    std::uint64_t hash = 0;
    std::int64_t picture = -1;  ///< which of the pictures; -1: none
    std::uint64_t split = 0;
    StringRef caption, category, subcategory, domain, license, source;
};

static_assert(std::endian::native == std::endian::little, "the cache is mapped as it lies");
static_assert(std::is_trivially_copyable_v<FileHeader> && std::is_trivially_copyable_v<FileRecord> && sizeof(FileRecord) == 72);
static_assert(sizeof(FileHeader) == 120 && offsetof(FileHeader, header_hash) == 112);
static_assert(std::is_trivially_copyable_v<FileHeader1> && sizeof(FileHeader1) == 104 && offsetof(FileHeader1, header_hash) == 96);

}  // namespace es::datasets
