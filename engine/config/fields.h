// SPDX-License-Identifier: GPL-3.0-or-later
// Walks over the options of a configuration, whatever their type, and turns single values into TOML text and back.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "engine/base/result.h"
#include "engine/config/run_config.h"

namespace es::config {

/// Calls visit(section, name, field&, info) for every option, in the order of the description.
template <class Visitor>
void forEachField(RunConfig& config, Visitor&& visit) {
    config.sections([&](std::string_view section, auto& options) {
        options.describe([&](std::string_view name, auto& field, const OptionInfo& info) { visit(section, name, field, info); });
    });
}
template <class Visitor>
void forEachField(const RunConfig& config, Visitor&& visit) {
    RunConfig copy = config;  // describe() hands out references; the copy keeps this one untouched
    forEachField(
        copy, [&](std::string_view section, std::string_view name, auto& field, const OptionInfo& info) { visit(section, name, std::as_const(field), info); });
}

/// TOML text of a value: shortest that reads back the same.
[[nodiscard]] std::string valueText(bool value);
[[nodiscard]] std::string valueText(std::int64_t value);
[[nodiscard]] std::string valueText(double value);
[[nodiscard]] std::string valueText(const std::string& value);
[[nodiscard]] std::string valueText(const std::vector<std::int64_t>& values);
[[nodiscard]] std::string valueText(const std::vector<double>& values);
[[nodiscard]] std::string valueText(const std::vector<std::string>& values);

/// "a whole number", "a list of texts", ...
template <class Field>
constexpr std::string_view typeName() {
    if constexpr (std::is_same_v<Field, bool>) return "true or false";
    else if constexpr (std::is_same_v<Field, std::int64_t>) return "a whole number";
    else if constexpr (std::is_same_v<Field, double>) return "a number";
    else if constexpr (std::is_same_v<Field, std::string>) return "a text";
    else if constexpr (std::is_same_v<Field, std::vector<std::int64_t>>) return "a list of whole numbers";
    else if constexpr (std::is_same_v<Field, std::vector<double>>) return "a list of numbers";
    else return "a list of texts";
}

/// Why `value` is not legal for this option ("must be between 1 and 64"), or empty.
[[nodiscard]] std::string rangeProblem(std::int64_t value, const OptionInfo& info);
[[nodiscard]] std::string rangeProblem(double value, const OptionInfo& info);
[[nodiscard]] std::string rangeProblem(const std::string& value, const OptionInfo& info);
[[nodiscard]] inline std::string rangeProblem(bool, const OptionInfo&) { return {}; }
template <class T>
[[nodiscard]] std::string rangeProblem(const std::vector<T>& values, const OptionInfo& info) {
    for (const T& value : values)
        if (std::string problem = rangeProblem(value, info); !problem.empty()) return problem;
    return {};
}
/// "1 to 64", "one of v, t", "" for any.
[[nodiscard]] std::string rangeText(const OptionInfo& info);

/// The candidate nearest to `text` by edit distance, or empty when none is near.
[[nodiscard]] std::string nearest(std::string_view text, const std::vector<std::string>& candidates);

}  // namespace es::config
