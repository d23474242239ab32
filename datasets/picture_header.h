// SPDX-License-Identifier: GPL-3.0-or-later
// What a picture file says about itself, read before anything is decoded: format, size, orientation, and whether the file is whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace es::datasets {

struct PictureHeader {
    std::string format;                  ///< "PNG", "JPEG", "WebP", "BMP", "TIFF", "PNM"
    std::int64_t width = 0, height = 0;  ///< as stored, before turning
    int orientation = 1;                 ///< EXIF 1 to 8; 1: as stored
};

/// The header of a whole file in memory, or why it cannot be read: another kind of file, a format that is not supported (with what to
/// do), cut short, a wrong check sum. The format is told by content, never by the file's name.
[[nodiscard]] tl::expected<PictureHeader, std::string> readPictureHeader(std::string_view bytes);

/// A PNG with only the chunks that matter to its pixels: no colour profiles or texts that libpng would print warnings about.
[[nodiscard]] std::string pngPixelsOnly(std::string_view png);

}  // namespace es::datasets
