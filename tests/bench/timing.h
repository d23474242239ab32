// SPDX-License-Identifier: GPL-3.0-or-later
// What benchmarks share: a clock, and the words for a median with its spread.
#pragma once

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

namespace es::bench {

/// CLOCK_MONOTONIC, or CLOCK_PROCESS_CPUTIME_ID where somebody asks for processor time.
inline clockid_t& chosenClock() {
    static clockid_t clock = CLOCK_MONOTONIC;
    return clock;
}

inline double nowMs() {
    timespec time{};
    clock_gettime(chosenClock(), &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

inline double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

/// "median [tenth - ninetieth percentile]"; `format` is printf's, of one number.
inline std::string spread(std::vector<double> values, const char* format) {
    std::ranges::sort(values);
    char text[96], pattern[32];
    std::snprintf(pattern, sizeof pattern, "%s [%s - %s]", format, format, format);
    std::snprintf(text, sizeof text, pattern, values[values.size() / 2], values[values.size() / 10], values[values.size() * 9 / 10]);
    return text;
}

/// other[i] / own[i]: how many times as fast as the other, turn by turn.
inline std::vector<double> ratios(const std::vector<double>& other, const std::vector<double>& own) {
    std::vector<double> made;
    for (std::size_t i = 0; i < std::min(own.size(), other.size()); ++i) made.push_back(other[i] / own[i]);
    return made;
}

}  // namespace es::bench
