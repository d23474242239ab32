// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_reader.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <set>

#include "engine/base/files.h"
#include "engine/config/config_io.h"
#include "engine/store/evaluation_file.h"
#include "engine/store/routing_tables.h"
#include "engine/store/run_files.h"
#include "engine/store/run_folder.h"
#include "engine/store/run_index.h"
#include "engine/store/run_state.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

tl::unexpected<Error> indexError(const std::exception& exception, const fs::path& run) {
    return jobFailed("Cannot read the run's index", exception.what(), "Run 'expertscope index' on it to build it anew", (run / kIndexFile).string());
}

class IndexedRunReader final : public RunReader {
public:
    IndexedRunReader(fs::path folder, RunDescription description) : folder_(std::move(folder)), description_(std::move(description)), files_(folder_) {}

    Status start(const JobContext& context) {
        if (auto changed = refresh(context); !changed) return tl::unexpected(changed.error());
        noteMissingFiles();
        return {};
    }

    Result<RunChange> refresh(const JobContext& context) override {
        const std::lock_guard lock(mutex_);
        // An index that fails is dropped; the journals are the truth. In memory it cannot fail for reasons of the disk.
        for (const auto place : {RunIndex::Place::kBest, RunIndex::Place::kBest, RunIndex::Place::kMemory}) {
            try {
                const bool fresh = !index_;
                if (!index_) index_ = std::make_unique<RunIndex>(folder_, description_.provenance.run_uuid, place);
                auto change = index_->update(context);
                if (change && fresh) *change = {true, true, true, true, true, true, true, true};
                return change;
            } catch (const std::exception& exception) {
                problems_.insert(fmt::format("The index was built anew: {}", exception.what()));
                index_.reset();
            }
        }
        return jobFailed("Cannot read the run", "its index cannot be built", "Free some memory", folder_.string());
    }

    const fs::path& folder() const override { return folder_; }
    const config::RunConfig& config() const override { return description_.config; }
    Provenance provenance() const override { return description_.provenance; }

    RunStatus status() const override {
        RunStatus status;
        const bool locked = FileLock::isHeld(folder_ / kLockFile);
        const std::lock_guard lock(mutex_);
        const RunContents& contents = index_->contents();
        status.state = stateOf(contents, folder_, locked);
        status.step = contents.newestStep();
        status.steps = description_.config.train.steps;
        status.attempts = static_cast<std::uint32_t>(contents.visibility().attempts());
        status.started_s = contents.startedSeconds();
        status.updated_s = contents.updatedSeconds();
        status.warnings = description_.warnings;
        const auto add = [&](const std::vector<std::string>& more) { status.warnings.insert(status.warnings.end(), more.begin(), more.end()); };
        add(index_->warnings(status.state != RunState::kTraining));
        add(contents.gapWarnings());
        status.warnings.insert(status.warnings.end(), problems_.begin(), problems_.end());
        return status;
    }

    std::vector<RouterInfo> routers() const override {
        const std::lock_guard lock(mutex_);
        return index_->contents().routers();
    }

    std::vector<std::string> scalarNames() const override {
        const std::lock_guard lock(mutex_);
        return index_->series().names(index_->sources());
    }
    Result<ScalarSeries> scalars(std::string_view name, std::int64_t maxPoints, double firstStep, double lastStep) const override {
        const std::lock_guard lock(mutex_);
        try {
            return index_->series().query(name, maxPoints, firstStep, lastStep, index_->sources());
        } catch (const std::exception& exception) {
            return indexError(exception, folder_);
        }
    }
    Result<std::vector<LoadRecord>> loadRecords(RouterId router, std::int64_t firstStep, std::int64_t lastStep) const override {
        const std::lock_guard lock(mutex_);
        try {
            return index_->loads().records(router, firstStep, lastStep < 0 ? std::numeric_limits<std::int64_t>::max() : lastStep, index_->sources());
        } catch (const std::exception& exception) {
            return indexError(exception, folder_);
        }
    }
    Result<LoadHistory> loadHistory(RouterId router, Modality modality, std::int64_t maxColumns) const override {
        const auto info = findRouter(router);
        if (!info) return tl::unexpected(info.error());
        auto records = loadRecords(router, std::numeric_limits<std::int64_t>::min(), -1);
        if (!records) return tl::unexpected(records.error());
        return loadHistoryOf(*info, modality, std::move(*records), maxColumns);
    }

    std::vector<Event> events() const override {
        const std::lock_guard lock(mutex_);
        return index_->contents().events();
    }
    std::vector<CheckpointInfo> checkpoints() const override {
        const std::lock_guard lock(mutex_);
        return index_->contents().checkpoints();
    }

    std::vector<ProbeKey> probes() const override {
        const std::lock_guard lock(mutex_);
        std::vector<ProbeKey> keys;
        for (const auto& [key, file] : index_->contents().probes()) keys.push_back(key);
        return keys;
    }
    Result<RoutingTable> probe(const ProbeKey& key, RouterId router) const override {
        auto chunk = probeColumns(key, router, {});
        if (!chunk) return tl::unexpected(chunk.error());
        return std::move(chunk->table);
    }
    Result<RoutingChunk> probeColumns(const ProbeKey& key, RouterId router, const RoutingColumns& columns) const override {
        const auto info = findRouter(router);
        if (!info) return tl::unexpected(info.error());
        std::string file;
        {
            const std::lock_guard lock(mutex_);
            const auto probes = index_->contents().probes();
            const auto found = probes.find(key);
            if (found == probes.end())
                return badInput("Cannot show the probe", fmt::format("the run has none of step {} and variant {}", key.step, key.variant),
                                "Choose another checkpoint", folder_.string());
            file = found->second;
        }
        return files_.probe(file, *info, columns);
    }
    Result<std::vector<std::uint64_t>> probeSamples() const override {
        std::vector<std::string> files;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [key, file] : index_->contents().probes()) files.push_back(file);
        }
        // All probes hold the same samples: one that is whole will do.
        Result<std::vector<std::uint64_t>> samples;
        for (const std::string& file : files) {
            samples = files_.samplesOfProbe(file);
            if (samples) return samples;
            note({samples.error().message()});
        }
        return samples;
    }

    Result<RoutingTable> trace(const TraceQuery& query) const override {
        const auto info = findRouter(query.router);
        if (!info) return tl::unexpected(info.error());
        std::vector<std::string> problems;
        auto table = files_.trace(query, *info, placesOf(query), problems);
        note(problems);
        return table;
    }
    Status streamTrace(const TraceQuery& query, const RoutingColumns& columns, const std::function<Status(const RoutingChunk&)>& visit,
                       const JobContext& context) const override {
        if (query.router.valid())
            if (const auto info = findRouter(query.router); !info) return tl::unexpected(info.error());
        std::vector<std::string> problems;
        Status status = files_.stream(query, placesOf(query), columns, visit, context, problems);
        note(problems);
        return status;
    }
    std::vector<std::int64_t> tracedSteps() const override {
        const std::lock_guard lock(mutex_);
        std::vector<std::int64_t> steps;
        for (const TraceNotice& notice : index_->contents().traces())
            if (steps.empty() || steps.back() != notice.step) steps.push_back(notice.step);
        return steps;
    }

    std::vector<std::int64_t> evaluations() const override {
        const std::lock_guard lock(mutex_);
        std::vector<std::int64_t> steps;
        for (const auto& [step, notice] : index_->contents().evaluations()) steps.push_back(step);
        return steps;
    }
    Result<Evaluation> evaluation(std::int64_t step) const override {
        std::string file;
        {
            const std::lock_guard lock(mutex_);
            const auto evaluations = index_->contents().evaluations();
            const auto found = evaluations.find(step);
            if (found == evaluations.end())
                return badInput("Cannot show the evaluation", fmt::format("the run has none of step {}", step), "Choose another step", folder_.string());
            file = found->second.file;
        }
        return readEvaluation(folder_ / file);
    }

    Result<std::vector<SampleRecord>> sampleList() const override {
        std::vector<std::string> problems;
        auto list = files_.sampleList(storedSamples(), problems);
        note(problems);
        return list;
    }
    Result<SampleRecord> sample(std::uint64_t hash) const override {
        std::vector<std::string> problems;
        auto sample = files_.sample(hash, storedSamples(), problems);
        note(problems);
        return sample;
    }

private:
    /// The recorded steps of a query's range, with the segments that hold them.
    std::vector<TracePlace> placesOf(const TraceQuery& query) const {
        const std::lock_guard lock(mutex_);
        const RunContents& contents = index_->contents();
        std::vector<TracePlace> places;
        for (const TraceNotice& notice : contents.traces())
            if (notice.step >= query.first_step && (query.last_step < 0 || notice.step <= query.last_step))
                places.push_back({notice.step, notice.file, contents.segmentClosed(notice.file)});
        return places;
    }
    Result<RouterInfo> findRouter(RouterId id) const {
        const std::lock_guard lock(mutex_);
        for (const RouterInfo& router : index_->contents().routers())
            if (router.id == id) return router;
        return badInput("Cannot show the routing", fmt::format("the run has no router {}", id.value), "Choose another router", folder_.string());
    }
    std::uint64_t storedSamples() const {
        const std::lock_guard lock(mutex_);
        return index_->contents().storedSamples();
    }
    void note(const std::vector<std::string>& problems) const {
        const std::lock_guard lock(mutex_);
        problems_.insert(problems.begin(), problems.end());
    }
    /// A run that was copied in part says so at once, not first when something is asked for.
    void noteMissingFiles() {
        const std::lock_guard lock(mutex_);
        const RunContents& contents = index_->contents();
        std::set<std::string> files;
        for (const auto& [key, file] : contents.probes()) files.insert(file);
        for (const auto& [step, notice] : contents.evaluations()) files.insert(notice.file);
        for (const TraceNotice& notice : contents.traces()) files.insert(notice.file);
        std::error_code error;
        for (const std::string& file : files)
            if (!fs::exists(folder_ / file, error)) problems_.insert(file + " is missing");
        if (contents.storedSamples() > 0 && !fs::exists(folder_ / samplesPath({}), error)) problems_.insert("samples.h5 is missing: samples cannot be drawn");
    }

    fs::path folder_;
    RunDescription description_;
    mutable RunFiles files_;
    mutable std::mutex mutex_;
    std::unique_ptr<RunIndex> index_;
    mutable std::set<std::string> problems_;  ///< each once, however often it is met
};

}  // namespace

std::string_view toString(RunState state) {
    switch (state) {
        case RunState::kEmpty: return "empty";
        case RunState::kTraining: return "training";
        case RunState::kStopped: return "stopped";
        case RunState::kFinished: return "finished";
        case RunState::kFailed: return "failed";
        case RunState::kInterrupted: return "interrupted";
    }
    return "?";
}

Status RunReader::streamTrace(const TraceQuery& query, const RoutingColumns&, const std::function<Status(const RoutingChunk&)>& visit,
                              const JobContext& context) const {
    std::int64_t tokens = 0;
    for (const std::int64_t step : tracedSteps()) {
        if (step < query.first_step || (query.last_step >= 0 && step > query.last_step)) continue;
        if (context.stopRequested()) return stopped("Reading the trace");
        for (const RouterInfo& router : routers()) {
            if (query.router.valid() && router.id != query.router) continue;
            TraceQuery one = query;
            one.router = router.id;
            one.first_step = one.last_step = step;
            if (query.max_tokens >= 0) one.max_tokens = query.max_tokens - tokens;
            if (one.max_tokens == 0) return {};
            auto table = trace(one);
            if (!table) return tl::unexpected(table.error());
            if (table->tokens == 0) continue;
            tokens += table->tokens;
            RoutingChunk chunk{std::move(*table), {}};
            chunk.runs = tokenRuns(chunk.table);
            if (auto status = visit(chunk); !status) return status;
        }
    }
    return {};
}

Result<RoutingChunk> RunReader::probeColumns(const ProbeKey& key, RouterId router, const RoutingColumns&) const {
    auto table = probe(key, router);
    if (!table) return tl::unexpected(table.error());
    RoutingChunk chunk{std::move(*table), {}};
    chunk.runs = tokenRuns(chunk.table);
    return chunk;
}

Result<std::shared_ptr<RunReader>> RunReader::open(const fs::path& folder, const JobContext& context) {
    auto description = describeRun(folder);
    if (!description) return tl::unexpected(description.error());
    auto reader = std::make_shared<IndexedRunReader>(folder, std::move(*description));
    if (auto started = reader->start(context); !started) return tl::unexpected(started.error());
    return reader;
}

Status rebuildIndex(const fs::path& run, const JobContext& context) {
    auto description = describeRun(run);
    if (!description) return tl::unexpected(description.error());
    try {
        const auto dropped = dropIndex(run, description->provenance.run_uuid);
        if (!dropped) return dropped;
        RunIndex index(run, description->provenance.run_uuid, RunIndex::Place::kBest);
        if (index.file().empty())
            return jobFailed("Cannot keep the index", "neither the run nor the user's cache can be written, or another program keeps this index",
                             "Close the other program, or go on without: runs open without an index too", run.string());
        if (auto changed = index.update(context); !changed) return tl::unexpected(changed.error());
        index.save();
    } catch (const std::exception& exception) {
        return indexError(exception, run);
    }
    return {};
}

}  // namespace es::store
