// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/picture.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "datasets/dataset.h"
#include "datasets/jpeg.h"
#include "datasets/picture_header.h"
#include "engine/base/files.h"

namespace es::datasets {
namespace {

template <class T>
using OrWhy = tl::expected<T, std::string>;

void silenceOpenCv() {
    static std::once_flag once;
    std::call_once(once, [] { cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT); });
}

// A photograph of 100 megapixels takes a gigabyte while it is converted: such pictures go one at a time.
std::unique_lock<std::mutex> waitIfHuge(std::int64_t pixels) {
    static std::mutex huge;
    return pixels > 16'000'000 ? std::unique_lock(huge) : std::unique_lock<std::mutex>();
}

cv::Mat turned(const cv::Mat& picture, int orientation) {
    cv::Mat out = picture;
    if (orientation == 5 || orientation == 7) cv::transpose(picture, out);
    if (orientation == 2) cv::flip(picture, out, 1);
    if (orientation == 3) cv::rotate(picture, out, cv::ROTATE_180);
    if (orientation == 4) cv::flip(picture, out, 0);
    if (orientation == 7) cv::rotate(out, out, cv::ROTATE_180);
    if (orientation == 6) cv::rotate(picture, out, cv::ROTATE_90_CLOCKWISE);
    if (orientation == 8) cv::rotate(picture, out, cv::ROTATE_90_COUNTERCLOCKWISE);
    return out;
}

OrWhy<cv::Mat> toRgba(const cv::Mat& decoded) {
    cv::Mat bytes = decoded;
    if (decoded.depth() == CV_16U) decoded.convertTo(bytes, CV_8U, 1.0 / 257.0);
    else if (decoded.depth() != CV_8U)
        return tl::unexpected(std::string("its pixels are floating-point or signed numbers, which is not supported; save it as 8 or 16 bit"));
    cv::Mat rgba;
    if (bytes.channels() == 1) cv::cvtColor(bytes, rgba, cv::COLOR_GRAY2RGBA);
    else if (bytes.channels() == 3) cv::cvtColor(bytes, rgba, cv::COLOR_BGR2RGBA);
    else if (bytes.channels() == 4) cv::cvtColor(bytes, rgba, cv::COLOR_BGRA2RGBA);
    else return tl::unexpected(fmt::format("it has {} channels; save it as grey, RGB or RGBA", bytes.channels()));
    return rgba;
}

bool isOpaque(const cv::Mat& rgba) {
    for (int y = 0; y < rgba.rows; ++y) {
        const auto* pixel = rgba.ptr<std::uint8_t>(y);
        for (int x = 0; x < rgba.cols; ++x)
            if (pixel[4 * x + 3] != 255) return false;
    }
    return true;
}

// colour * alpha fits 16 bits, so nothing is lost before the filter.
cv::Mat premultiplied(const cv::Mat& rgba) {
    cv::Mat out(rgba.size(), CV_16UC4);
    for (int y = 0; y < rgba.rows; ++y) {
        const auto* from = rgba.ptr<std::uint8_t>(y);
        auto* to = out.ptr<std::uint16_t>(y);
        for (int x = 0; x < rgba.cols; ++x, from += 4, to += 4) {
            const unsigned alpha = from[3];
            for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint16_t>(from[c] * alpha);
            to[3] = static_cast<std::uint16_t>(alpha * 255);
        }
    }
    return out;
}

cv::Mat straightened(const cv::Mat& premultiplied) {
    cv::Mat out(premultiplied.size(), CV_8UC4);
    for (int y = 0; y < out.rows; ++y) {
        const auto* from = premultiplied.ptr<std::uint16_t>(y);
        auto* to = out.ptr<std::uint8_t>(y);
        for (int x = 0; x < out.cols; ++x, from += 4, to += 4) {
            const unsigned alpha = (from[3] + 127U) / 255U;
            for (int c = 0; c < 3; ++c)
                to[c] = alpha == 0 ? 0 : static_cast<std::uint8_t>(std::min(255U, (from[c] * 255U + from[3] / 2U) / std::max<unsigned>(1, from[3])));
            to[3] = static_cast<std::uint8_t>(alpha);
        }
    }
    return out;
}

std::vector<std::uint8_t> fit(const cv::Mat& rgba, int size) {
    const double scale = std::min(static_cast<double>(size) / rgba.cols, static_cast<double>(size) / rgba.rows);
    const auto side = [&](int length) { return std::clamp(static_cast<int>(std::lround(length * scale)), 1, size); };
    const cv::Size target(side(rgba.cols), side(rgba.rows));
    const int filter = scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR;
    cv::Mat small;
    if (target == rgba.size()) {
        small = rgba;
    } else if (isOpaque(rgba)) {
        cv::resize(rgba, small, target, 0, 0, filter);
    } else {
        cv::resize(premultiplied(rgba), small, target, 0, 0, filter);
        small = straightened(small);
    }
    std::vector<std::uint8_t> out(static_cast<std::size_t>(size) * static_cast<std::size_t>(size) * 4, 0);
    cv::Mat canvas(size, size, CV_8UC4, out.data());
    small.copyTo(canvas(cv::Rect((size - target.width) / 2, (size - target.height) / 2, target.width, target.height)));
    return out;
}

bool isEmpty(const std::vector<std::uint8_t>& rgba) {
    for (std::size_t i = 3; i < rgba.size(); i += 4)
        if (rgba[i] != 0) return false;
    return true;
}

OrWhy<cv::Mat> decodeRgba(std::string_view file, const PictureHeader& header, int size) {
    if (header.format == "JPEG") {
        auto picture = decodeJpeg(file, 2 * size);
        if (!picture) return tl::unexpected(picture.error());
        cv::Mat rgba;
        cv::cvtColor(cv::Mat(picture->height, picture->width, CV_8UC3, picture->rgb.data()), rgba, cv::COLOR_RGB2RGBA);
        return rgba;
    }
    const std::string filtered = header.format == "PNG" ? pngPixelsOnly(file) : std::string();
    const std::string_view bytes = filtered.empty() ? file : std::string_view(filtered);
    // Unchanged keeps alpha and 16 bits; it also ignores EXIF, which is applied later.
    const cv::Mat buffer(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
    const cv::Mat decoded = cv::imdecode(buffer, cv::IMREAD_UNCHANGED);
    if (decoded.empty()) return tl::unexpected(fmt::format("its {} data are damaged or of an unusual kind", header.format));
    if (decoded.cols != header.width || decoded.rows != header.height) return tl::unexpected(std::string("its header and its pixels disagree about its size"));
    return toRgba(decoded);
}

OrWhy<std::vector<std::uint8_t>> decodeAndFit(std::string_view file, const PictureHeader& header, int size) {
    const auto rgba = decodeRgba(file, header, size);
    if (!rgba) return tl::unexpected(rgba.error());
    auto fitted = fit(turned(*rgba, header.orientation), size);
    if (isEmpty(fitted)) return tl::unexpected(std::string("it is fully transparent"));
    return fitted;
}

bool isGoodSize(std::int64_t size) { return size >= 1 && size <= 16384; }

}  // namespace

OrWhy<std::vector<std::uint8_t>> convertPicture(std::string_view file, std::int64_t size) {
    const auto header = readPictureHeader(file);
    if (!header) return tl::unexpected(header.error());
    if (header->width > kMostPixels / header->height)
        return tl::unexpected(fmt::format("it has {} x {} pixels, more than the limit of {} megapixels; make it smaller", header->width, header->height,
                                          kMostPixels / 1'000'000));
    if (!isGoodSize(size)) return tl::unexpected(fmt::format("pictures of {} x {} pixels cannot be made", size, size));
    silenceOpenCv();
    const auto turn = waitIfHuge(header->width * header->height);
    try {
        return decodeAndFit(file, *header, static_cast<int>(size));
    } catch (const cv::Exception& e) {
        return tl::unexpected(fmt::format("its {} data are damaged or of an unusual kind ({})", header->format, e.err));
    } catch (const std::bad_alloc&) {
        return tl::unexpected(std::string("there is not enough memory to decode it"));
    }
}

Result<std::vector<std::uint8_t>> loadPicture(const std::filesystem::path& file, std::int64_t size) {
    const auto content = readFile(file, kMostFileBytes);
    if (!content) return tl::unexpected(content.error());
    auto picture = convertPicture(*content, size);
    if (!picture) return badInput("Cannot read the picture", picture.error(), "Use a whole PNG or JPEG file", file.string());
    return std::move(*picture);
}

Result<std::vector<std::uint8_t>> fitPicture(std::span<const std::uint8_t> rgba, std::int64_t width, std::int64_t height, std::int64_t size) {
    const std::string what = "Cannot use the picture";
    if (width <= 0 || height <= 0 || width > kMostPixels / height || rgba.size() != static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 4)
        return badInput(what, fmt::format("{} bytes are not {} x {} RGBA pixels", rgba.size(), width, height), "Give width x height x 4 bytes");
    if (!isGoodSize(size)) return badInput(what, fmt::format("it cannot be made {} x {} pixels", size, size), "Choose a size of 8 to 1024 pixels");
    silenceOpenCv();
    try {
        const cv::Mat picture(static_cast<int>(height), static_cast<int>(width), CV_8UC4, const_cast<std::uint8_t*>(rgba.data()));
        return fit(picture, static_cast<int>(size));
    } catch (const std::exception& e) {
        return jobFailed(what, e.what(), "Try a smaller picture");
    }
}

}  // namespace es::datasets
