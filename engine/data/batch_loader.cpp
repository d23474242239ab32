// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/batch_loader.h"

#include <algorithm>

#include "engine/data/batch_builder.h"

namespace es::engine {

BatchLoader::BatchLoader(std::shared_ptr<const DataSource> source, const config::RunConfig& config, std::int64_t first, std::int64_t last)
    : source_(std::move(source)), config_(config), first_(first), last_(last), wanted_(first) {
    const std::int64_t threads = std::max<std::int64_t>(1, config.data.threads);
    ahead_ = threads + 1;
    made_.assign(static_cast<std::size_t>(threads), 0);
    for (std::int64_t t = 0; t < threads; ++t) threads_.emplace_back([this, t](std::stop_token stop) { work(stop, t); });
}

BatchLoader::~BatchLoader() {
    for (auto& thread : threads_) thread.request_stop();
    changed_.notify_all();
    threads_.clear();
}

Batch BatchLoader::next(std::int64_t step) {
    std::unique_lock lock(mutex_);
    wanted_ = step;
    changed_.notify_all();
    changed_.wait(lock, [&] { return ready_.contains(step) || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    Batch out = std::move(ready_.at(step));
    ready_.erase(step);
    wanted_ = step + 1;
    changed_.notify_all();
    return out;
}

std::vector<std::int64_t> BatchLoader::batchesByThread() const {
    std::lock_guard lock(mutex_);
    return made_;
}

void BatchLoader::work(std::stop_token stop, std::int64_t thread) {
    try {
        const auto threads = static_cast<std::int64_t>(made_.size());
        BatchBuilder builder(source_, config_);
        std::int64_t step = first_ + ((thread - first_) % threads + threads) % threads;
        for (; step <= last_; step += threads) {
            {
                std::unique_lock lock(mutex_);
                if (!changed_.wait(lock, stop, [&] { return step < wanted_ + ahead_; })) return;
            }
            Batch batch = builder.training(step);
            std::lock_guard lock(mutex_);
            ready_.emplace(step, std::move(batch));
            ++made_[static_cast<std::size_t>(thread)];
            changed_.notify_all();
        }
    } catch (...) {
        std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
        changed_.notify_all();
    }
}

}  // namespace es::engine
