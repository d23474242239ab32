// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/pixel_scale.h"

#include <algorithm>
#include <cmath>

namespace es::engine {
namespace {

constexpr std::int64_t kScalePictures = 4096;
constexpr double kSmallestDeviation = 0.05;

}  // namespace

PictureScale measurePixelScale(const datasets::Dataset& dataset, const std::vector<std::int64_t>& pictures) {
    PictureScale scale;
    std::array<double, 3> sum{}, squares{};
    double pixels = 0;
    const auto count = static_cast<std::int64_t>(pictures.size());
    const std::int64_t used = std::min(count, kScalePictures);
    for (std::int64_t i = 0; i < used; ++i) {
        const auto rgba = dataset.sample(pictures[static_cast<std::size_t>(i * count / used)]).rgba;
        addColours(rgba, sum, squares);
        pixels += static_cast<double>(rgba.size()) / 4;
    }
    if (pixels == 0) return scale;
    for (std::size_t c = 0; c < 3; ++c) {
        const double mean = sum[c] / pixels;
        scale.mean[c] = static_cast<float>(mean);
        scale.deviation[c] = static_cast<float>(std::max(kSmallestDeviation, std::sqrt(std::max(0.0, squares[c] / pixels - mean * mean))));
    }
    return scale;
}

}  // namespace es::engine
