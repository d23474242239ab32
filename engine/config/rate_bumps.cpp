// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/rate_bumps.h"

#include <charconv>
#include <cmath>

namespace es::config {
namespace {

/// Reads a number off the front of `text`; false, with `text` unchanged, when there is none.
template <class T>
bool takeNumber(std::string_view& text, T& number) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool takeWord(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
}

}  // namespace

std::optional<RateBump> parseRateBump(std::string_view text) {
    RateBump bump;
    if (!takeNumber(text, bump.first)) return std::nullopt;
    bump.last = bump.first;
    if (takeWord(text, "-") && !takeNumber(text, bump.last)) return std::nullopt;
    if (!takeWord(text, " x") || !takeNumber(text, bump.factor) || !text.empty()) return std::nullopt;
    const bool sound = bump.first >= 1 && bump.last >= bump.first && std::isfinite(bump.factor) && bump.factor >= 0;
    return sound ? std::optional(bump) : std::nullopt;
}

}  // namespace es::config
