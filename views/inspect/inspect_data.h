// SPDX-License-Identifier: GPL-3.0-or-later
// What Inspect reads of a run, as values, and the functions that read it. Called from jobs.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/figures/inspect_panels.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::views {

/// A run's table of contents, as far as Inspect shows it.
struct RunContents {
    std::vector<store::SampleRecord> samples;  ///< probed ones first, in probe order; without pictures
    std::size_t probed = 0;                    ///< how many of them probes hold
    std::vector<store::RouterInfo> routers;    ///< layers ascending; none: a dense run
    std::vector<std::int64_t> steps;           ///< of probes of the trained model, ascending
    std::vector<store::CheckpointInfo> checkpoints;
    std::unordered_map<std::uint64_t, double> losses;  ///< of the newest evaluation: sum over the objectives, mean over mask seeds
    std::int64_t losses_step = -1;
    std::uint32_t attempts = 0;

    [[nodiscard]] const store::RouterInfo* router(RouterId id) const;
    /// The router that a layer's tokens of a modality go through: their own branch's, else the pooled one. Null when there is none.
    [[nodiscard]] const store::RouterInfo* routerOf(LayerIndex layer, Modality modality) const;
    [[nodiscard]] std::vector<LayerIndex> layers() const;  ///< that have routers
    [[nodiscard]] const store::SampleRecord* find(std::uint64_t hash) const;
    /// The probed step shown for a wanted one: the nearest not after it, else the first; -1 (newest) gives the last. Empty without probes.
    [[nodiscard]] std::optional<std::int64_t> probedStep(std::int64_t wanted) const;
};
[[nodiscard]] Result<RunContents> readContents(const store::RunReader& run);

/// One sample as far as it can be seen: its record always, its routing when some was recorded.
struct LoadedSample {
    store::SampleRecord record;
    std::optional<analysis::SampleRouting> routing;
    Error missing;  ///< why there is no routing
};
[[nodiscard]] Result<LoadedSample> readSample(const store::RunReader& run, std::uint64_t hash, std::int64_t step);

/// The token in every router that saw it, layers ascending, one reading each: of the pair where the sample ran as one, as the overlay shows.
[[nodiscard]] std::vector<analysis::TokenReading> pathOf(const analysis::SampleRouting& routing, Modality modality, TokenIndex token);
/// Routers of the rows of analysis::layerExpertMap().
[[nodiscard]] std::vector<RouterId> mapRouters(const analysis::SampleRouting& routing);

/// What a first look at a sample selects: the middle of its picture, else its first word. A first look should show what a token's page holds.
[[nodiscard]] std::pair<Modality, TokenIndex> firstToken(const store::SampleRecord& sample);

/// What the scrubber draws below its strip.
struct TrainingCurves {
    RouterId router;
    analysis::Curve churn;       ///< share of the probe set's tokens whose first choice changed since the probe before
    analysis::Curve saturation;  ///< mean share of a token's experts that are those of the last probe
    analysis::Curve loss;
    std::string loss_name;  ///< "eval/loss/total"; empty when none was recorded
    std::vector<analysis::XMarker> spikes;
    std::vector<std::string> notes;
};
/// The churn of one sample's tokens alone. Empty where fewer than two probes hold it.
[[nodiscard]] Result<analysis::Curve> readSampleChurn(const store::RunReader& run, RouterId router, std::uint64_t sample, const JobContext& context);
[[nodiscard]] Result<TrainingCurves> readCurves(const store::RunReader& run, RouterId router, const JobContext& context);

/// "V 1", "T 1", "VL 3", "all 1": a router in few letters.
[[nodiscard]] std::string shortName(const store::RouterInfo& router);
/// "layer 1 · V-router"
[[nodiscard]] std::string longName(const store::RouterInfo& router);

}  // namespace es::views
