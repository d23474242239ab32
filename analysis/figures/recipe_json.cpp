// SPDX-License-Identifier: GPL-3.0-or-later
// Recipes in and out. Strict: whatever a recipe says is understood or refused by name, so that a figure never silently differs from its recipe.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "analysis/figures/figure_recipe.h"
#include "analysis/figures/nearest.h"
#include "engine/base/files.h"

namespace es::analysis {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "expertscope-figure";
constexpr std::int32_t kVersion = 1;
constexpr std::uintmax_t kLargest = 16u << 20;

/// Reads an object's members and remembers the first thing that is wrong.
class ObjectReader {
public:
    ObjectReader(const Json& json, std::string place, std::optional<std::string>& problem) : json_(json), place_(std::move(place)), problem_(problem) {
        if (!json.is_object()) wrong("", "is not an object");
    }
    void onlyKnows(const std::vector<std::string>& keys) {
        if (!json_.is_object()) return;
        for (const auto& [key, value] : json_.items())
            if (std::find(keys.begin(), keys.end(), key) == keys.end()) wrong(key, "is not a key of recipes. " + knownNames(key, keys));
    }
    const Json* find(const std::string& key, bool required) {
        if (!json_.is_object()) return nullptr;
        const auto found = json_.find(key);
        if (found != json_.end()) return &*found;
        if (required) wrong(key, "is missing");
        return nullptr;
    }
    void read(const std::string& key, std::string& value, bool required = false) {
        if (const Json* found = find(key, required)) found->is_string() ? (void)(value = found->get<std::string>()) : wrong(key, "is not a text");
    }
    void read(const std::string& key, bool& value) {
        if (const Json* found = find(key, false)) found->is_boolean() ? (void)(value = found->get<bool>()) : wrong(key, "is neither true nor false");
    }
    void read(const std::string& key, double& value, double least, double most) {
        const Json* found = find(key, false);
        if (!found) return;
        if (!found->is_number()) return wrong(key, "is not a number");
        const double number = found->get<double>();
        if (!(number >= least && number <= most)) return wrong(key, fmt::format("is {}, not from {} to {}", number, least, most));
        value = number;
    }
    void read(const std::string& key, std::int32_t& value, std::int32_t least, std::int32_t most) {
        const Json* found = find(key, false);
        if (!found) return;
        if (!found->is_number_integer()) return wrong(key, "is not a whole number");
        double number = value;
        read(key, number, least, most);
        value = static_cast<std::int32_t>(number);
    }
    void read(const std::string& key, std::map<std::string, std::string>& value) {
        const Json* found = find(key, false);
        if (!found) return;
        if (!found->is_object()) return wrong(key, "is not an object");
        for (const auto& [name, text] : found->items()) {
            if (!text.is_string()) return wrong(key + "." + name, "is not a text");
            value[name] = text.get<std::string>();
        }
    }
    void read(const std::string& key, std::vector<std::string>& value) {
        const Json* found = find(key, false);
        if (!found) return;
        if (!found->is_array()) return wrong(key, "is not a list");
        for (const Json& text : *found) {
            if (!text.is_string()) return wrong(key, "holds something that is not a text");
            value.push_back(text.get<std::string>());
        }
    }
    void wrong(const std::string& key, const std::string& why) {
        if (problem_) return;
        const std::string name = place_.empty() ? key : key.empty() ? place_ : place_ + "." + key;
        problem_ = fmt::format("'{}' {}", name.empty() ? "the recipe" : name, why);
    }

private:
    const Json& json_;
    std::string place_;
    std::optional<std::string>& problem_;
};

void readPage(const Json& json, PageSettings& page, std::optional<std::string>& problem) {
    ObjectReader object(json, "page", problem);
    object.onlyKnows({"preset", "width_mm", "height_mm", "font", "font_pt", "columns", "panel_letters"});
    object.read("preset", page.preset);
    object.read("width_mm", page.width_mm, 10, 2000);
    object.read("height_mm", page.height_mm, 10, 2000);
    object.read("font", page.font);
    object.read("font_pt", page.font_pt, 3, 72);
    object.read("columns", page.columns, 1, 12);
    object.read("panel_letters", page.panel_letters);
    std::vector<std::string> names;
    for (const PagePreset& preset : pagePresets()) names.push_back(preset.name);
    if (std::find(names.begin(), names.end(), page.preset) == names.end())
        object.wrong("preset", fmt::format("is '{}'. {}", page.preset, knownNames(page.preset, names)));
}

void readPanel(const Json& json, const std::string& place, PanelQuery& query, std::optional<std::string>& problem) {
    ObjectReader object(json, place, problem);
    object.onlyKnows({"kind", "title", "parameters", "runs"});
    object.read("kind", query.kind, true);
    object.read("title", query.title);
    object.read("parameters", query.parameters);
    object.read("runs", query.runs);
    if (problem) return;
    if (auto fine = checkQuery(query); !fine) object.wrong("", fmt::format("cannot be made: {}. {}", fine.error().why, fine.error().remedy));
}

}  // namespace

std::string toJson(const FigureRecipe& recipe) {
    Json json;
    json["format"] = kFormat;
    json["version"] = recipe.version;
    json["name"] = recipe.name;
    json["page"] = {
        {"preset", recipe.page.preset},   {"width_mm", recipe.page.width_mm}, {"height_mm", recipe.page.height_mm},        {"font", recipe.page.font},
        {"font_pt", recipe.page.font_pt}, {"columns", recipe.page.columns},   {"panel_letters", recipe.page.panel_letters}};
    json["panels"] = Json::array();
    for (const PanelQuery& panel : recipe.panels)
        json["panels"].push_back({{"kind", panel.kind}, {"title", panel.title}, {"parameters", Json::object()}, {"runs", panel.runs}});
    for (std::size_t i = 0; i < recipe.panels.size(); ++i)
        for (const auto& [name, value] : recipe.panels[i].parameters) json["panels"][i]["parameters"][name] = value;
    json["provenance"] = Json::object();
    for (const auto& [uuid, hashes] : recipe.provenance) json["provenance"][uuid] = hashes;
    json["program_version"] = recipe.program_version;
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<FigureRecipe> recipeFromJson(const std::string& text, const std::string& path) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return badInput("Cannot read the recipe", "it is not JSON", "Mend it, or save the figure anew in the Figures workspace", path);
    std::optional<std::string> problem;
    FigureRecipe recipe;
    ObjectReader object(json, "", problem);
    std::string format = kFormat;
    object.read("format", format);
    if (json.is_object() && format != kFormat) object.wrong("format", fmt::format("is '{}', not '{}'", format, kFormat));
    recipe.version = kVersion;
    object.read("version", recipe.version, 1, 1'000'000);
    if (!problem && recipe.version > kVersion)
        return badInput("Cannot read the recipe", fmt::format("it is of version {}, this program knows version {}", recipe.version, kVersion),
                        "Use a newer version of the program", path);
    object.onlyKnows({"format", "version", "name", "page", "panels", "provenance", "program_version"});
    object.read("name", recipe.name, true);
    object.read("program_version", recipe.program_version);
    object.read("provenance", recipe.provenance);
    if (const Json* page = object.find("page", false)) readPage(*page, recipe.page, problem);
    if (const Json* panels = object.find("panels", true)) {
        if (!panels->is_array()) object.wrong("panels", "is not a list");
        else
            for (std::size_t i = 0; i < panels->size() && !problem; ++i) {
                recipe.panels.emplace_back();
                readPanel((*panels)[i], fmt::format("panels[{}]", i), recipe.panels.back(), problem);
            }
    }
    if (problem) return badInput("Cannot read the recipe", *problem, "Correct it", path);
    return recipe;
}

Result<FigureRecipe> loadRecipe(const std::filesystem::path& path) {
    auto text = readFile(path, kLargest);
    if (!text) return tl::unexpected(text.error());
    return recipeFromJson(*text, path.string());
}

}  // namespace es::analysis
