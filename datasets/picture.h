// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures from files of any kind to small squares of RGBA.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace es::datasets {

inline constexpr std::int64_t kMostPixels = 100'000'000;
inline constexpr std::uintmax_t kMostFileBytes = std::uintmax_t{512} << 20;

/// Decodes a whole file in memory and fits it into size x size. The error says why in words for people.
[[nodiscard]] tl::expected<std::vector<std::uint8_t>, std::string> convertPicture(std::string_view file, std::int64_t size);

}  // namespace es::datasets
