// SPDX-License-Identifier: GPL-3.0-or-later
// Runs of any size, written at the speed of the disk: for what must not grow with a run.
#pragma once

#include <cstdint>
#include <filesystem>

#include "engine/base/result.h"

namespace es::test {

struct LargeRunOptions {
    std::int64_t assignments = 100'000'000;  ///< of the trace, over all routers; rounded up to whole steps
    std::int32_t layers = 2;                 ///< each with one router for both modalities
    std::int32_t experts = 8, k = 1;
    std::int64_t tokens_per_step = 8192;
    std::int64_t probe_rows = 0;  ///< tokens of the probe over all routers; 0: no probe
    std::int64_t samples = 512;
    std::int32_t side = 8;       ///< patches along a side of the picture; the caption has six words
    bool pictures = false;       ///< a picture of two pixels a patch for each sample
    bool scenes = false;         ///< each sample is a scene of its own: three objects of eight shapes and colours, words of 2,000 with their roles, known truth
    std::int32_t baselines = 0;  ///< probes of random routers beside the trained one, and with any of them one of step 0
};

/// A finished run. Step s routes samples s, s + 1 ..; a token's first expert is its sample's category (of 6) modulo E in half of the cases, any
/// in the others; further choices follow round. Gates are not recorded, so that a unit takes little more than the bits of its expert ids. The
/// folder must not exist or be empty.
[[nodiscard]] Status writeLargeRun(const std::filesystem::path& folder, const LargeRunOptions& options = {});

}  // namespace es::test
