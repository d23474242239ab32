// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/picture_files.h"

#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

namespace es::test {
namespace {

std::string bigEndian(std::uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8), static_cast<char>(value)};
}

}  // namespace

std::string encodedPicture(const std::string& extension, int width, int height, Rgba left, Rgba right, int seed) {
    const bool alpha = extension == ".png" || extension == ".webp" || extension == ".tiff";
    cv::Mat picture(height, width, alpha ? CV_8UC4 : CV_8UC3);
    std::uint32_t noise = 12345U + static_cast<std::uint32_t>(seed) * 7919U;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const Rgba& colour = x < width / 2 ? left : right;
            auto* pixel = picture.ptr<std::uint8_t>(y) + x * picture.channels();
            for (int c = 0; c < 3; ++c) {
                noise = noise * 1664525U + 1013904223U;
                pixel[c] = static_cast<std::uint8_t>(
                    std::clamp(static_cast<int>(colour[static_cast<std::size_t>(2 - c)]) + static_cast<int>(noise >> 30) - 2, 0, 255));
            }
            if (alpha) pixel[3] = colour[3];
        }
    std::vector<std::uint8_t> bytes;
    cv::imencode(extension, picture, bytes);
    return {bytes.begin(), bytes.end()};
}

std::string pngChunk(std::string_view type, std::string_view data) {
    const std::string body = std::string(type) + std::string(data);
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    return bigEndian(static_cast<std::uint32_t>(data.size())) + body + bigEndian(static_cast<std::uint32_t>(crc));
}

std::string rawPng(int width, int height, int bit_depth, int colour_type, const std::vector<std::string>& rows, const std::string& extra) {
    std::string raw;
    for (const auto& row : rows) raw += '\0' + row;
    uLongf length = compressBound(static_cast<uLong>(raw.size()));
    std::string packed(length, '\0');
    compress2(reinterpret_cast<Bytef*>(packed.data()), &length, reinterpret_cast<const Bytef*>(raw.data()), static_cast<uLong>(raw.size()), 1);
    packed.resize(length);
    const std::string header = bigEndian(static_cast<std::uint32_t>(width)) + bigEndian(static_cast<std::uint32_t>(height)) + static_cast<char>(bit_depth) +
                               static_cast<char>(colour_type) + std::string(3, '\0');
    return "\x89PNG\r\n\x1A\n" + pngChunk("IHDR", header) + extra + pngChunk("IDAT", packed) + pngChunk("IEND", "");
}

std::string exifBlock(int orientation, bool big_endian) {
    const char o = static_cast<char>(orientation);
    const std::string big{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, o, 0, 0, 0, 0, 0, 0};
    const std::string little{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, o, 0, 0, 0, 0, 0, 0, 0};
    return big_endian ? big : little;
}

std::string withOrientation(const std::string& jpeg, int orientation) {
    const std::string block = std::string("Exif\0\0", 6) + exifBlock(orientation, orientation % 2 == 0);
    const auto length = static_cast<std::uint32_t>(block.size() + 2);
    const std::string segment = std::string("\xFF\xE1") + static_cast<char>(length >> 8) + static_cast<char>(length & 0xFF) + block;
    return jpeg.substr(0, 2) + segment + jpeg.substr(2);
}

void writeText(const std::filesystem::path& path, std::string_view content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
}

}  // namespace es::test
