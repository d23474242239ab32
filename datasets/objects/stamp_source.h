// SPDX-License-Identifier: GPL-3.0-or-later
// The set "stamps": cut-out pictures of everyday things with a sentence each (Tux Paint's stamps).
#pragma once

#include <filesystem>

#include "datasets/source.h"

namespace es::datasets {

inline constexpr const char* kStampsSet = "stamps";
inline constexpr const char* kStampsPackage = "tuxpaint-stamps-default";
inline constexpr const char* kStampsRoot = "/usr/share/tuxpaint/stamps";

/// Fails, naming the package to install, when there are no stamps below the root.
[[nodiscard]] Result<std::unique_ptr<Source>> openStampSource(const std::filesystem::path& root = kStampsRoot);
/// The English text of a stamp's text file, made a caption: "A wrench." gives "a wrench"; names of two capitals stay. Empty when there is none.
[[nodiscard]] std::string stampCaption(std::string_view file);

}  // namespace es::datasets
