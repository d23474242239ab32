// SPDX-License-Identifier: GPL-3.0-or-later
// SVG drawings to pixels, by librsvg and cairo in this process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace es::datasets {

/// Draws a whole SVG file, fitted into size x size with its shape kept and transparency around: RGBA, alpha not multiplied in. Nothing that the
/// file refers to outside itself is read. The error says why in words for people. Any thread.
[[nodiscard]] tl::expected<std::vector<std::uint8_t>, std::string> drawSvg(std::string_view file, std::int64_t size);

/// The programs that pixels of package pictures depend on, with their versions: "librsvg 2.54.7, cairo 1.16.0, OpenCV 4.6.0".
[[nodiscard]] std::string picturePrograms();

}  // namespace es::datasets
