// SPDX-License-Identifier: GPL-3.0-or-later
// The only way to write a run. The calling thread pays microseconds: values are queued and a writer thread puts them on disk.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/store/records.h"

namespace es::store {

struct RunWriterOptions {
    std::int32_t rank = 0;                       ///< rank 0 makes the run and holds its lock; the others join and write only their own journals and segments
    std::int32_t attempt = -1;                   ///< for other ranks: the attempt that rank 0 opened; -1: the next of this rank
    double flush_seconds = 1.0;                  ///< records are on disk after this long ...
    std::int64_t flush_steps = 50;               ///< ... or this many steps, whichever comes first
    std::size_t queue_units = 256;               ///< bound of the queue; load and scalars wait when it is full, trace units are dropped and recorded as a gap
    std::size_t queue_trace_bytes = 256u << 20;  ///< memory that queued trace units may take before they are dropped
    std::size_t segment_bytes = 64u << 20;
    double segment_seconds = 30;
};

/// Counters of what happened to records. All monotonic.
struct WriterCounters {
    std::int64_t trace_units_written = 0, trace_units_dropped = 0;
    std::int64_t bytes_written = 0;
    double blocked_ms = 0;  ///< time that the calling thread waited for room
};

/// Thread: one caller (the engine's). Disk errors show up as a failed Status of the next call, once each, and as an event when that can be
/// written; the writer goes on trying. The writer itself records the events run_started, run_resumed, run_finished, run_stopped and
/// trace_gap; a trainer that fails records "run_failed" before finish(false), which then adds no run_stopped.
class RunWriter {
public:
    /// Makes the run directory (or takes an empty one), locks it, writes run.toml and provenance.json and opens attempt 0.
    /// Fails when the directory already holds a run (resume instead), another process writes it, or it cannot be written.
    [[nodiscard]] static Result<std::unique_ptr<RunWriter>> create(const std::filesystem::path& folder, const config::RunConfig& config,
                                                                   const Provenance& provenance, std::span<const RouterInfo> routers,
                                                                   RunWriterOptions options = {});
    /// Locks an existing run and opens a new attempt whose records supersede those of step >= start_step: the first step that the new
    /// attempt records. What belongs to the checkpoint it starts from (its evaluation, its probe) has a smaller step and stays.
    [[nodiscard]] static Result<std::unique_ptr<RunWriter>> resume(const std::filesystem::path& folder, std::int64_t start_step, const Provenance& provenance,
                                                                   RunWriterOptions options = {});
    virtual ~RunWriter() = default;  ///< flushes and closes

    /// Scalars of one step. Steps may repeat and come out of order; all are kept.
    virtual Status scalars(std::int64_t step, std::vector<Scalar> values) = 0;
    virtual Status load(std::vector<LoadRecord> records) = 0;
    virtual Status event(Event event) = 0;
    /// One traced step: all its units, or none when the queue is full.
    virtual Status trace(std::int64_t step, std::vector<TraceUnit> units) = 0;
    /// True when samples() need not be given this one: it is stored, or about to be.
    [[nodiscard]] virtual bool hasSample(std::uint64_t hash) const = 0;
    /// Samples not yet in samples.h5 are added; known hashes cost nothing.
    virtual Status samples(std::vector<SampleRecord> samples) = 0;
    /// Written whole or not at all.
    virtual Status probe(Probe probe) = 0;
    virtual Status evaluation(Evaluation evaluation) = 0;
    /// Announces a checkpoint that stands complete in its folder, or one that retention removed (present = false).
    virtual Status checkpoint(CheckpointInfo info) = 0;
    /// Waits until everything handed over so far is on disk and synced.
    virtual Status flush() = 0;
    /// Ends the attempt: last flush, run_finished or run_stopped event, index finished.
    virtual Status finish(bool completed, const std::string& message) = 0;

    [[nodiscard]] virtual WriterCounters counters() const = 0;
    [[nodiscard]] virtual std::uint32_t attempt() const = 0;
    [[nodiscard]] virtual const std::filesystem::path& folder() const = 0;
};

}  // namespace es::store
