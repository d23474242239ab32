// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures of emoji out of a colour bitmap font.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/result.h"

namespace es::datasets {

struct Glyph {
    std::int64_t width = 0, height = 0;
    std::vector<std::uint8_t> rgba;  ///< straight alpha, rows from the top
};

/// One font, one thread.
class GlyphPainter {
public:
    /// Fails when the file is no font or has no colour bitmaps.
    [[nodiscard]] static Result<std::unique_ptr<GlyphPainter>> open(const std::filesystem::path& font);
    virtual ~GlyphPainter() = default;
    /// The one glyph that the sequence makes, or why there is none: the font may show an unknown sequence as several glyphs.
    [[nodiscard]] virtual tl::expected<Glyph, std::string> paint(std::u32string_view codePoints) = 0;
};

}  // namespace es::datasets
