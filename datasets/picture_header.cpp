// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/picture_header.h"

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include <array>
#include <cctype>
#include <optional>

namespace es::datasets {
namespace {

using Header = tl::expected<PictureHeader, std::string>;
constexpr const char* kCutShort = "the file ends before the picture does";

/// Bytes of a file as numbers of either order; zero beyond the end, so callers check sizes where it matters.
struct Bytes {
    std::string_view data;
    bool big = true;

    [[nodiscard]] std::uint32_t u8(std::size_t at) const { return at < data.size() ? static_cast<unsigned char>(data[at]) : 0; }
    [[nodiscard]] std::uint32_t u16(std::size_t at) const { return big ? u8(at) << 8 | u8(at + 1) : u8(at + 1) << 8 | u8(at); }
    [[nodiscard]] std::uint32_t u32(std::size_t at) const { return big ? u16(at) << 16 | u16(at + 2) : u16(at + 2) << 16 | u16(at); }
};

constexpr std::uint32_t kTagWidth = 0x100, kTagHeight = 0x101, kTagOrientation = 0x112;

/// The first directory of a TIFF, which EXIF is too. Zero: the tag is not there.
struct TiffTags {
    std::uint32_t width = 0, height = 0, orientation = 0;
};
std::optional<TiffTags> readTiff(std::string_view tiff) {
    Bytes in{tiff, tiff.starts_with("MM")};
    if ((!tiff.starts_with("MM") && !tiff.starts_with("II")) || in.u16(2) != 42) return std::nullopt;
    const std::size_t directory = in.u32(4);
    const std::size_t count = in.u16(directory);
    if (directory < 8 || directory + 2 + count * 12 > tiff.size()) return std::nullopt;
    TiffTags tags;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t entry = directory + 2 + i * 12;
        constexpr std::uint32_t kShort = 3;
        const std::uint32_t value = in.u16(entry + 2) == kShort ? in.u16(entry + 8) : in.u32(entry + 8);
        if (in.u16(entry) == kTagWidth) tags.width = value;
        if (in.u16(entry) == kTagHeight) tags.height = value;
        if (in.u16(entry) == kTagOrientation) tags.orientation = value;
    }
    return tags;
}

int exifOrientation(std::string_view exif) {
    if (exif.starts_with(std::string_view("Exif\0\0", 6))) exif.remove_prefix(6);
    const auto tags = readTiff(exif);
    return tags && tags->orientation >= 1 && tags->orientation <= 8 ? static_cast<int>(tags->orientation) : 1;
}

struct PngChunk {
    std::string_view type, data, whole;
};
/// The chunk at `at`; nothing when the file ends inside it.
std::optional<PngChunk> pngChunk(std::string_view png, std::size_t at) {
    const std::size_t length = Bytes{png}.u32(at);
    if (at + 12 > png.size() || length > png.size() - at - 12) return std::nullopt;
    return PngChunk{png.substr(at + 4, 4), png.substr(at + 8, length), png.substr(at, length + 12)};
}

Header readPng(std::string_view png) {
    PictureHeader header{.format = "PNG"};
    bool pixels = false;
    for (std::size_t at = 8;;) {
        const auto chunk = pngChunk(png, at);
        if (!chunk) return tl::unexpected(std::string(kCutShort));
        const auto crc = crc32(0, reinterpret_cast<const Bytef*>(chunk->type.data()), static_cast<uInt>(chunk->data.size() + 4));
        const bool critical = std::isupper(static_cast<unsigned char>(chunk->type[0])) != 0;
        if (at == 8) {
            if (chunk->type != "IHDR" || chunk->data.size() != 13) return tl::unexpected(std::string("it does not begin with a PNG header"));
            header.width = Bytes{chunk->data}.u32(0);
            header.height = Bytes{chunk->data}.u32(4);
        }
        if (critical && crc != Bytes{png}.u32(at + 8 + chunk->data.size()))
            return tl::unexpected(fmt::format("the check sum of its {} chunk at byte {} is wrong: the file is damaged", chunk->type, at));
        if (chunk->type == "IDAT") pixels = true;
        if (chunk->type == "eXIf") header.orientation = exifOrientation(chunk->data);
        if (chunk->type == "IEND") break;
        at += chunk->whole.size();
    }
    if (!pixels) return tl::unexpected(std::string("it holds no pixels"));
    return header;
}

bool isStartOfFrame(std::uint32_t marker) { return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC; }

// libjpeg fills what is missing with grey and says so only on stderr, so the file is walked to its end marker here.
Header readJpeg(std::string_view jpeg) {
    const Bytes in{jpeg};
    PictureHeader header{.format = "JPEG"};
    bool adobe = false, scan = false;
    std::uint32_t components = 0;
    for (std::size_t at = 2;;) {
        if (at + 2 > jpeg.size()) return tl::unexpected(std::string(kCutShort));
        if (in.u8(at) != 0xFF) return tl::unexpected(fmt::format("no JPEG marker where one belongs, at byte {}: the file is damaged", at));
        const std::uint32_t marker = in.u8(at + 1);
        if (marker == 0xFF) {  // fill bytes may come before a marker
            ++at;
            continue;
        }
        if (marker == 0xD9) break;
        at += 2;
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;
        const std::size_t length = in.u16(at);
        if (at + 2 > jpeg.size() || length < 2 || at + length > jpeg.size()) return tl::unexpected(std::string(kCutShort));
        const std::string_view segment = jpeg.substr(at + 2, length - 2);
        if (isStartOfFrame(marker)) {
            header.height = in.u16(at + 3);
            header.width = in.u16(at + 5);
            components = in.u8(at + 7);
        }
        if (marker == 0xE1 && segment.starts_with("Exif")) header.orientation = exifOrientation(segment);
        if (marker == 0xEE && segment.starts_with("Adobe")) adobe = true;
        at += length;
        if (marker != 0xDA) continue;
        scan = true;
        // Pixels run to the next marker that is neither a stuffed zero nor a restart.
        while (true) {
            at = jpeg.find('\xFF', at);
            if (at == std::string_view::npos || at + 1 >= jpeg.size()) return tl::unexpected(std::string(kCutShort));
            const std::uint32_t next = in.u8(at + 1);
            if (next != 0 && next != 0xFF && (next < 0xD0 || next > 0xD7)) break;
            at += next == 0xFF ? 1 : 2;
        }
    }
    if (!scan) return tl::unexpected(std::string("it holds no pixels"));
    if (components == 4 && !adobe) return tl::unexpected(std::string("it is a CMYK JPEG that does not say how its ink values are stored; save it as RGB"));
    return header;
}

Header readWebp(std::string_view webp) {
    const Bytes in{webp, false};
    PictureHeader header{.format = "WebP"};
    if (std::uint64_t{in.u32(4)} + 8 > webp.size()) return tl::unexpected(std::string(kCutShort));
    const std::string_view kind = webp.substr(12, 4);
    if (kind == "VP8X") {
        if (in.u8(20) & 0x02) return tl::unexpected(std::string("it is an animated WebP, which is not supported; save one frame as PNG"));
        header.width = 1 + (in.u32(24) & 0xFFFFFF);
        header.height = 1 + (in.u32(27) & 0xFFFFFF);
        for (std::size_t at = 12; at + 8 <= webp.size();) {
            const std::size_t length = in.u32(at + 4);
            if (webp.substr(at, 4) == "EXIF" && length <= webp.size() - at - 8) header.orientation = exifOrientation(webp.substr(at + 8, length));
            at += 8 + length + (length & 1);
        }
    } else if (kind == "VP8L") {
        header.width = 1 + (in.u32(21) & 0x3FFF);
        header.height = 1 + ((in.u32(21) >> 14) & 0x3FFF);
    } else if (kind == "VP8 ") {
        header.width = in.u16(26) & 0x3FFF;
        header.height = in.u16(28) & 0x3FFF;
    } else {
        return tl::unexpected(std::string("it is not a WebP picture that is known"));
    }
    return header;
}

Header readBmp(std::string_view bmp) {
    const Bytes in{bmp, false};
    if (bmp.size() < 26) return tl::unexpected(std::string(kCutShort));
    PictureHeader header{.format = "BMP"};
    if (in.u32(14) == 12) {
        header.width = in.u16(18);
        header.height = in.u16(20);
        return header;
    }
    header.width = static_cast<std::int32_t>(in.u32(18));
    header.height = std::abs(static_cast<std::int64_t>(static_cast<std::int32_t>(in.u32(22))));  // negative: rows from the top
    const std::uint64_t row = (std::uint64_t{static_cast<std::uint32_t>(header.width)} * in.u16(28) + 31) / 32 * 4;
    if (in.u32(30) == 0 && header.width > 0 && in.u32(10) + row * static_cast<std::uint64_t>(header.height) > bmp.size())
        return tl::unexpected(std::string(kCutShort));
    return header;
}

Header readPnm(std::string_view pnm) {
    PictureHeader header{.format = "PNM"};
    std::array<std::int64_t, 2> numbers{};
    std::size_t at = 2;
    for (auto& number : numbers) {
        while (at < pnm.size() && (std::isspace(static_cast<unsigned char>(pnm[at])) || pnm[at] == '#')) {
            if (pnm[at] == '#') at = std::min(pnm.find('\n', at), pnm.size());
            if (at < pnm.size()) ++at;
        }
        for (; at < pnm.size() && std::isdigit(static_cast<unsigned char>(pnm[at])) && number < 100'000'000; ++at) number = number * 10 + (pnm[at] - '0');
    }
    header.width = numbers[0];
    header.height = numbers[1];
    return header;
}

std::string unknownFormat(std::string_view bytes) {
    const auto convert = [](std::string_view format) { return fmt::format("{} is not supported; convert it to PNG or JPEG", format); };
    if (bytes.starts_with("GIF8")) return convert("GIF");
    if (bytes.size() > 12 && bytes.substr(4, 4) == "ftyp") return convert("HEIC, AVIF or a film");
    if (bytes.starts_with(std::string_view("\0\0\0\x0CJXL ", 8)) || bytes.starts_with("\xFF\x0A")) return convert("JPEG XL");
    std::string start;
    for (const char c : bytes.substr(0, 512)) start += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (start.find("<svg") != std::string::npos) return convert("SVG");
    if (start.find("<html") != std::string::npos || start.find("<!doctype") != std::string::npos) return "it is a web page, not a picture: the download failed";
    return "it is not a picture in a known format (PNG, JPEG, WebP, BMP, TIFF, PNM)";
}

}  // namespace

Header readPictureHeader(std::string_view bytes) {
    if (bytes.empty()) return tl::unexpected(std::string("the file is empty"));
    Header header = tl::unexpected(std::string());
    if (bytes.starts_with("\x89PNG\r\n\x1A\n")) header = readPng(bytes);
    else if (bytes.starts_with("\xFF\xD8")) header = readJpeg(bytes);
    else if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP") && bytes.size() > 30) header = readWebp(bytes);
    else if (bytes.starts_with("BM")) header = readBmp(bytes);
    else if (bytes.starts_with(std::string_view("II*\0", 4)) || bytes.starts_with(std::string_view("MM\0*", 4))) {
        const auto tags = readTiff(bytes);
        if (!tags) return tl::unexpected(std::string(kCutShort));
        header = PictureHeader{"TIFF", tags->width, tags->height, 1};
    } else if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' && std::isspace(static_cast<unsigned char>(bytes[2])))
        header = readPnm(bytes);
    else return tl::unexpected(unknownFormat(bytes));
    if (header && (header->width <= 0 || header->height <= 0)) return tl::unexpected(std::string("its width or height is zero"));
    return header;
}

std::string pngPixelsOnly(std::string_view png) {
    std::string kept(png.substr(0, 8));
    kept.reserve(png.size());
    for (std::size_t at = 8; at < png.size();) {
        const auto chunk = pngChunk(png, at);
        if (!chunk) break;
        if (chunk->type == "tRNS" || std::isupper(static_cast<unsigned char>(chunk->type[0]))) kept += chunk->whole;
        if (chunk->type == "IEND") break;
        at += chunk->whole.size();
    }
    return kept;
}

}  // namespace es::datasets
