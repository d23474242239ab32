// SPDX-License-Identifier: GPL-3.0-or-later
// A run reader that remembers the probe tables it read, within a bound.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "engine/store/run_reader.h"

namespace es::views {

/// Everything is passed on to the reader inside; probe() keeps the tables last used, up to `max_bytes` in all. Thread-safe.
class CachingReader final : public store::RunReader {
public:
    CachingReader(std::shared_ptr<store::RunReader> reader, std::size_t max_bytes);

    /// Forgets all tables: after an attempt that may have superseded probes.
    void clear();
    [[nodiscard]] std::size_t cachedBytes() const;

    Result<store::RunChange> refresh(const JobContext& context) override { return reader_->refresh(context); }
    [[nodiscard]] const std::filesystem::path& folder() const override { return reader_->folder(); }
    [[nodiscard]] const config::RunConfig& config() const override { return reader_->config(); }
    [[nodiscard]] store::Provenance provenance() const override { return reader_->provenance(); }
    [[nodiscard]] store::RunStatus status() const override { return reader_->status(); }
    [[nodiscard]] std::vector<store::RouterInfo> routers() const override { return reader_->routers(); }
    [[nodiscard]] std::vector<std::string> scalarNames() const override { return reader_->scalarNames(); }
    [[nodiscard]] Result<store::ScalarSeries> scalars(std::string_view name, std::int64_t max_points, double first, double last) const override {
        return reader_->scalars(name, max_points, first, last);
    }
    [[nodiscard]] Result<store::LoadHistory> loadHistory(RouterId router, Modality modality, std::int64_t max_columns) const override {
        return reader_->loadHistory(router, modality, max_columns);
    }
    [[nodiscard]] Result<std::vector<store::LoadRecord>> loadRecords(RouterId router, std::int64_t first, std::int64_t last) const override {
        return reader_->loadRecords(router, first, last);
    }
    [[nodiscard]] std::vector<store::Event> events() const override { return reader_->events(); }
    [[nodiscard]] std::vector<store::CheckpointInfo> checkpoints() const override { return reader_->checkpoints(); }
    [[nodiscard]] std::vector<store::ProbeKey> probes() const override { return reader_->probes(); }
    [[nodiscard]] Result<store::RoutingTable> probe(const store::ProbeKey& key, RouterId router) const override;
    [[nodiscard]] Result<store::RoutingTable> trace(const store::TraceQuery& query) const override { return reader_->trace(query); }
    [[nodiscard]] std::vector<std::int64_t> tracedSteps() const override { return reader_->tracedSteps(); }
    [[nodiscard]] Status streamTrace(const store::TraceQuery& query, const store::RoutingColumns& columns,
                                     const std::function<Status(const store::RoutingChunk&)>& visit, const JobContext& context) const override {
        return reader_->streamTrace(query, columns, visit, context);
    }
    [[nodiscard]] Result<store::RoutingChunk> probeColumns(const store::ProbeKey& key, RouterId router, const store::RoutingColumns& columns) const override {
        return reader_->probeColumns(key, router, columns);
    }
    [[nodiscard]] std::vector<std::int64_t> evaluations() const override { return reader_->evaluations(); }
    [[nodiscard]] Result<store::Evaluation> evaluation(std::int64_t step) const override { return reader_->evaluation(step); }
    [[nodiscard]] Result<std::vector<store::SampleRecord>> sampleList() const override { return reader_->sampleList(); }
    [[nodiscard]] Result<store::SampleRecord> sample(std::uint64_t hash) const override { return reader_->sample(hash); }
    [[nodiscard]] Result<std::vector<std::uint64_t>> probeSamples() const override { return reader_->probeSamples(); }

private:
    using Key = std::tuple<std::int64_t, std::string, std::int32_t>;
    struct Entry {
        std::shared_ptr<const store::RoutingTable> table;
        std::size_t bytes = 0;
        std::list<Key>::iterator use;
    };

    std::shared_ptr<store::RunReader> reader_;
    std::size_t max_bytes_;
    mutable std::mutex mutex_;
    mutable std::list<Key> uses_;  ///< last used first
    mutable std::map<Key, Entry> entries_;
    mutable std::size_t bytes_ = 0;
};

}  // namespace es::views
