// SPDX-License-Identifier: GPL-3.0-or-later
// How a picture looks at a glance: which ones are the same drawing, which show nothing.
#pragma once

#include <cstdint>
#include <span>

namespace es::datasets {

/// Pictures are told apart at this size, whatever size they are converted to: who looks alike, and so the splits, are the same at all.
inline constexpr std::int64_t kLooksSide = 72;

/// Equal for pictures that look alike at a glance: where brightness (on white) rises between neighbours of a 9 x 9 grid, across and down. Made for
/// finding copies of one drawing, not relatives. 0: it is too flat to tell.
[[nodiscard]] std::uint64_t looksOf(std::span<const std::uint8_t> rgba, std::int64_t size);
/// True when, on white, no two pixels differ.
[[nodiscard]] bool isUniform(std::span<const std::uint8_t> rgba);

}  // namespace es::datasets
