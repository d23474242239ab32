// SPDX-License-Identifier: GPL-3.0-or-later
// Curves on the way from the store to a panel: which x they are drawn against, smoothing, reduction to pixels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "analysis/figures/run_source.h"
#include "engine/base/result.h"

namespace es::analysis {

/// Turns a run's steps into values of an axis.
class AxisMap {
public:
    /// Errors when the run did not record what the axis needs. Time is the sum of recorded step times (evaluations and checkpoints not
    /// included); memory is the largest value of the memory scalar so far.
    [[nodiscard]] static Result<AxisMap> make(const store::RunReader& run, XAxis axis);
    [[nodiscard]] double operator()(double step) const;
    [[nodiscard]] std::vector<double> operator()(std::span<const double> steps) const;

private:
    double factor_ = 1;
    bool table_ = false, starts_at_zero_ = true;
    std::vector<double> step_, value_;  ///< when table_
};

struct Points {
    std::vector<double> x, y;
};
/// At most about max_points points that keep the first, last, smallest and largest of each bucket, in order. NaN stays a gap.
[[nodiscard]] Points reducedToExtremes(std::span<const double> x, std::span<const double> y, std::int64_t max_points);

struct CurveSource {
    std::string metric;
    double smoothing = 0;
    std::int64_t max_points = 2000;
    double first_step = -1e300, last_step = 1e300;
};
/// One scalar of one run as a curve on the axis: label, colour and style are left to the caller. `notes` gets what was reduced or is not a
/// number. An unknown scalar gives an empty curve.
[[nodiscard]] Result<Curve> scalarCurve(const store::RunReader& run, const CurveSource& source, const AxisMap& axis, std::vector<std::string>& notes);

/// The held-out scalar that belongs to a training loss ("train/loss/image" -> "eval/loss/image", "train/loss" -> "eval/loss/total" or "eval/loss").
/// Empty when the run has none.
[[nodiscard]] std::string heldOutName(const store::RunReader& run, const std::string& metric);
/// The held-out total loss: empty when nothing was evaluated.
[[nodiscard]] std::string heldOutTotal(const store::RunReader& run);
/// The scalar of peak or resident memory in MB; empty when none was recorded.
[[nodiscard]] std::string memoryName(const store::RunReader& run);

/// Name in legends: the label, else the run's name and seed.
[[nodiscard]] std::string labelOf(const RunSource& source);
/// What a run that is not done yet says about itself: "run still training: step 310 of 600"; empty when finished.
[[nodiscard]] std::string partialNote(const store::RunReader& run);

}  // namespace es::analysis
