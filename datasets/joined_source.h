// SPDX-License-Identifier: GPL-3.0-or-later
// Several sets as one: "objects", "objects+scenes".
#pragma once

#include "datasets/source.h"

namespace es::datasets {

/// Each part keeps its domain; its categories are prefixed by its name ("stamps: animals").
[[nodiscard]] std::unique_ptr<Source> joinSources(std::string name, std::string stem, std::vector<std::unique_ptr<Source>> parts);

}  // namespace es::datasets
