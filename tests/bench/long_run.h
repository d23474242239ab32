// SPDX-License-Identifier: GPL-3.0-or-later
// What benchmarks of long runs share: results that must be there, and the memory that they took.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "engine/base/result.h"

namespace es::bench {

[[noreturn]] inline void die(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

template <class T>
T must(Result<T> result) {
    if (!result) die(result.error().message());
    return std::move(*result);
}

/// Megabytes of this process: "VmHWM" the most there ever was, "VmRSS" now.
inline double memoryMb(const char* what) {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(what)) return std::atof(line.c_str() + std::strlen(what) + 1) / 1024;
    return 0;
}

}  // namespace es::bench
