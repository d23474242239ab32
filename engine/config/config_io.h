// SPDX-License-Identifier: GPL-3.0-or-later
// Configurations in and out: TOML, --set, checks, differences. All from the one description of each option.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/config/run_config.h"

namespace es::config {

/// Reads a TOML text. Unknown keys (the nearest known one is named), wrong types, values out of range and newer schema versions are
/// errors that carry `path` and the line. A preset is applied first, then the keys of the file. The result is validated.
[[nodiscard]] Result<RunConfig> parseToml(std::string_view toml, const std::string& path);
[[nodiscard]] Result<RunConfig> loadConfig(const std::filesystem::path& path);
/// As loadConfig, then applies overrides "section.key=value" in order ("[1, 2]" for lists); validates once at the end.
[[nodiscard]] Result<RunConfig> loadConfig(const std::filesystem::path& path, std::span<const std::string> overrides);
/// Changes one key. Does not validate relations between keys.
[[nodiscard]] Status applyOverride(RunConfig& config, std::string_view assignment);
/// What no single range can say: heads divide width, patch divides image size, k <= experts, layers exist, at least one objective, ...
[[nodiscard]] Status validate(const RunConfig& config, const std::string& path = {});

/// The whole configuration with schema_version, every key in the order of its description. Stable: equal configurations, equal text.
[[nodiscard]] std::string toToml(const RunConfig& config);
/// 64-bit hash (hexadecimal) of toToml without run.name: equal for runs of one configuration and seed.
[[nodiscard]] std::string configHash(const RunConfig& config);
/// As configHash, but without run.seed too: equal for the seeds of one configuration.
[[nodiscard]] std::string groupHash(const RunConfig& config);

struct ConfigDifference {
    std::string key;   ///< "model.ffn"
    std::string a, b;  ///< values as in TOML
};
[[nodiscard]] std::vector<ConfigDifference> difference(const RunConfig& a, const RunConfig& b);

/// One option for forms and reference pages. Values as in TOML.
struct OptionDescription {
    std::string section, name, type, unit, range, default_value, help;
    std::vector<std::string> choices;
};
[[nodiscard]] std::vector<OptionDescription> describeOptions();
/// docs/configuration.md: every option by section, in Markdown.
[[nodiscard]] std::string referencePage();
/// The value of "section.key" as in TOML; empty when there is no such key.
[[nodiscard]] std::string valueOf(const RunConfig& config, std::string_view key);

}  // namespace es::config
