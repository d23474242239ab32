// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/nearest.h"

#include <algorithm>
#include <numeric>

namespace es::analysis {
namespace {

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> candidates) {
    std::string best;
    std::size_t least = std::max<std::size_t>(name.size() / 2, 1) + 1;
    for (const std::string& candidate : candidates)
        if (const std::size_t d = distance(name, candidate); d < least) {
            least = d;
            best = candidate;
        }
    return best;
}

std::string knownNames(std::string_view name, const std::vector<std::string>& candidates) {
    std::string words;
    if (const std::string near = nearest(name, candidates); !near.empty()) words = "Did you mean '" + near + "'? ";
    words += "Known: ";
    for (std::size_t i = 0; i < candidates.size(); ++i) words += (i ? ", " : "") + candidates[i];
    return words;
}

}  // namespace es::analysis
