// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a run, finished or being written, ours or copied. Tails the journals, keeps the index, answers queries.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/store/records.h"

namespace es::store {

enum class RunState : std::uint8_t { kEmpty, kTraining, kStopped, kFinished, kFailed, kInterrupted };
[[nodiscard]] std::string_view toString(RunState state);

/// What refresh() found. A view asks again only for what moved.
struct RunChange {
    bool scalars = false, load = false, events = false, checkpoints = false, probes = false, evaluations = false, traces = false, samples = false;
    [[nodiscard]] bool any() const { return scalars || load || events || checkpoints || probes || evaluations || traces || samples; }
};

struct RunStatus {
    RunState state = RunState::kEmpty;
    std::int64_t step = 0;   ///< newest recorded step
    std::int64_t steps = 0;  ///< configured
    std::uint32_t attempts = 0;
    double started_s = 0, updated_s = 0;  ///< seconds since the epoch
    std::vector<std::string> warnings;    ///< damaged frames, missing files, gaps: shown, never swallowed
};

/// A curve, reduced to at most the asked number of points. Where points were merged, low and high keep their minimum and maximum.
struct ScalarSeries {
    std::string name;
    std::vector<double> step, value;  ///< the last of each bucket
    std::vector<double> low, high;    ///< over the finite values of the bucket; NaN when it has none
    std::int64_t points = 0;          ///< before reduction
    std::int64_t non_finite = 0;
};

/// Load of one router over time: columns are steps (or means over buckets of them).
struct LoadHistory {
    RouterInfo router;
    Modality modality = Modality::kUnknown;
    std::vector<double> step;     ///< first step of each column
    std::vector<float> share_ES;  ///< E x columns, expert-major: share of assignments; NaN where nothing was recorded
    std::vector<float> max_vio, entropy_nats, dropped_share, max_abs_logit;  ///< one a column
    std::int64_t steps = 0;                                                  ///< before reduction
};

struct TraceQuery {
    RouterId router;
    std::int64_t first_step = 0, last_step = -1;  ///< inclusive; -1: newest
    std::optional<std::uint64_t> sample;          ///< only this sample's tokens
    std::int64_t max_tokens = -1;                 ///< -1: all
};

/// Thread-safe: queries may come from any thread; each holds an internal lock for its own time. Never blocks the writer.
class RunReader {
public:
    /// Opens a run directory. Errors: not a run, a newer version, unreadable. Half-copied runs open with warnings.
    [[nodiscard]] static Result<std::shared_ptr<RunReader>> open(const std::filesystem::path& folder, const JobContext& context = {});
    virtual ~RunReader() = default;

    /// Looks for new records. Cheap when there are none. Superseded records of older attempts are left out from then on.
    virtual Result<RunChange> refresh(const JobContext& context = {}) = 0;

    [[nodiscard]] virtual const std::filesystem::path& folder() const = 0;
    [[nodiscard]] virtual const config::RunConfig& config() const = 0;
    [[nodiscard]] virtual Provenance provenance() const = 0;
    [[nodiscard]] virtual RunStatus status() const = 0;
    [[nodiscard]] virtual std::vector<RouterInfo> routers() const = 0;

    [[nodiscard]] virtual std::vector<std::string> scalarNames() const = 0;
    /// Empty series when the name is unknown. max_points <= 0: every point.
    [[nodiscard]] virtual Result<ScalarSeries> scalars(std::string_view name, std::int64_t max_points = -1, double first_step = -1e300,
                                                       double last_step = 1e300) const = 0;
    /// Modality::kUnknown adds up all modalities. max_columns <= 0: every step. Fails for an unknown router.
    [[nodiscard]] virtual Result<LoadHistory> loadHistory(RouterId router, Modality modality, std::int64_t max_columns = -1) const = 0;
    /// The load records as they are, steps ascending, for exact analyses.
    [[nodiscard]] virtual Result<std::vector<LoadRecord>> loadRecords(RouterId router, std::int64_t first_step = 0, std::int64_t last_step = -1) const = 0;
    [[nodiscard]] virtual std::vector<Event> events() const = 0;
    [[nodiscard]] virtual std::vector<CheckpointInfo> checkpoints() const = 0;

    [[nodiscard]] virtual std::vector<ProbeKey> probes() const = 0;
    [[nodiscard]] virtual Result<RoutingTable> probe(const ProbeKey& key, RouterId router) const = 0;
    /// The traced steps of the range one after the other, steps ascending; `step` of the result is the last of them. Empty when none match.
    [[nodiscard]] virtual Result<RoutingTable> trace(const TraceQuery& query) const = 0;
    [[nodiscard]] virtual std::vector<std::int64_t> tracedSteps() const = 0;
    /// The same tokens as trace(), unit by unit in the order of the files, without ever holding more than one: for runs of any length. An
    /// invalid router asks for all of them in one pass.
    /// Segments that cannot be read are left out and named in status().warnings; fails when none could be read, or with what `visit` returned.
    [[nodiscard]] virtual Status streamTrace(const TraceQuery& query, const RoutingColumns& columns, const std::function<Status(const RoutingChunk&)>& visit,
                                             const JobContext& context = {}) const;
    /// probe() with some of its columns.
    [[nodiscard]] virtual Result<RoutingChunk> probeColumns(const ProbeKey& key, RouterId router, const RoutingColumns& columns) const;

    [[nodiscard]] virtual std::vector<std::int64_t> evaluations() const = 0;  ///< steps, ascending
    /// Of the validation split when there are several.
    [[nodiscard]] virtual Result<Evaluation> evaluation(std::int64_t step) const = 0;

    /// All samples without their pictures, in stored order.
    [[nodiscard]] virtual Result<std::vector<SampleRecord>> sampleList() const = 0;
    /// One sample with its picture.
    [[nodiscard]] virtual Result<SampleRecord> sample(std::uint64_t hash) const = 0;
    /// The samples that probes hold, in probe order.
    [[nodiscard]] virtual Result<std::vector<std::uint64_t>> probeSamples() const = 0;
};

/// Drops the index of a run and builds it anew from the journals.
[[nodiscard]] Status rebuildIndex(const std::filesystem::path& run, const JobContext& context = {});

/// One run of a folder of runs, without opening its index.
struct RunSummary {
    std::filesystem::path folder;
    std::string name, uuid, group_hash, ffn;
    std::int64_t seed = 0, step = 0, steps = 0;
    RunState state = RunState::kEmpty;
    double validation_loss = 0;  ///< newest; NaN when none
    double created_s = 0;
    std::string problem;  ///< why it cannot be opened; empty when it can
    std::string warning;  ///< what of it cannot be read, as a missing run.toml: then ffn is empty, seed -1 and steps 0
};
/// The runs below a folder (itself included when it is one), newest first. Unreadable ones are listed with their problem.
[[nodiscard]] Result<std::vector<RunSummary>> listRuns(const std::filesystem::path& folder);

}  // namespace es::store
