// SPDX-License-Identifier: GPL-3.0-or-later
// The scale of the colours of a data set.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/dataset.h"
#include "engine/data/picture_patches.h"

namespace es::engine {

/// Mean and deviation of each colour over (at most 4,096, evenly spaced, of) these samples, which have pictures. Deviations are at least 0.05.
[[nodiscard]] PictureScale measurePixelScale(const datasets::Dataset& dataset, const std::vector<std::int64_t>& pictures);

}  // namespace es::engine
