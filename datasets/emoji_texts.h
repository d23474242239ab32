// SPDX-License-Identifier: GPL-3.0-or-later
// Names, keywords and groups of the emoji: Unicode's emoji-test.txt and the CLDR annotations, as the Debian packages install them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace es::datasets {

struct EmojiFiles {
    std::filesystem::path font;                  ///< a colour font with bitmap strikes
    std::filesystem::path annotations, derived;  ///< CLDR, English
    std::filesystem::path groups;                ///< emoji-test.txt
    std::vector<std::string> missing;            ///< what was not found, for people
};
/// Looks below `root` ("/usr/share") and, for the font, wherever fonts are installed.
[[nodiscard]] EmojiFiles findEmojiFiles(const std::filesystem::path& root = "/usr/share");

struct EmojiText {
    std::u32string code_points;              ///< fully qualified, with U+FE0F where the standard puts it
    std::string name = {};                   ///< "woman superhero: medium-dark skin tone"
    std::vector<std::string> keywords = {};  ///< without those that the name already says
    std::string group = {}, subgroup = {};
};
/// All emoji that have a name, in the order of emoji-test.txt. Fails naming the file that cannot be understood.
[[nodiscard]] Result<std::vector<EmojiText>> readEmojiTexts(const EmojiFiles& files);

}  // namespace es::datasets
