// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace es::analysis {

/// The candidate that differs from `name` by the fewest inserted, removed or changed letters (Levenshtein); empty when none is near
/// (more than half of the letters differ).
[[nodiscard]] std::string nearest(std::string_view name, std::span<const std::string> candidates);
/// "did you mean 'load'? Known: a, b, c" for an error's remedy.
[[nodiscard]] std::string knownNames(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace es::analysis
