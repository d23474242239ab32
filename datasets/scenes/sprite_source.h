// SPDX-License-Identifier: GPL-3.0-or-later
// The set "sprites": real cut-outs pasted into scenes, so that real pictures come with the truth of what is where.
#pragma once

#include "datasets/source.h"

namespace es::datasets {

inline constexpr const char* kSpritesSet = "sprites";

/// `parts`: the sets whose pictures are cut out, opened without keywords.
[[nodiscard]] std::unique_ptr<Source> openSpriteSource(std::vector<std::unique_ptr<Source>> parts, std::int64_t count, std::uint64_t seed);

}  // namespace es::datasets
