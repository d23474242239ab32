// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures made larger or smaller with whole numbers only, so that every build on every machine makes the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace es::datasets {

/// Fits width x height RGBA pixels (alpha not multiplied in) into side x side, shape kept, transparent around. A pixel is the mean, weighted by alpha, of
/// what it covers of the original; enlarged, of a square of one original pixel around its centre, which is linear interpolation. All at least 1, at most
/// 16,384.
[[nodiscard]] std::vector<std::uint8_t> boxFitted(std::span<const std::uint8_t> rgba, std::int64_t width, std::int64_t height, std::int64_t side);

}  // namespace es::datasets
