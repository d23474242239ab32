// SPDX-License-Identifier: GPL-3.0-or-later
// Held-out loss along an axis of cost, for one run and for the seeds of a group.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "analysis/compare/comparison.h"
#include "engine/base/result.h"

namespace es::analysis {

/// Held-out total loss of each run of a group on the axis, and their mean at common points. Errors: no held-out loss; axis not recorded.
[[nodiscard]] Result<GroupCurve> groupCurve(const RunGroup& group, XAxis axis, std::int64_t max_points);

/// Linear interpolation; nothing outside the range. x ascending.
[[nodiscard]] std::optional<double> valueAt(std::span<const double> x, std::span<const double> y, double at);

/// The smallest x at which the curve has come down to `loss` (interpolated within the step that crosses it). Nothing when it never does.
[[nodiscard]] std::optional<double> costToReach(std::span<const double> x, std::span<const double> y, double loss);

/// Baseline's cost ÷ candidate's for the loss that the baseline ended with. Runs are paired by order (seeds were matched by the caller);
/// with >= 2 pairs the interval is Student's over the logarithms of the ratios.
[[nodiscard]] ReachRatio reachRatio(const Baseline<GroupCurve>& baseline, const Candidate<GroupCurve>& candidate, XAxis axis, double confidence);

/// Ratio of costs over the losses that both group means reach.
[[nodiscard]] ReachCurve reachCurve(const Baseline<GroupCurve>& baseline, const Candidate<GroupCurve>& candidate, XAxis axis);

}  // namespace es::analysis
