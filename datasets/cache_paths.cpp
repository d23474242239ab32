// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/cache_paths.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

#include "datasets/cache_format.h"
#include "datasets/caption_text.h"
#include "datasets/known_sets.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

Json toJson(const std::vector<Problem>& problems) {
    Json list = Json::array();
    for (const auto& problem : problems) list.push_back({{"path", problem.path}, {"why", problem.why}});
    return list;
}

Json toJson(const std::vector<SetPart>& parts) {
    Json list = Json::array();
    for (const auto& part : parts) list.push_back({{"name", part.name}, {"end", part.end}});
    return list;
}

std::vector<SetPart> partsFrom(const Json& json) {
    std::vector<SetPart> parts;
    if (const auto list = json.find("parts"); list != json.end())
        for (const auto& entry : *list) parts.push_back({entry.value("name", ""), entry.value("end", std::int64_t{0})});
    return parts;
}

std::vector<Problem> problemsFrom(const Json& json, const char* key) {
    std::vector<Problem> problems;
    if (const auto list = json.find(key); list != json.end())
        for (const auto& entry : *list) problems.push_back({entry.value("path", ""), entry.value("why", "")});
    return problems;
}

}  // namespace

std::string cachePrefix(const config::DataOptions& options, std::string_view stem) {
    // Sets that are made up say how many of what seed: another count is another set, not the same one changed.
    const std::string made = isMadeUp(options.set) ? fmt::format("-{}-seed{}", options.scenes, options.scene_seed) : std::string();
    return fmt::format("{}{}-{}px-{}-", stem, made, options.image_size, options.keywords ? "keywords" : "names");
}

CachePaths cachePaths(const config::DataOptions& options, std::string_view stem, std::uint64_t fingerprint) {
    const fs::path folder(options.cache);
    const std::string name = cachePrefix(options, stem) + hashText(fingerprint);
    const fs::path data = folder / (name + kCacheExtension);
    return {data, vocabularyBeside(data, options.vocabulary), folder / ("." + name + ".lock")};
}

fs::path vocabularyBeside(const fs::path& data, std::int64_t vocabulary) {
    return data.parent_path() / fmt::format("{}-bpe-{}.model", data.stem().string(), vocabulary);
}

std::string fileNamePart(std::string_view text) {
    const std::string valid = repairUtf8(text);
    std::string part;
    for (const char c : utf8Prefix(valid, 80)) {
        const bool keep =
            static_cast<unsigned char>(c) >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        part += keep ? c : '_';
    }
    return part.empty() ? "set" : part;
}

std::string toJson(const About& about) {
    const Report& r = about.report;
    const Json json{{"set", about.set},
                    {"place", about.place},
                    {"found", r.found},
                    {"keywords", about.keywords},
                    {"samples", r.samples},
                    {"pictures", r.pictures},
                    {"captions", r.captions},
                    {"pairs", r.pairs},
                    {"distinct_captions", r.distinct_captions},
                    {"duplicates", r.duplicates},
                    {"train", r.train},
                    {"validation", r.validation},
                    {"test", r.test},
                    {"parts", toJson(r.parts)},
                    {"problems", toJson(r.problems)},
                    {"notes", toJson(r.notes)}};
    return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

About aboutFromJson(std::string_view text) {
    About about;
    try {
        const Json json = Json::parse(text);
        about.set = json.value("set", "");
        about.place = json.value("place", "");
        about.keywords = json.value("keywords", true);
        Report& r = about.report;
        r.set = about.set;
        r.found = json.value("found", std::int64_t{0});
        r.samples = json.value("samples", std::int64_t{0});
        r.pictures = json.value("pictures", std::int64_t{0});
        r.captions = json.value("captions", std::int64_t{0});
        r.pairs = json.value("pairs", std::int64_t{0});
        r.distinct_captions = json.value("distinct_captions", std::int64_t{0});
        r.duplicates = json.value("duplicates", std::int64_t{0});
        r.train = json.value("train", std::int64_t{0});
        r.validation = json.value("validation", std::int64_t{0});
        r.test = json.value("test", std::int64_t{0});
        r.parts = partsFrom(json);
        r.problems = problemsFrom(json, "problems");
        r.notes = problemsFrom(json, "notes");
    } catch (const Json::exception&) {
    }
    return about;
}

}  // namespace es::datasets
