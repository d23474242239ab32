// SPDX-License-Identifier: GPL-3.0-or-later
// The set "scenes": drawn objects of known shape, colour, size, texture and place, with captions of which every word's role is known.
#pragma once

#include "datasets/source.h"

namespace es::datasets {

inline constexpr const char* kScenesSet = "scenes";

[[nodiscard]] std::unique_ptr<Source> openSceneSource(std::int64_t count, std::uint64_t seed);

}  // namespace es::datasets
