// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/emoji_glyphs.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include <hb-ft.h>
#include <hb.h>

#include <algorithm>
#include <optional>
#include <type_traits>

namespace es::datasets {
namespace {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* handle) const {
        Free(handle);
    }
};
using Library = std::unique_ptr<std::remove_pointer_t<FT_Library>, Freed<FT_Done_FreeType>>;
using Face = std::unique_ptr<std::remove_pointer_t<FT_Face>, Freed<FT_Done_Face>>;
using ShapingFont = std::unique_ptr<hb_font_t, Freed<hb_font_destroy>>;
using Buffer = std::unique_ptr<hb_buffer_t, Freed<hb_buffer_destroy>>;

std::uint8_t straight(unsigned colour, unsigned alpha) { return static_cast<std::uint8_t>(std::min(255U, (colour * 255 + alpha / 2) / alpha)); }

class BitmapFont final : public GlyphPainter {
public:
    BitmapFont(Library library, Face face)
        : library_(std::move(library)), face_(std::move(face)), font_(hb_ft_font_create_referenced(face_.get())), buffer_(hb_buffer_create()) {}

    tl::expected<Glyph, std::string> paint(std::u32string_view codePoints) override {
        hb_buffer_reset(buffer_.get());
        hb_buffer_add_utf32(buffer_.get(), reinterpret_cast<const std::uint32_t*>(codePoints.data()), static_cast<int>(codePoints.size()), 0,
                            static_cast<int>(codePoints.size()));
        hb_buffer_guess_segment_properties(buffer_.get());
        hb_buffer_set_direction(buffer_.get(), HB_DIRECTION_LTR);
        hb_shape(font_.get(), buffer_.get(), nullptr, 0);
        unsigned count = 0;
        const hb_glyph_info_t* glyphs = hb_buffer_get_glyph_infos(buffer_.get(), &count);
        std::optional<Glyph> picture;
        for (unsigned i = 0; i < count; ++i) {
            if (glyphs[i].codepoint == 0) return tl::unexpected(std::string("the font has no picture for it"));
            auto glyph = render(glyphs[i].codepoint);
            if (!glyph) continue;  // joiners and selectors draw nothing
            if (picture) return tl::unexpected(std::string("the font shows it as several pictures"));
            picture = std::move(glyph);
        }
        if (!picture) return tl::unexpected(std::string("the font draws nothing for it"));
        return std::move(*picture);
    }

private:
    std::optional<Glyph> render(unsigned index) const {
        if (FT_Load_Glyph(face_.get(), index, FT_LOAD_COLOR) != 0) return std::nullopt;
        const FT_Bitmap& bitmap = face_->glyph->bitmap;
        if (bitmap.pixel_mode != FT_PIXEL_MODE_BGRA || bitmap.width == 0 || bitmap.rows == 0) return std::nullopt;
        Glyph glyph{static_cast<std::int64_t>(bitmap.width), static_cast<std::int64_t>(bitmap.rows), {}};
        glyph.rgba.resize(std::size_t{bitmap.width} * bitmap.rows * 4);
        std::uint8_t* out = glyph.rgba.data();
        for (unsigned y = 0; y < bitmap.rows; ++y) {
            const std::uint8_t* in = bitmap.buffer + static_cast<std::ptrdiff_t>(y) * bitmap.pitch;
            for (unsigned x = 0; x < bitmap.width; ++x, in += 4, out += 4) {
                if (in[3] == 0) continue;  // FreeType's alpha is multiplied in: nothing is left under full transparency
                out[0] = straight(in[2], in[3]);
                out[1] = straight(in[1], in[3]);
                out[2] = straight(in[0], in[3]);
                out[3] = in[3];
            }
        }
        return glyph;
    }

    Library library_;
    Face face_;
    ShapingFont font_;
    Buffer buffer_;
};

}  // namespace

Result<std::unique_ptr<GlyphPainter>> GlyphPainter::open(const std::filesystem::path& font) {
    const std::string remedy = "Reinstall the package fonts-noto-color-emoji";
    FT_Library rawLibrary = nullptr;
    if (FT_Init_FreeType(&rawLibrary) != 0) return jobFailed("Cannot start FreeType", "it has no memory", "Free some memory");
    Library library(rawLibrary);
    FT_Face rawFace = nullptr;
    if (FT_New_Face(library.get(), font.c_str(), 0, &rawFace) != 0) return badInput("Cannot open the font", "it is missing or damaged", remedy, font.string());
    Face face(rawFace);
    if (!FT_HAS_COLOR(face.get()) || face->num_fixed_sizes < 1) return badInput("Cannot use the font", "it has no colour bitmaps", remedy, font.string());
    int largest = 0;
    for (int i = 1; i < face->num_fixed_sizes; ++i)
        if (face->available_sizes[i].y_ppem > face->available_sizes[largest].y_ppem) largest = i;
    if (FT_Select_Size(face.get(), largest) != 0) return badInput("Cannot use the font", "its bitmaps cannot be selected", remedy, font.string());
    return std::make_unique<BitmapFont>(std::move(library), std::move(face));
}

}  // namespace es::datasets
