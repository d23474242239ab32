// SPDX-License-Identifier: GPL-3.0-or-later
// Panels of a run in training. Each is a pure function of what the run has recorded. `max_points` is the width in pixels: curves are reduced
// to it with their minimum and maximum kept, and the panel's notes say so. A run without the records gives an Error of kind kJobFailed whose
// words say what would fill the panel; partly missing records give a note.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "analysis/figures/run_source.h"
#include "engine/base/result.h"

namespace es::analysis {

struct CurveOptions {
    std::vector<std::string> metrics = {"train/loss"};  ///< scalar names; a curve for each run and metric that has it
    double smoothing = 0;                               ///< 0 .. 0.99, debiased exponential mean per recorded step; the raw line is kept
    XAxis x = XAxis::kStep;
    Scale y_scale = Scale::kLinear;
    bool evaluations = true;   ///< held-out values of the same loss as points ("eval/..." beside "train/...")
    bool mark_spikes = false;  ///< markers where x > mean + 6 sd of the last 128
    bool mark_events = false;  ///< markers at resumes and non-finite values
    std::int64_t max_points = 2000;
    double first_step = -1e300, last_step = 1e300;
};

/// Any recorded scalars of any runs.
[[nodiscard]] Result<Panel> scalarCurves(std::span<const RunSource> runs, const CurveOptions& options);
/// scalarCurves with the title and axis of losses.
[[nodiscard]] Result<Panel> lossCurves(std::span<const RunSource> runs, const CurveOptions& options);

/// Expert x step, share ÷ even share, of one router; kUnknown: all modalities together.
[[nodiscard]] Result<Panel> loadHeatmap(const store::RunReader& run, RouterId router, Modality modality = Modality::kUnknown, std::int64_t max_columns = 600);
/// MaxVio of every router: one series a layer, solid for V (and pooled) routers, dashed for T.
[[nodiscard]] Result<Panel> maxVioByLayer(const store::RunReader& run, double smoothing = 0, std::int64_t max_points = 1000);
/// Mean router entropy of the modalities (over their routers, by tokens) with the uniform line ln E, and dropped assignments in per cent
/// (dotted) when there are any. A valid `router` restricts it to that one.
[[nodiscard]] Result<Panel> entropyAndDrops(const store::RunReader& run, RouterId router = {}, double smoothing = 0, std::int64_t max_points = 1000);
/// Gradient norms of all weights and of each group ("grad_norm/GROUP"), not those of single experts; spikes marked.
[[nodiscard]] Result<Panel> gradientNorms(const store::RunReader& run, double smoothing = 0, std::int64_t max_points = 1000);
/// Samples per second over training time in minutes before now; `minutes` <= 0: the whole run. Recorder and memory scalars beside it when there.
[[nodiscard]] Result<Panel> throughput(const store::RunReader& run, double minutes = 10, std::int64_t max_points = 1000);
/// What the run is: parameters, experts, router, losses, objective, data, precision: two columns.
[[nodiscard]] Panel runFacts(const store::RunReader& run);
/// Alarms as a table, for figures and the command line (the window shows Alarm values).
[[nodiscard]] Result<Panel> alarmTable(const store::RunReader& run);

/// Rows of the scalar names: "train/loss" -> "training loss", with the unit where the path has one ("time/step_ms" -> "step (ms)").
[[nodiscard]] std::string readableName(std::string_view scalar);
/// "1.v": layer and branch, as recipes and the command line write a router.
[[nodiscard]] std::string routerName(const store::RouterInfo& router);
/// The router that "1.v" (or a plain id) names.
[[nodiscard]] Result<store::RouterInfo> routerFromName(const store::RunReader& run, std::string_view name);

}  // namespace es::analysis
