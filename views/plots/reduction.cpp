// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/reduction.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace es::views {

ReducedCurve reduceCurve(const std::vector<double>& x, const std::vector<double>& y, double low, double high, int columns) {
    ReducedCurve out;
    if (x.empty()) return out;
    auto first = static_cast<std::size_t>(std::lower_bound(x.begin(), x.end(), low) - x.begin());
    auto last = static_cast<std::size_t>(std::upper_bound(x.begin(), x.end(), high) - x.begin());
    if (first > 0) --first;
    if (last < x.size()) ++last;
    const std::size_t count = last - first;
    if (columns < 1) columns = 1;
    if (count <= static_cast<std::size_t>(columns) * 2) {
        out.x.assign(x.begin() + static_cast<std::ptrdiff_t>(first), x.begin() + static_cast<std::ptrdiff_t>(last));
        out.y.assign(y.begin() + static_cast<std::ptrdiff_t>(first), y.begin() + static_cast<std::ptrdiff_t>(last));
        return out;
    }
    out.reduced = true;
    const double start = x[first], width = (x[last - 1] - start) / columns;
    for (std::size_t i = first; i < last;) {
        const double column = width > 0 ? std::floor((x[i] - start) / width) : 0;
        const double end = start + (column + 1) * width;
        std::size_t lowest = i, highest = i, hole = last;
        bool any = false;
        std::size_t j = i;
        for (; j < last && (j == i || x[j] < end || width <= 0); ++j) {
            if (std::isnan(y[j])) {
                hole = j;
                continue;
            }
            if (!any || y[j] < y[lowest]) lowest = j;
            if (!any || y[j] > y[highest]) highest = j;
            any = true;
        }
        std::vector<std::size_t> keep;
        if (any) keep = {std::min(lowest, highest), std::max(lowest, highest)};
        if (any && lowest == highest) keep.pop_back();
        if (hole != last) keep.push_back(hole);
        if (i == first) keep.push_back(first);
        if (j == last) keep.push_back(last - 1);
        std::sort(keep.begin(), keep.end());
        keep.erase(std::unique(keep.begin(), keep.end()), keep.end());
        for (const std::size_t k : keep) {
            out.x.push_back(x[k]);
            out.y.push_back(y[k]);
        }
        i = j;
    }
    return out;
}

}  // namespace es::views
