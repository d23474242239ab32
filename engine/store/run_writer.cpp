// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_writer.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <variant>

#include "engine/base/bounded_queue.h"
#include "engine/base/files.h"
#include "engine/base/logging.h"
#include "engine/config/config_io.h"
#include "engine/store/record_sink.h"
#include "engine/store/run_folder.h"
#include "engine/store/run_reader.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

struct ScalarItem {
    std::int64_t step;
    double time;
    std::vector<Scalar> values;
};
struct TraceItem {
    std::int64_t step;
    std::size_t bytes;
    std::vector<TraceUnit> units;
};
struct FlushItem {
    std::shared_ptr<std::promise<void>> done;
};
using Item =
    std::variant<ScalarItem, std::vector<LoadRecord>, Event, TraceItem, TraceGap, std::vector<SampleRecord>, Probe, Evaluation, CheckpointInfo, FlushItem>;

std::size_t bytesOf(const TraceUnit& unit) {
    return unit.expert_ids.size() * 2 + (unit.gates.size() + unit.probs_TE.size() + unit.entropy_nats_T.size() + unit.boundary_margin_T.size()) * 4 +
           unit.sample_T.size() * 18;
}

class QueuedRunWriter final : public RunWriter {
public:
    QueuedRunWriter(fs::path folder, FileLock lock, std::unique_ptr<RecordSink> sink, std::uint32_t attempt, RunWriterOptions options,
                    std::unordered_set<std::uint64_t> knownSamples)
        : folder_(std::move(folder)), lock_(std::move(lock)), sink_(std::move(sink)), attempt_(attempt), options_(options),
          known_samples_(std::move(knownSamples)), queue_(std::max<std::size_t>(options.queue_units, 1)), thread_([this] { work(); }) {}

    ~QueuedRunWriter() override { shutDown(); }

    Status scalars(std::int64_t step, std::vector<Scalar> values) override {
        last_step_ = std::max(last_step_, step);
        return give(ScalarItem{step, nowSeconds(), std::move(values)});
    }
    Status load(std::vector<LoadRecord> records) override { return give(std::move(records)); }
    Status event(Event event) override {
        if (event.time_s == 0) event.time_s = nowSeconds();
        failed_ = failed_ || event.kind == "run_failed";
        return give(std::move(event));
    }
    Status trace(std::int64_t step, std::vector<TraceUnit> units) override {
        TraceItem item{step, 0, std::move(units)};
        for (const TraceUnit& unit : item.units) item.bytes += bytesOf(unit);
        const auto count = static_cast<std::int64_t>(item.units.size());
        const std::size_t bytes = item.bytes;
        // Half of the queue is kept for the records that must not be lost.
        const bool room = queue_.size() < std::max<std::size_t>(options_.queue_units / 2, 1) &&
                          (queued_trace_bytes_.load() == 0 || queued_trace_bytes_.load() + bytes <= options_.queue_trace_bytes);
        queued_trace_bytes_ += bytes;
        if (room && queue_.tryPush(Item(std::move(item)))) return takeError();
        queued_trace_bytes_ -= bytes;
        counters_dropped_ += count;
        if (gap_) gap_ = TraceGap{std::min(gap_->first_step, step), std::max(gap_->last_step, step), gap_->units + static_cast<std::uint64_t>(count)};
        else gap_ = TraceGap{step, step, static_cast<std::uint64_t>(count)};
        return takeError();
    }
    bool hasSample(std::uint64_t hash) const override { return known_samples_.contains(hash); }
    Status samples(std::vector<SampleRecord> samples) override {
        std::erase_if(samples, [&](const SampleRecord& sample) { return !known_samples_.insert(sample.hash).second; });
        return samples.empty() ? takeError() : give(std::move(samples));
    }
    Status probe(Probe probe) override { return give(std::move(probe)); }
    Status evaluation(Evaluation evaluation) override { return give(std::move(evaluation)); }
    Status checkpoint(CheckpointInfo info) override {
        info.attempt = attempt_;
        return give(std::move(info));
    }

    Status flush() override {
        if (!pushGap()) return closedError();
        auto done = std::make_shared<std::promise<void>>();
        auto future = done->get_future();
        if (!push(FlushItem{std::move(done)})) return closedError();
        future.wait();
        return takeError();
    }

    Status finish(bool completed, const std::string& message) override {
        Status result;
        const auto note = [&](Status status) {
            if (!status && result) result = std::move(status);
        };
        if (completed || !failed_) note(event({last_step_, nowSeconds(), Severity::kInfo, completed ? "run_finished" : "run_stopped", message}));
        note(flush());
        note(shutDown());
        if (auto indexed = rebuildIndexIfFree(); !indexed) warn("The index of the run could not be finished: " + indexed.error().message());
        return result;
    }

    WriterCounters counters() const override {
        return {units_written_.load(), counters_dropped_, static_cast<std::int64_t>(bytes_written_.load()), blocked_ms_};
    }
    std::uint32_t attempt() const override { return attempt_; }
    const fs::path& folder() const override { return folder_; }

private:
    static void warn(const std::string& text) { spdlog::warn("{}", text); }

    Status rebuildIndexIfFree() {
        const auto reader = RunReader::open(folder_);
        if (!reader) return tl::unexpected(reader.error());
        return {};
    }

    /// Queues an item, waiting for room; a gap in the trace goes first.
    Status give(Item item) {
        if (!pushGap() || !push(std::move(item))) return closedError();
        return takeError();
    }
    bool pushGap() {
        if (!gap_) return true;
        const TraceGap gap = *std::exchange(gap_, std::nullopt);
        return push(gap) && push(Event{gap.last_step, nowSeconds(), Severity::kWarning, "trace_gap",
                                       fmt::format("The writer fell behind: routing of {} units between steps {} and {} was not recorded.", gap.units,
                                                   gap.first_step, gap.last_step)});
    }
    static Status closedError() { return jobFailed("Cannot record", "the run is closed", "Open it again"); }

    bool push(Item item) {
        const auto before = Clock::now();
        const bool taken = queue_.push(std::move(item));
        const double waited = std::chrono::duration<double, std::milli>(Clock::now() - before).count();
        if (waited > 0.05) blocked_ms_ += waited;
        return taken;
    }

    Status takeError() {
        if (!has_error_.load(std::memory_order_acquire)) return {};
        const std::lock_guard lock(error_mutex_);
        has_error_ = false;
        return tl::unexpected(std::exchange(error_, Error{}));
    }
    void noteError(const Status& status) {
        if (status) return;
        const std::lock_guard lock(error_mutex_);
        if (!has_error_.exchange(true)) error_ = status.error();
        unreported_ = status.error().message();
    }

    /// Joins the writer thread. Afterwards nothing more is taken.
    Status shutDown() {
        if (!thread_.joinable()) return {};
        (void)pushGap();
        queue_.close();
        thread_.join();
        sink_.reset();
        lock_.reset();
        return takeError();
    }

    // Everything below runs on the writer thread.

    void work() {
        try {
            while (true) {
                auto item = queue_.popFor(std::chrono::duration<double>(std::max(0.01, secondsToFlush())));
                if (!item && queue_.closed() && queue_.size() == 0) break;
                if (item) process(*item);
                item.reset();
                if (secondsToFlush() <= 0 || steps_since_flush_ >= options_.flush_steps) flushNow(false);
                noteError(sink_->rotateIfDue());
            }
            noteError(sink_->close());
        } catch (const std::exception& exception) {
            noteError(jobFailed("Cannot record", exception.what(), "Free some memory"));
            queue_.close();
            while (auto item = queue_.pop()) releaseWaiter(*item);
        }
        bytes_written_ = sink_->bytesWritten();
    }

    void process(Item& item) {
        try {
            noteError(std::visit([this](auto& value) { return take(value); }, item));
        } catch (...) {
            releaseWaiter(item);
            throw;
        }
    }
    static void releaseWaiter(Item& item) {
        if (auto* flush = std::get_if<FlushItem>(&item); flush && flush->done) flush->done->set_value();
    }

    double secondsToFlush() const { return options_.flush_seconds - std::chrono::duration<double>(Clock::now() - last_flush_).count(); }

    Status flushNow(bool sync) {
        if (!unreported_.empty()) {
            sink_->append(Event{last_scalar_step_, nowSeconds(), Severity::kError, "disk_error", unreported_});
            unreported_.clear();
        }
        // A sync can take as long as many steps: at most one a flush interval, whatever the number of steps.
        const bool due = std::chrono::duration<double>(Clock::now() - last_sync_).count() >= options_.flush_seconds;
        Status status = sink_->flush(sync || due);
        noteError(status);
        last_flush_ = Clock::now();
        if (sync || due) last_sync_ = last_flush_;
        steps_since_flush_ = 0;
        bytes_written_ = sink_->bytesWritten();
        return status;
    }

    Status take(ScalarItem& item) {
        if (item.step != last_scalar_step_) ++steps_since_flush_;
        last_scalar_step_ = item.step;
        sink_->scalars(item.step, item.time, item.values);
        return {};
    }
    Status take(std::vector<LoadRecord>& records) {
        for (const LoadRecord& record : records) sink_->append(record);
        return {};
    }
    Status take(Event& event) {
        sink_->append(event);
        return {};
    }
    Status take(TraceItem& item) {
        auto status = sink_->trace(item.step, item.units);
        queued_trace_bytes_ -= item.bytes;
        if (status) units_written_ += static_cast<std::int64_t>(item.units.size());
        return status;
    }
    Status take(TraceGap& gap) {
        sink_->append(gap);
        return {};
    }
    Status take(std::vector<SampleRecord>& samples) { return sink_->samples(samples); }
    Status take(Probe& probe) {
        auto status = sink_->probe(probe);
        flushNow(false);
        return status;
    }
    Status take(Evaluation& evaluation) {
        auto status = sink_->evaluation(evaluation);
        flushNow(false);
        return status;
    }
    Status take(CheckpointInfo& info) {
        sink_->append(info);
        flushNow(false);
        return {};
    }
    Status take(FlushItem& item) {
        flushNow(true);
        item.done->set_value();  // what went wrong waits in error_
        return {};
    }

    fs::path folder_;
    std::optional<FileLock> lock_;
    std::unique_ptr<RecordSink> sink_;
    std::uint32_t attempt_;
    RunWriterOptions options_;

    // The caller's.
    std::unordered_set<std::uint64_t> known_samples_;
    std::optional<TraceGap> gap_;
    std::int64_t last_step_ = 0;
    bool failed_ = false;
    std::int64_t counters_dropped_ = 0;
    double blocked_ms_ = 0;

    // Shared.
    BoundedQueue<Item> queue_;
    std::atomic<std::size_t> queued_trace_bytes_ = 0;
    std::atomic<std::int64_t> units_written_ = 0;
    std::atomic<std::uint64_t> bytes_written_ = 0;
    std::atomic<bool> has_error_ = false;
    std::mutex error_mutex_;
    Error error_;

    // The writer thread's.
    std::string unreported_;
    Clock::time_point last_flush_ = Clock::now(), last_sync_ = Clock::now();
    std::int64_t steps_since_flush_ = 0, last_scalar_step_ = -1;

    std::thread thread_;  // last: it uses everything above
};

Result<std::unique_ptr<RunWriter>> openAttempt(const fs::path& folder, FileLock lock, const Provenance& provenance, std::vector<RouterInfo> routers,
                                               AttemptHeader header, RunWriterOptions options) {
    header.format_version = kFormatVersion;
    header.rank = static_cast<std::uint32_t>(options.rank);
    header.time_s = nowSeconds();
    header.run_uuid = provenance.run_uuid;
    header.program_version = provenance.program_version;
    auto known = header.attempt > 0 ? storedSampleHashes(folder) : std::unordered_set<std::uint64_t>{};
    auto sink = RecordSink::open({folder, provenance.run_uuid, {header.attempt, header.rank}, std::move(routers), options}, header);
    if (!sink) return tl::unexpected(sink.error());
    const bool first = header.parent < 0;
    (*sink)->append(Event{header.start_step, nowSeconds(), Severity::kInfo, first ? "run_started" : "run_resumed",
                          first ? "The run started." : fmt::format("Attempt {} goes on from step {}.", header.attempt, header.start_step)});
    if (auto status = (*sink)->flush(true); !status) return tl::unexpected(status.error());
    return std::make_unique<QueuedRunWriter>(folder, std::move(lock), std::move(*sink), header.attempt, options, std::move(known));
}

}  // namespace

Result<std::unique_ptr<RunWriter>> RunWriter::create(const fs::path& folder, const config::RunConfig& config, const Provenance& provenance,
                                                     std::span<const RouterInfo> routers, RunWriterOptions options) {
    const std::vector<RouterInfo> table(routers.begin(), routers.end());
    AttemptHeader header;
    if (options.rank > 0) {
        header.attempt = static_cast<std::uint32_t>(std::max(options.attempt, 0));
        auto lock = joinRun(folder, options.rank);
        if (!lock) return tl::unexpected(lock.error());
        return openAttempt(folder, std::move(*lock), provenance, table, header, options);
    }
    Provenance complete = provenance;
    if (complete.run_uuid.empty()) complete.run_uuid = makeUuid();
    if (complete.created_s == 0) complete.created_s = nowSeconds();
    if (complete.config_hash.empty()) complete.config_hash = config::configHash(config);
    if (complete.group_hash.empty()) complete.group_hash = config::groupHash(config);
    auto lock = makeRun(folder, config::toToml(config), complete);
    if (!lock) return tl::unexpected(lock.error());
    return openAttempt(folder, std::move(*lock), complete, table, header, options);
}

Result<std::unique_ptr<RunWriter>> RunWriter::resume(const fs::path& folder, std::int64_t startStep, const Provenance& provenance, RunWriterOptions options) {
    auto lock = options.rank > 0 ? joinRun(folder, options.rank) : lockRun(folder);
    if (!lock) return tl::unexpected(lock.error());
    auto previous = lastAttempt(folder, static_cast<std::uint32_t>(options.rank));
    if (!previous) return tl::unexpected(previous.error());
    Provenance complete = provenance;
    complete.run_uuid = previous->run_uuid;
    AttemptHeader header;
    header.parent = previous->attempt;
    header.attempt = static_cast<std::uint32_t>(options.rank > 0 && options.attempt >= 0 ? options.attempt : previous->attempt + 1);
    header.start_step = startStep;
    removeLeftovers(folder);
    return openAttempt(folder, std::move(*lock), complete, previous->routers, header, options);
}

}  // namespace es::store
