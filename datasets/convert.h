// SPDX-License-Identifier: GPL-3.0-or-later
// From a source to samples: pictures read in parallel, damage and duplicates sorted out, splits decided. The result does not depend on
// the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/cache_writer.h"
#include "datasets/source.h"

namespace es::datasets {

struct Conversion {
    Report report;                      ///< without cache, vocabulary and seconds
    std::vector<Item> items;            ///< all of the source
    std::vector<PlacedSample> samples;  ///< those that are kept; they point into items
    int threads_used = 0;
};

/// `threads` 0 takes all cores. `writer` null: everything is read and nothing written. Nothing usable is no error here.
[[nodiscard]] Result<Conversion> convert(Source& source, std::int64_t image_size, int threads, CacheWriter* writer, const JobContext& context);

}  // namespace es::datasets
