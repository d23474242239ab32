// SPDX-License-Identifier: GPL-3.0-or-later
// Ticks and numbers as the screen shows them: "4k" on long axes, a power of ten in the title beyond.
#pragma once

#include <QString>

#include "analysis/figures/panel_data.h"
#include "views/export/axis_ticks.h"

namespace es::views {

/// Round ticks inside the range, about one in `spacing` pixels of `length`. From 10 000 on labels are in thousands ("12k").
[[nodiscard]] page::Ticks screenTicks(const page::AxisRange& range, double length, double spacing);

/// A number beside a cursor: up to four significant digits, thousands set apart ("18 400").
[[nodiscard]] QString readout(double value);

/// Range of an axis from the data's own, honouring the axis' limits. A logarithmic axis without positive values becomes linear.
[[nodiscard]] page::AxisRange axisRange(const analysis::Axis& axis, double low, double high, bool round_ends);

}  // namespace es::views
