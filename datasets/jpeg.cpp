// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/jpeg.h"

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it before

#include <jpeglib.h>
// After jpeglib.h.
#include <jerror.h>

namespace es::datasets {
namespace {

struct ErrorManager {
    jpeg_error_mgr base;
    std::jmp_buf back;
    bool damaged = false;
    char why[JMSG_LENGTH_MAX] = {};
};

ErrorManager& managerOf(j_common_ptr info) { return *reinterpret_cast<ErrorManager*>(info->err); }

[[noreturn]] void leave(j_common_ptr info) {
    info->err->format_message(info, managerOf(info).why);
    std::longjmp(managerOf(info).back, 1);
}

// Some warnings are about labels (an unknown JFIF revision), others mean that pixels are lost.
void noteWarning(j_common_ptr info, int level) {
    if (level >= 0) return;
    const int code = info->err->msg_code;
    if (code != JWRN_HIT_MARKER && code != JWRN_HUFF_BAD_CODE && code != JWRN_MUST_RESYNC && code != JWRN_ARITH_BAD_CODE && code != JWRN_JPEG_EOF) return;
    ErrorManager& manager = managerOf(info);
    if (!manager.damaged) info->err->format_message(info, manager.why);
    manager.damaged = true;
}

void keepSilent(j_common_ptr) {}

// Adobe stores inks inverted: 255 is no ink.
void inksToRgb(const std::uint8_t* inks, std::uint8_t* rgb, int width) {
    for (int x = 0; x < width; ++x, inks += 4, rgb += 3)
        for (int c = 0; c < 3; ++c) rgb[c] = static_cast<std::uint8_t>((inks[c] * inks[3] + 127) / 255);
}

// No object with a destructor may live in this function's own frame beyond setjmp: libjpeg leaves it by longjmp.
bool decode(jpeg_decompress_struct& info, ErrorManager& manager, std::string_view jpeg, int wanted, RgbPicture& picture, std::vector<std::uint8_t>& inks) {
    if (setjmp(manager.back) != 0) return false;
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(jpeg.data()), static_cast<unsigned long>(jpeg.size()));
    jpeg_read_header(&info, TRUE);
    const bool fourInks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    info.out_color_space = fourInks ? JCS_CMYK : JCS_RGB;
    const unsigned side = info.image_width < info.image_height ? info.image_width : info.image_height;
    info.scale_num = 1;
    info.scale_denom = 1;
    while (info.scale_denom < 8 && side / (info.scale_denom * 2) >= static_cast<unsigned>(wanted)) info.scale_denom *= 2;
    jpeg_start_decompress(&info);
    picture.width = static_cast<int>(info.output_width);
    picture.height = static_cast<int>(info.output_height);
    const std::size_t stride = std::size_t{info.output_width} * 3;
    picture.rgb.resize(stride * info.output_height);
    inks.resize(fourInks ? std::size_t{info.output_width} * 4 : 0);
    while (info.output_scanline < info.output_height) {
        std::uint8_t* target = picture.rgb.data() + stride * info.output_scanline;
        JSAMPROW row = fourInks ? inks.data() : target;
        if (jpeg_read_scanlines(&info, &row, 1) != 1) return false;
        if (fourInks) inksToRgb(inks.data(), target, picture.width);
    }
    jpeg_finish_decompress(&info);
    return true;
}

}  // namespace

tl::expected<RgbPicture, std::string> decodeJpeg(std::string_view jpeg, int wanted) {
    ErrorManager manager;
    jpeg_decompress_struct info{};
    info.err = jpeg_std_error(&manager.base);
    manager.base.error_exit = leave;
    manager.base.emit_message = noteWarning;
    manager.base.output_message = keepSilent;
    RgbPicture picture;
    std::vector<std::uint8_t> inks;
    const bool whole = decode(info, manager, jpeg, wanted, picture, inks);
    jpeg_destroy_decompress(&info);
    if (!whole || manager.damaged) return tl::unexpected("its JPEG data are damaged: " + std::string(manager.why));
    return picture;
}

}  // namespace es::datasets
