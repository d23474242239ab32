// SPDX-License-Identifier: GPL-3.0-or-later
// What queries ask of one router's probe, as columns that are walked over quickly.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/bytes.h"
#include "engine/store/records.h"

namespace es::analysis {

/// Rises when the columns change: kept ones of another version are not read.
inline constexpr int kQueryColumnsVersion = 2;

/// One bit a row, from bit 0 of the first word; bits beyond the last row are 0.
using Bits = std::vector<std::uint64_t>;
[[nodiscard]] inline std::size_t wordsFor(std::int64_t rows) { return static_cast<std::size_t>((rows + 63) / 64); }

/// A float as a number of 16 bits that keeps the order of values, in half precision; 0 for NaN (not recorded).
[[nodiscard]] std::uint16_t orderedKey(float value);

/// Values are ordered keys. Empty: not recorded.
struct RouterColumns {
    store::RouterInfo router;
    std::int64_t rows = 0;
    std::vector<store::TokenRun> runs;
    std::int32_t width = 0;              ///< experts a row; 0: as offsets say. Dense routing keeps its expert of largest mass alone
    std::vector<std::uint8_t> narrow;    ///< expert ids of routers with at most 255 experts
    std::vector<std::uint16_t> wide;     ///< of the others
    std::vector<std::uint32_t> offsets;  ///< of ragged routing
    std::vector<std::uint16_t> first;    ///< first choices of ragged routing; 0xFFFF: none
    std::vector<std::uint16_t> weight;   ///< of the first choice
    std::vector<std::uint16_t> margin, entropy;
    Bits masked, dropped;

    [[nodiscard]] std::size_t bytes() const;  ///< of memory
    void write(store::ByteWriter& out) const;
    /// False when the bytes are not such columns.
    [[nodiscard]] bool read(store::ByteReader& in);
};

/// Margin and entropy are taken from the distributions where they were not recorded themselves.
[[nodiscard]] RouterColumns columnsOf(const store::RoutingChunk& chunk);

}  // namespace es::analysis
