// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>

namespace es::analysis {

/// Mean and spread of the finite values; others are counted in `non_finite`. Two passes, so large offsets do not cost digits.
struct Moments {
    std::int64_t n = 0, non_finite = 0;
    double mean = 0;                 ///< NaN when n = 0
    double variance_population = 0;  ///< divided by n; NaN when n = 0
    double variance_sample = 0;      ///< divided by n - 1; NaN when n < 2
    [[nodiscard]] double sdPopulation() const;
    [[nodiscard]] double sdSample() const;
};
[[nodiscard]] Moments moments(std::span<const double> values);

}  // namespace es::analysis
