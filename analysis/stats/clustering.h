// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace es::analysis {

/// One merge of a hierarchical clustering: clusters are numbered 0 .. n-1 for items, n + i for the result of merge i.
struct ClusterMerge {
    std::int32_t a = 0, b = 0;
    double distance = 0;
};
struct Clustering {
    std::vector<ClusterMerge> merges;  ///< n - 1, distances ascending
    std::vector<std::int32_t> order;   ///< the items so that what is alike stands together
};
/// Average linkage (UPGMA, Sokal and Michener 1958) of n items by their distances (n x n, row-major, symmetric, the diagonal ignored; NaN counts as
/// the largest). At each merge the two sides are turned so that the nearest ends meet (Gruvaeus and Wainer 1972). Ties go to the lower numbers.
/// O(n³): meant for up to some hundreds of items.
[[nodiscard]] Clustering averageLinkage(std::span<const double> distance_NN, std::int32_t n);

}  // namespace es::analysis
