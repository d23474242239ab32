// SPDX-License-Identifier: GPL-3.0-or-later
// What is hidden from the model: blocks of patches, and single pieces of words or whole words.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/random.h"

namespace es::engine {

/// Hides round(ratio * height * width) patches of a grid in rectangular blocks (BEiT-2's block-wise masking): aspect from 0.3 to 1/0.3,
/// log-uniform, each block at least 16/196 of the grid as long as that many are still to hide. Exact count; 1 is hidden, row by row.
[[nodiscard]] std::vector<std::uint8_t> blockMask(std::int64_t height, std::int64_t width, double ratio, RandomStream& random);

/// How many of `maskable` words are hidden at this ratio: the rounded share, at least one, none when there is nothing to hide.
[[nodiscard]] std::int64_t maskedWordCount(std::int64_t maskable, double ratio);

/// Hides maskedWordCount words, each maskable one equally likely. The unknown word and padding are never hidden. 1 is hidden.
[[nodiscard]] std::vector<std::uint8_t> wordMask(std::span<const std::int32_t> ids, std::int32_t unknown_id, std::int32_t pad_id, double ratio,
                                                 RandomStream& random);

/// The same for whole words (whole-word masking, as VLMo's texts have it): a piece for which `starts_word` is 0 continues the word before it,
/// and the pieces of a word are hidden together. Words, each equally likely, are hidden until at least maskedWordCount pieces are; a word with
/// an unknown piece never is. `starts_word`: one entry a piece; the first piece starts a word whatever it says.
[[nodiscard]] std::vector<std::uint8_t> wholeWordMask(std::span<const std::int32_t> ids, std::span<const std::uint8_t> starts_word, std::int32_t unknown_id,
                                                      std::int32_t pad_id, double ratio, RandomStream& random);

}  // namespace es::engine
