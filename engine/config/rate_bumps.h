// SPDX-License-Identifier: GPL-3.0-or-later
// Steps with another learning rate, written as text: what makes a spike on purpose.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace es::config {

/// In the steps from `first` to `last`, counted from 1 as everywhere in a run, the learning rate is multiplied by `factor`.
struct RateBump {
    std::int64_t first = 1, last = 1;
    double factor = 1;
};

/// "70-71 x100" or "70 x0.5". Empty when it is not written so, when 1 <= first <= last does not hold, or when the factor is not finite and
/// at least 0.
[[nodiscard]] std::optional<RateBump> parseRateBump(std::string_view text);

}  // namespace es::config
