// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/point_reduction.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace es::views::page {

std::vector<std::uint8_t> drawnPoints(const std::vector<double>& x, const std::vector<double>& y, int columns) {
    const std::size_t n = std::min(x.size(), y.size());
    if (columns < 1 || n <= static_cast<std::size_t>(columns) * 4) return std::vector<std::uint8_t>(n, 1);
    std::vector<std::uint8_t> drawn(n, 0);
    double low = 0, high = 0;
    bool any = false;
    for (std::size_t i = 0; i < n; ++i) {
        if (!std::isfinite(x[i])) continue;
        low = any ? std::min(low, x[i]) : x[i];
        high = any ? std::max(high, x[i]) : x[i];
        any = true;
    }
    const auto columnOf = [&](std::size_t i) { return high > low ? std::min(columns - 1, static_cast<int>((x[i] - low) / (high - low) * columns)) : 0; };
    // x need not ascend (a resumed run without its older records does, an imported one may not): columns are runs of neighbours.
    for (std::size_t i = 0; i < n;) {
        if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
            drawn[i++] = 1;
            continue;
        }
        const std::size_t first = i;
        const int column = columnOf(i);
        std::size_t lowest = i, highest = i, last = i;
        for (; i < n && std::isfinite(x[i]) && std::isfinite(y[i]) && columnOf(i) == column; ++i) {
            if (y[i] < y[lowest]) lowest = i;
            if (y[i] > y[highest]) highest = i;
            last = i;
        }
        for (const std::size_t kept : {first, lowest, highest, last}) drawn[kept] = 1;
    }
    return drawn;
}

}  // namespace es::views::page
