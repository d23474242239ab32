// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/fields.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace es::config {
namespace {

template <class T>
std::string listText(const std::vector<T>& values) {
    std::string text = "[";
    for (const T& value : values) text += (text.size() > 1 ? ", " : "") + valueText(value);
    return text + "]";
}

std::string boundText(double bound) { return std::abs(bound) < 1e15 && bound == std::floor(bound) ? fmt::format("{:.0f}", bound) : fmt::format("{}", bound); }

std::size_t editDistance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t above = row[j + 1];
            row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0u : 1u)});
            diagonal = above;
        }
    }
    return row.back();
}

}  // namespace

std::string valueText(bool value) { return value ? "true" : "false"; }
std::string valueText(std::int64_t value) { return std::to_string(value); }
std::string valueText(double value) {
    if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}
std::string valueText(const std::string& value) {
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') text += '\\';
        if (c == '\n') text += "\\n";
        else if (c == '\t') text += "\\t";
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) text += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        else text += c;
    }
    return text + "\"";
}
std::string valueText(const std::vector<std::int64_t>& values) { return listText(values); }
std::string valueText(const std::vector<double>& values) { return listText(values); }
std::string valueText(const std::vector<std::string>& values) { return listText(values); }

std::string rangeText(const OptionInfo& info) {
    if (!info.choices.empty()) return fmt::format("one of {}", fmt::join(info.choices, ", "));
    const bool low = std::isfinite(info.min), high = std::isfinite(info.max);
    if (low && high) return boundText(info.min) + " to " + boundText(info.max);
    if (low) return "at least " + boundText(info.min);
    if (high) return "at most " + boundText(info.max);
    return {};
}

std::string rangeProblem(double value, const OptionInfo& info) {
    if (!std::isfinite(value)) return "must be a finite number";
    if (value >= info.min && value <= info.max) return {};
    const std::string range = rangeText(info);
    return "must be " + range + ", not " + boundText(value);
}
std::string rangeProblem(std::int64_t value, const OptionInfo& info) { return rangeProblem(static_cast<double>(value), info); }
std::string rangeProblem(const std::string& value, const OptionInfo& info) {
    if (info.choices.empty() || std::ranges::find(info.choices, value) != info.choices.end()) return {};
    return "must be " + rangeText(info) + ", not '" + value + "'";
}

std::string nearest(std::string_view text, const std::vector<std::string>& candidates) {
    std::string best;
    std::size_t bestDistance = std::max<std::size_t>(2, text.size() / 2) + 1;
    for (const std::string& candidate : candidates) {
        const std::size_t distance = editDistance(text, candidate);
        if (distance < bestDistance) {
            bestDistance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace es::config
