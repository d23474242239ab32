// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/label_layout.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace es::views {

std::vector<double> spreadLabels(const std::vector<double>& wanted, double height, double top, double bottom) {
    const std::size_t n = wanted.size();
    if (n == 0 || static_cast<double>(n) * height > bottom - top) return {};
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });

    struct Block {
        std::size_t first, count;
        double sum;  ///< of the wanted centre of the block's first label
        [[nodiscard]] double start(double h, double lo, double hi) const {
            const double span = static_cast<double>(count) * h;
            return std::clamp(sum / static_cast<double>(count) - h / 2, lo, hi - span);
        }
    };
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < n; ++i) {
        blocks.push_back({i, 1, wanted[order[i]]});
        while (blocks.size() > 1) {
            Block& above = blocks[blocks.size() - 2];
            const Block& below = blocks.back();
            if (above.start(height, top, bottom) + static_cast<double>(above.count) * height <= below.start(height, top, bottom) + 1e-9) break;
            above.sum += below.sum - static_cast<double>(below.count * above.count) * height;
            above.count += below.count;
            blocks.pop_back();
        }
    }
    std::vector<double> placed(n);
    for (const Block& block : blocks)
        for (std::size_t i = 0; i < block.count; ++i)
            placed[order[block.first + i]] = block.start(height, top, bottom) + (static_cast<double>(i) + 0.5) * height;
    return placed;
}

}  // namespace es::views
