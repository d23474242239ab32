// SPDX-License-Identifier: GPL-3.0-or-later
// How often intervals hold the truth.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <utility>

#include "analysis/stats/intervals.h"
#include "engine/base/random.h"

namespace es::test {

using analysis::Interval;

inline constexpr int kStudies = 2000;

/// Share of studies, of those whose interval is given, that holds the truth: 95 +- 1.5 %. `least_given`: share of the studies that must give one.
inline void covers(const char* name, const std::function<std::pair<Interval, double>(RandomStream&)>& study, double least_given = 1) {
    int held = 0, given = 0;
    for (int i = 0; i < kStudies; ++i) {
        RandomStream random(20, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(i));
        const auto [interval, truth] = study(random);
        if (std::isnan(interval.low) || std::isnan(interval.high)) continue;
        ++given;
        held += interval.low <= truth && truth <= interval.high;
    }
    ASSERT_GE(given, least_given * kStudies) << name;
    const double coverage = 100.0 * held / given;
    std::printf("%-62s holds the truth in %.1f %% of %d\n", name, coverage, given);
    EXPECT_NEAR(coverage, 95, 1.5) << name;
}

}  // namespace es::test
