// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/objects/svg.h"

#include <cairo.h>
#include <librsvg/rsvg.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <opencv2/core/utility.hpp>

namespace es::datasets {
namespace {

struct Unreferenced {
    void operator()(RsvgHandle* handle) const { g_object_unref(handle); }
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
    void operator()(cairo_t* context) const { cairo_destroy(context); }
    void operator()(GError* error) const { g_error_free(error); }
};
template <class T>
using Owned = std::unique_ptr<T, Unreferenced>;

std::string whyOf(GError* error) {
    const Owned<GError> owned(error);
    std::string why = error && error->message ? std::string("it cannot be drawn: ") + error->message : "it cannot be drawn";
    while (why.ends_with('\n')) why.pop_back();
    return why;
}

std::uint8_t straightened(std::uint32_t colour, std::uint32_t alpha) { return static_cast<std::uint8_t>(std::min(255U, (colour * 255 + alpha / 2) / alpha)); }

}  // namespace

tl::expected<std::vector<std::uint8_t>, std::string> drawSvg(std::string_view file, std::int64_t size) {
    GError* error = nullptr;
    const Owned<RsvgHandle> handle(rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(file.data()), file.size(), &error));
    if (!handle) return tl::unexpected(whyOf(error));
    const int side = static_cast<int>(size);
    const Owned<cairo_surface_t> surface(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, side, side));
    const Owned<cairo_t> context(cairo_create(surface.get()));
    const RsvgRectangle whole{0, 0, static_cast<double>(side), static_cast<double>(side)};
    if (!rsvg_handle_render_document(handle.get(), context.get(), &whole, &error)) return tl::unexpected(whyOf(error));
    cairo_surface_flush(surface.get());
    if (cairo_status(context.get()) != CAIRO_STATUS_SUCCESS || cairo_surface_status(surface.get()) != CAIRO_STATUS_SUCCESS)
        return tl::unexpected(std::string("it cannot be drawn: ") + cairo_status_to_string(cairo_status(context.get())));
    const unsigned char* rows = cairo_image_surface_get_data(surface.get());
    const int stride = cairo_image_surface_get_stride(surface.get());
    std::vector<std::uint8_t> rgba(static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 4, 0);
    std::uint8_t* out = rgba.data();
    for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x, out += 4) {
            std::uint32_t pixel = 0;
            std::memcpy(&pixel, rows + static_cast<std::ptrdiff_t>(y) * stride + static_cast<std::ptrdiff_t>(x) * 4, 4);
            const std::uint32_t alpha = pixel >> 24;
            if (alpha == 0) continue;
            out[0] = straightened((pixel >> 16) & 0xFF, alpha);
            out[1] = straightened((pixel >> 8) & 0xFF, alpha);
            out[2] = straightened(pixel & 0xFF, alpha);
            out[3] = static_cast<std::uint8_t>(alpha);
        }
    return rgba;
}

std::string picturePrograms() {
    return fmt::format("librsvg {}.{}.{}, cairo {}, OpenCV {}", rsvg_major_version, rsvg_minor_version, rsvg_micro_version, cairo_version_string(),
                       cv::getVersionString());
}

}  // namespace es::datasets
