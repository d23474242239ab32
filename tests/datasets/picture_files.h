// SPDX-License-Identifier: GPL-3.0-or-later
// Picture files made for tests: good ones of every kind, to be damaged as a test wants.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace es::test {

using Rgba = std::array<std::uint8_t, 4>;

/// A noisy picture with `left` and `right` halves, as a file of the kind of `extension` (".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm").
/// `seed` makes different ones; noise of a few levels keeps files from being tiny.
[[nodiscard]] std::string encodedPicture(const std::string& extension, int width, int height, Rgba left, Rgba right, int seed = 0);

/// A PNG of any colour type (0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA) and depth from rows of raw bytes. `extra` is put before
/// the pixels: chunks made by pngChunk.
[[nodiscard]] std::string rawPng(int width, int height, int bit_depth, int colour_type, const std::vector<std::string>& rows, const std::string& extra = {});
[[nodiscard]] std::string pngChunk(std::string_view type, std::string_view data);

/// The JPEG with an EXIF block that holds this orientation.
[[nodiscard]] std::string withOrientation(const std::string& jpeg, int orientation);
/// The block itself: a TIFF of one tag.
[[nodiscard]] std::string exifBlock(int orientation, bool big_endian);

void writeText(const std::filesystem::path& path, std::string_view content);

}  // namespace es::test
