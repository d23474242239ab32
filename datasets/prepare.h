// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "datasets/dataset.h"

namespace es::datasets {

/// prepare() with a number of threads (0: all cores), for tests that compare them.
[[nodiscard]] Result<Report> prepareWithThreads(const config::DataOptions& options, int threads, const JobContext& context);

}  // namespace es::datasets
