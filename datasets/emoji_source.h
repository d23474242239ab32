// SPDX-License-Identifier: GPL-3.0-or-later
// The emoji set: a picture of each emoji from the colour font, its CLDR name and keywords, its Unicode group and subgroup.
#pragma once

#include "datasets/emoji_texts.h"
#include "datasets/source.h"

namespace es::datasets {

inline constexpr const char* kEmojiSet = "emoji";

/// Fails, naming the packages to install, when a file is missing.
[[nodiscard]] Result<std::unique_ptr<Source>> openEmojiSource(bool keywords, const EmojiFiles& files = findEmojiFiles());

}  // namespace es::datasets
