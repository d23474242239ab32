// SPDX-License-Identifier: GPL-3.0-or-later
// Independent pieces of work of uneven size, shared among the intra-op threads.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace es::engine::kernels {

/// Calls work(i) once for each i in [0, items), each on some thread; returns when all are done. A free thread takes the next item, so
/// uneven items balance. What an item computes must not depend on the thread: then the results do not depend on their number.
/// Library calls inside an item run on one thread, because they see that they are in a parallel region. `operations` is a guess at the
/// multiply-adds of all items together: little work is not worth waking threads.
template <class Work>
void forEachItem(std::int64_t items, double operations, const Work& work) {
    constexpr double kWorthThreads = 4e5;
    const std::int64_t threads = operations < kWorthThreads ? 1 : std::min<std::int64_t>(at::get_num_threads(), items);
    if (threads <= 1 || at::in_parallel_region()) {
        for (std::int64_t i = 0; i < items; ++i) work(i);
        return;
    }
    std::atomic<std::int64_t> next{0};
    at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
        for (std::int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < items; i = next.fetch_add(1, std::memory_order_relaxed)) work(i);
    });
}

}  // namespace es::engine::kernels
