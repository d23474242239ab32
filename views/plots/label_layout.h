// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

namespace es::views {

/// Heights for labels that want to stand at `wanted` (ascending or not), each `height` tall, inside [top, bottom], none over another, moved as
/// little as possible (least squares, by merging touching blocks). The answer is in the order of `wanted`; empty when they do not fit.
[[nodiscard]] std::vector<double> spreadLabels(const std::vector<double>& wanted, double height, double top, double bottom);

}  // namespace es::views
