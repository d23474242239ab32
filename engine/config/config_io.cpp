// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/config_io.h"

#include <spdlog/fmt/fmt.h>

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <type_traits>

#include "engine/base/files.h"
#include "engine/base/hash.h"
#include "engine/config/fields.h"
#include "engine/config/presets.h"

namespace es::config {
namespace {

constexpr std::string_view kWhat = "Cannot use the configuration";
constexpr std::string_view kReference = "See docs/configuration.md for every key";

std::string place(const std::string& path, const toml::source_region& source) {
    return source.begin.line ? fmt::format("{}:{}", path, source.begin.line) : path;
}

template <class T>
std::optional<T> scalarOf(const toml::node& node) {
    if constexpr (std::is_same_v<T, double>) return node.is_number() ? node.value<double>() : std::nullopt;
    else if constexpr (std::is_same_v<T, std::int64_t>) return node.is_integer() ? node.value<std::int64_t>() : std::nullopt;
    else return node.value_exact<T>();
}

template <class Field>
std::optional<Field> read(const toml::node& node) {
    if constexpr (requires { typename Field::value_type; } && !std::is_same_v<Field, std::string>) {
        const toml::array* array = node.as_array();
        if (!array) return std::nullopt;
        Field values;
        for (const toml::node& entry : *array) {
            auto value = scalarOf<typename Field::value_type>(entry);
            if (!value) return std::nullopt;
            values.push_back(std::move(*value));
        }
        return values;
    } else {
        return scalarOf<Field>(node);
    }
}

std::vector<std::string> keysOf(RunConfig& config, std::string_view section) {
    std::vector<std::string> keys;
    forEachField(config, [&](std::string_view s, std::string_view name, auto&, const OptionInfo&) {
        if (s == section) keys.emplace_back(name);
    });
    return keys;
}
std::vector<std::string> sectionsOf(RunConfig& config) {
    std::vector<std::string> names;
    config.sections([&](std::string_view section, auto&) { names.emplace_back(section); });
    return names;
}

std::string suggestion(std::string_view wrong, const std::vector<std::string>& known) {
    const std::string near = nearest(wrong, known);
    return near.empty() ? fmt::format("Known here: {}", fmt::join(known, ", ")) : fmt::format("Did you mean '{}'?", near);
}

/// Sets one key from a TOML value.
Status assign(RunConfig& config, std::string_view section, std::string_view key, const toml::node& node, const std::string& where) {
    Status status;
    bool found = false;
    forEachField(config, [&](std::string_view s, std::string_view name, auto& field, const OptionInfo& info) {
        if (s != section || name != key) return;
        found = true;
        using Field = std::remove_reference_t<decltype(field)>;
        auto value = read<Field>(node);
        if (!value) {
            status = badInput(std::string(kWhat), fmt::format("{}.{} must be {}", section, key, typeName<Field>()),
                              fmt::format("The default is {}", valueText(field)), where);
        } else if (std::string problem = rangeProblem(*value, info); !problem.empty()) {
            status = badInput(std::string(kWhat), fmt::format("{}.{} {}", section, key, problem), std::string(kReference), where);
        } else {
            field = std::move(*value);
        }
    });
    if (!found) return badInput(std::string(kWhat), fmt::format("there is no key '{}' in [{}]", key, section), suggestion(key, keysOf(config, section)), where);
    return status;
}

Status assignTable(RunConfig& config, const toml::table& table, const std::string& path) {
    for (const auto& [sectionKey, node] : table) {
        const std::string_view section = sectionKey.str();
        if (section == "schema_version") continue;
        const std::vector<std::string> sections = sectionsOf(config);
        const std::string where = place(path, sectionKey.source());
        if (std::ranges::find(sections, section) == sections.end())
            return badInput(std::string(kWhat), fmt::format("there is no section [{}]", section), suggestion(section, sections), where);
        const toml::table* options = node.as_table();
        if (!options) return badInput(std::string(kWhat), fmt::format("'{}' must be a section", section), fmt::format("Write it as [{}]", section), where);
        for (const auto& [key, value] : *options) {
            if (Status status = assign(config, section, key.str(), value, place(path, key.source())); !status) return status;
        }
    }
    return {};
}

std::string presetIn(const toml::table& table) { return table["model"]["preset"].value_or(std::string{}); }

Result<RunConfig> parse(std::string_view text, const std::string& path, std::span<const std::string> overrides) {
    toml::table table;
    try {
        table = toml::parse(text, path);
    } catch (const toml::parse_error& error) {
        return badInput(std::string(kWhat), std::string(error.description()), "Mend the TOML there", place(path, error.source()));
    }
    if (const toml::node* version = table.get("schema_version")) {
        const auto number = scalarOf<std::int64_t>(*version);
        if (!number || *number < 1)
            return badInput(std::string(kWhat), "schema_version must be a positive whole number", fmt::format("This program writes {}", kSchemaVersion), path);
        if (*number > kSchemaVersion)
            return badInput(std::string(kWhat), fmt::format("it has schema_version {}, newer than the {} this program knows", *number, kSchemaVersion),
                            "Use a newer ExpertScope", path);
    }
    RunConfig config;
    const std::string preset = presetIn(table);
    // An unknown preset falls through to the range check of the key itself, which names the legal ones.
    if (!preset.empty()) (void)!applyPreset(config, preset);
    if (Status status = assignTable(config, table, path); !status) return tl::unexpected(status.error());
    for (const std::string& assignment : overrides)
        if (Status status = applyOverride(config, assignment); !status) return tl::unexpected(status.error());
    if (Status status = validate(config, path); !status) return tl::unexpected(status.error());
    return config;
}

std::string hashWithout(RunConfig config, bool keepSeed) {
    config.run.name.clear();
    if (!keepSeed) config.run.seed = 0;
    config.data.cache.clear();  // where the data lie and who prepares them do not change a run
    config.data.threads = 1;
    return hashText(hash64(toToml(config)));
}

}  // namespace

Result<RunConfig> parseToml(std::string_view toml, const std::string& path) { return parse(toml, path, {}); }

Result<RunConfig> loadConfig(const std::filesystem::path& path) { return loadConfig(path, {}); }

Result<RunConfig> loadConfig(const std::filesystem::path& path, std::span<const std::string> overrides) {
    constexpr std::uintmax_t kLargestConfiguration = 1 << 20;
    auto text = readFile(path, kLargestConfiguration);
    if (!text) return tl::unexpected(text.error());
    return parse(*text, path.string(), overrides);
}

Status applyOverride(RunConfig& config, std::string_view assignment) {
    const std::string where = fmt::format("--set {}", assignment);
    const std::size_t equals = assignment.find('='), dot = assignment.find('.');
    if (equals == std::string_view::npos || dot == std::string_view::npos || dot > equals)
        return badInput("Cannot set the option", "it is not of the form section.key=value", "For example: --set train.steps=200", where);
    const std::string_view section = assignment.substr(0, dot), key = assignment.substr(dot + 1, equals - dot - 1);
    const std::string value(assignment.substr(equals + 1));
    const std::vector<std::string> sections = sectionsOf(config);
    if (std::ranges::find(sections, section) == sections.end())
        return badInput("Cannot set the option", fmt::format("there is no section '{}'", section), suggestion(section, sections), where);
    toml::table table;
    try {
        table = toml::parse("value = " + value);
    } catch (const toml::parse_error&) {
        table.insert("value", value);  // a text without quotes, as people type it
    }
    if (section == "model" && key == "preset" && !applyPreset(config, value)) table.insert_or_assign("value", value);
    return assign(config, section, key, *table.get("value"), where);
}

std::string toToml(const RunConfig& config) {
    std::string text = fmt::format("schema_version = {}\n", kSchemaVersion);
    std::string_view current;
    forEachField(config, [&](std::string_view section, std::string_view name, const auto& field, const OptionInfo&) {
        if (section != current) text += fmt::format("\n[{}]\n", section);
        current = section;
        text += fmt::format("{} = {}\n", name, valueText(field));
    });
    return text;
}

std::string configHash(const RunConfig& config) { return hashWithout(config, true); }
std::string groupHash(const RunConfig& config) { return hashWithout(config, false); }

std::string valueOf(const RunConfig& config, std::string_view wanted) {
    std::string text;
    forEachField(config, [&](std::string_view section, std::string_view name, const auto& field, const OptionInfo&) {
        if (fmt::format("{}.{}", section, name) == wanted) text = valueText(field);
    });
    return text;
}

std::vector<ConfigDifference> difference(const RunConfig& a, const RunConfig& b) {
    std::vector<ConfigDifference> differences;
    forEachField(a, [&](std::string_view section, std::string_view name, const auto& field, const OptionInfo&) {
        const std::string key = fmt::format("{}.{}", section, name), left = valueText(field), right = valueOf(b, key);
        if (left != right) differences.push_back({key, left, right});
    });
    return differences;
}

std::vector<OptionDescription> describeOptions() {
    std::vector<OptionDescription> descriptions;
    forEachField(RunConfig{}, [&](std::string_view section, std::string_view name, const auto& field, const OptionInfo& info) {
        using Field = std::remove_cvref_t<decltype(field)>;
        OptionDescription description{std::string(section), std::string(name), std::string(typeName<Field>()), std::string(info.unit),
                                      rangeText(info),      valueText(field),  std::string(info.help),         {}};
        for (const std::string_view choice : info.choices) description.choices.emplace_back(choice);
        descriptions.push_back(std::move(description));
    });
    return descriptions;
}

}  // namespace es::config
