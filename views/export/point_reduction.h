// SPDX-License-Identifier: GPL-3.0-or-later
// Which points of a long curve are drawn. The data file beside a figure marks the same ones.
#pragma once

#include <cstdint>
#include <vector>

namespace es::views::page {

/// Columns that a curve is drawn in: finer than any printer shows on a panel of a paper.
inline constexpr int kDrawnColumns = 800;

/// 1 for each point that is drawn: the first, last, lowest and highest of every column of x (after Jugel et al., "M4", VLDB 2014), so
/// that no extreme is lost. NaN points are kept, since they break the line. All are drawn when there are at most 4 a column.
[[nodiscard]] std::vector<std::uint8_t> drawnPoints(const std::vector<double>& x, const std::vector<double>& y, int columns = kDrawnColumns);

/// How many neighbouring columns of a heat map are averaged into one on a page: 1 up to 400 columns.
[[nodiscard]] constexpr std::int32_t columnsPerCell(std::int32_t columns) { return columns <= 0 ? 1 : (columns + 399) / 400; }

}  // namespace es::views::page
