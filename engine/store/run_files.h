// SPDX-License-Identifier: GPL-3.0-or-later
// The HDF5 files of a run, opened when asked for and kept open for the next question.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/journal_records.h"
#include "engine/store/routing_file.h"
#include "engine/store/run_reader.h"
#include "engine/store/sample_file.h"

namespace es::store {

/// A traced step and where it stands.
struct TracePlace {
    std::int64_t step = 0;
    std::string file;
    bool closed = false;
};

/// Thread-safe.
class RunFiles {
public:
    explicit RunFiles(std::filesystem::path run) : run_(std::move(run)) {}

    [[nodiscard]] Result<RoutingTable> probe(const std::string& file, const RouterInfo& router);
    [[nodiscard]] Result<RoutingChunk> probe(const std::string& file, const RouterInfo& router, const RoutingColumns& columns);
    /// Distinct samples of all routers' tables, in order of appearance.
    [[nodiscard]] Result<std::vector<std::uint64_t>> samplesOfProbe(const std::string& file);
    /// Joins the query's tokens over `places` (steps ascending). Unreadable segments are left out and named in `problems`;
    /// fails when none could be read.
    [[nodiscard]] Result<RoutingTable> trace(const TraceQuery& query, const RouterInfo& router, const std::vector<TracePlace>& places,
                                             std::vector<std::string>& problems);

    /// Hands the query's units to `visit` one after the other, outside the lock. Ends early with what `visit` returned.
    [[nodiscard]] Status stream(const TraceQuery& query, const std::vector<TracePlace>& places, const RoutingColumns& columns,
                                const std::function<Status(const RoutingChunk&)>& visit, const JobContext& context, std::vector<std::string>& problems);

    /// `stored`: how many the journals speak of; files are looked at again when it grows.
    [[nodiscard]] Result<std::vector<SampleRecord>> sampleList(std::uint64_t stored, std::vector<std::string>& problems);
    [[nodiscard]] Result<SampleRecord> sample(std::uint64_t hash, std::uint64_t stored, std::vector<std::string>& problems);

private:
    struct OpenFile {
        std::string file;
        std::shared_ptr<RoutingFileReader> reader;
    };
    struct SamplePlace {
        std::shared_ptr<SampleFileReader> file;
        std::size_t row = 0;
    };
    [[nodiscard]] Result<std::shared_ptr<RoutingFileReader>> routingFile(const std::string& file, bool closed);
    void openSamples(std::uint64_t stored, std::vector<std::string>& problems);

    std::filesystem::path run_;
    std::mutex mutex_;
    std::list<OpenFile> open_;  ///< newest use first
    std::vector<std::shared_ptr<SampleFileReader>> sample_files_;
    std::vector<std::pair<std::uint64_t, SamplePlace>> sample_places_;  ///< stored order, hashes distinct
    std::uint64_t samples_seen_ = 0;
    std::vector<SampleRecord> sample_list_;
};

}  // namespace es::store
