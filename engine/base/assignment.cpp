// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/assignment.h"

#include <cmath>
#include <limits>

namespace es {

std::vector<std::int32_t> bestAssignment(std::span<const double> scores, std::int32_t n) {
    const auto size = static_cast<std::size_t>(n > 0 ? n : 0);
    if (size == 0) return {};
    // Potentials of rows and columns and the matching, counted from 1 so that 0 means none. Cost is minus the score.
    std::vector<double> row_potential(size + 1, 0), column_potential(size + 1, 0);
    std::vector<std::size_t> row_of(size + 1, 0), previous(size + 1, 0);
    for (std::size_t row = 1; row <= size; ++row) {
        row_of[0] = row;
        std::vector<double> distance(size + 1, std::numeric_limits<double>::infinity());
        std::vector<char> done(size + 1, 0);
        std::size_t column = 0;
        do {
            done[column] = 1;
            const std::size_t from = row_of[column];
            double least = std::numeric_limits<double>::infinity();
            std::size_t next = 0;
            for (std::size_t j = 1; j <= size; ++j) {
                if (done[j]) continue;
                const double score = scores[(from - 1) * size + (j - 1)];
                const double reduced = -(std::isfinite(score) ? score : 0.0) - row_potential[from] - column_potential[j];
                if (reduced < distance[j]) {
                    distance[j] = reduced;
                    previous[j] = column;
                }
                if (distance[j] < least) {
                    least = distance[j];
                    next = j;
                }
            }
            for (std::size_t j = 0; j <= size; ++j) {
                if (done[j]) {
                    row_potential[row_of[j]] += least;
                    column_potential[j] -= least;
                } else {
                    distance[j] -= least;
                }
            }
            column = next;
        } while (row_of[column] != 0);
        while (column != 0) {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    std::vector<std::int32_t> column_of(size, -1);
    for (std::size_t j = 1; j <= size; ++j) column_of[row_of[j] - 1] = static_cast<std::int32_t>(j - 1);
    return column_of;
}

}  // namespace es
