// SPDX-License-Identifier: GPL-3.0-or-later
// Prepares the batches of the coming steps on threads of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/config/run_config.h"
#include "engine/data/batch.h"
#include "engine/data/data_source.h"

namespace es::engine {

/// Thread t of n makes the steps with step % n == t, at most a few ahead of the one asked for. A batch depends on its step alone, so the
/// result is the same to the bit for any number of threads.
class BatchLoader {
public:
    /// Steps from first to last, both included. config.data.threads threads.
    BatchLoader(std::shared_ptr<const DataSource> source, const config::RunConfig& config, std::int64_t first, std::int64_t last);
    ~BatchLoader();
    BatchLoader(const BatchLoader&) = delete;
    BatchLoader& operator=(const BatchLoader&) = delete;

    /// Waits for the batch of this step. Ask in ascending order, each step once. Rethrows what its making threw.
    [[nodiscard]] Batch next(std::int64_t step);
    /// How many batches each thread has made so far.
    [[nodiscard]] std::vector<std::int64_t> batchesByThread() const;

private:
    void work(std::stop_token stop, std::int64_t thread);

    std::shared_ptr<const DataSource> source_;
    config::RunConfig config_;
    std::int64_t first_, last_, wanted_, ahead_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<std::int64_t, Batch> ready_;
    std::vector<std::int64_t> made_;
    std::exception_ptr failure_;
    std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace es::engine
