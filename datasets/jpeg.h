// SPDX-License-Identifier: GPL-3.0-or-later
// JPEG by libjpeg itself: OpenCV's decoder fills what is damaged with grey and tells nobody, and guesses how inks are stored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace es::datasets {

struct RgbPicture {
    int width = 0, height = 0;
    std::vector<std::uint8_t> rgb;
};

/// Decodes a whole JPEG in memory: grey, YCC, RGB, CMYK and YCCK become RGB. While both sides stay at least `wanted` pixels the picture is
/// halved, up to three times, as it is decoded (in the frequency domain: an area filter). EXIF is not applied. Damaged data are an error,
/// in words.
[[nodiscard]] tl::expected<RgbPicture, std::string> decodeJpeg(std::string_view jpeg, int wanted);

}  // namespace es::datasets
