// SPDX-License-Identifier: GPL-3.0-or-later
// Captions as people write them, made fit for training: valid UTF-8, one line, not endless. And what groups captions for the split.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace es::datasets {

inline constexpr std::int64_t kMostCaptionWords = 1000;
inline constexpr std::size_t kMostCaptionBytes = 16384;

[[nodiscard]] bool isValidUtf8(std::string_view text);
/// Each ill-formed sequence becomes U+FFFD (as the Unicode standard recommends: one for each maximal part).
[[nodiscard]] std::string repairUtf8(std::string_view text);
/// Code points of a valid text; ill-formed bytes become U+FFFD.
[[nodiscard]] std::u32string toCodePoints(std::string_view text);
[[nodiscard]] std::string toUtf8(std::u32string_view codePoints);
/// The longest prefix of at most `bytes` bytes that does not cut a character.
[[nodiscard]] std::string_view utf8Prefix(std::string_view text, std::size_t bytes);

struct CleanCaption {
    std::string text;        ///< one line, single spaces, no control characters; may be empty
    std::int64_t words = 0;  ///< before cutting
    bool repaired = false;   ///< was not valid UTF-8
    bool cut = false;        ///< had more than kMostCaptionWords words or kMostCaptionBytes bytes
};
[[nodiscard]] CleanCaption cleanCaption(std::string_view raw);

/// What captions that must share a split have in common: lower-case letters and digits, single spaces between.
[[nodiscard]] std::string splitKey(std::string_view caption);
/// The same for an emoji's name, without the parts that name a skin tone or hair: "woman: medium skin tone, red hair" gives "woman".
/// Flags and other names with a colon keep what follows it.
[[nodiscard]] std::string emojiSplitKey(std::string_view name);

}  // namespace es::datasets
