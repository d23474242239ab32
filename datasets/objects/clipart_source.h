// SPDX-License-Identifier: GPL-3.0-or-later
// The set "clipart": Open Clip Art's drawings of things, cleaned of what is none.
#pragma once

#include <filesystem>

#include "datasets/source.h"

namespace es::datasets {

inline constexpr const char* kClipartSet = "clipart";
inline constexpr const char* kClipartPackage = "openclipart-svg";
inline constexpr const char* kClipartRoot = "/usr/share/openclipart/svg";

/// Fails, naming the package to install, when there are no drawings below the root.
[[nodiscard]] Result<std::unique_ptr<Source>> openClipartSource(bool keywords, const std::filesystem::path& root = kClipartRoot);

}  // namespace es::datasets
