// SPDX-License-Identifier: GPL-3.0-or-later
// A run as a panel shows it: its reader, the name in the legend, the number of its colour.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/store/run_reader.h"

namespace es::analysis {

struct RunSource {
    std::shared_ptr<const store::RunReader> run;
    std::string label;       ///< empty: the run's name and seed
    std::int32_t color = 0;  ///< number of the run's colour (seeds of one configuration share it)
};

/// What a curve over training is drawn against.
enum class XAxis : std::uint8_t { kStep, kSamples, kTokens, kTime, kActiveFlops, kTotalFlops, kMemory };
[[nodiscard]] std::string_view toString(XAxis axis);  ///< "step" "samples" "tokens" "time" "active-flops" "total-flops" "memory"
[[nodiscard]] std::optional<XAxis> xAxisFromString(std::string_view text);
[[nodiscard]] std::string_view axisTitle(XAxis axis);  ///< "training time (s)"

}  // namespace es::analysis
