// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/scene_truth.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace es {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, kWordRoleCount> kRoleNames{"function", "shape", "colour", "size", "texture", "number", "relation", "object", "negation"};
constexpr std::size_t kMostObjects = 254;
constexpr std::int32_t kMostSide = 1024;   // of data.image_size: few bytes of text may claim a map of the whole picture
constexpr std::size_t kFarthestJump = 48;  // bytes of a caption that a piece may skip: a run of unknown characters, or one that the tokenizer changed

Json ownerRuns(const std::vector<std::uint8_t>& owner) {
    Json runs = Json::array();
    for (std::size_t i = 0; i < owner.size();) {
        std::size_t end = i + 1;
        while (end < owner.size() && owner[end] == owner[i]) ++end;
        runs.push_back(owner[i]);
        runs.push_back(end - i);
        i = end;
    }
    return runs;
}

bool readOwner(const Json& runs, std::size_t objects, SceneTruth& truth) {
    if (truth.side < 0 || truth.side > kMostSide || !runs.is_array() || runs.size() % 2 != 0) return false;
    const std::size_t pixels = static_cast<std::size_t>(truth.side) * static_cast<std::size_t>(truth.side);
    for (std::size_t i = 0; i < runs.size(); i += 2) {
        const auto value = runs[i].get<std::uint64_t>(), count = runs[i + 1].get<std::uint64_t>();
        if (value > objects || count > pixels - truth.owner.size()) return false;
        truth.owner.insert(truth.owner.end(), static_cast<std::size_t>(count), static_cast<std::uint8_t>(value));
    }
    return truth.owner.empty() || truth.owner.size() == pixels;
}

std::size_t skipSpaces(std::string_view text, std::size_t at) {
    while (at < text.size() && text[at] == ' ') ++at;
    return at;
}

}  // namespace

std::string_view toString(WordRole role) {
    const auto which = static_cast<std::size_t>(role);
    return which < kRoleNames.size() ? kRoleNames[which] : kRoleNames[0];
}

std::optional<WordRole> wordRoleFromString(std::string_view text) {
    const auto found = std::find(kRoleNames.begin(), kRoleNames.end(), text);
    if (found == kRoleNames.end()) return std::nullopt;
    return static_cast<WordRole>(found - kRoleNames.begin());
}

std::vector<PatchTruth> patchTruth(const SceneTruth& truth, std::int32_t grid_width, std::int32_t grid_height) {
    const std::int64_t side = truth.side;
    if (grid_width <= 0 || grid_height <= 0 || side <= 0 || truth.owner.size() != static_cast<std::size_t>(side * side)) return {};
    const std::size_t objects = truth.objects.size(), patches = static_cast<std::size_t>(grid_width) * static_cast<std::size_t>(grid_height);
    std::vector<std::int64_t> counts(patches * (objects + 1), 0);
    for (std::int64_t y = 0; y < side; ++y) {
        const std::int64_t row = (2 * y + 1) * grid_height / (2 * side);
        for (std::int64_t x = 0; x < side; ++x) {
            const std::size_t owner = truth.owner[static_cast<std::size_t>(y * side + x)];
            const auto patch = static_cast<std::size_t>(row * grid_width + (2 * x + 1) * grid_width / (2 * side));
            ++counts[patch * (objects + 1) + (owner <= objects ? owner : 0)];
        }
    }
    std::vector<PatchTruth> out(patches);
    for (std::size_t p = 0; p < patches; ++p) {
        const std::int64_t* count = &counts[p * (objects + 1)];
        std::int64_t total = 0;
        for (std::size_t i = 0; i <= objects; ++i) total += count[i];
        PatchTruth& patch = out[p];
        patch.object_shares.assign(objects, 0);
        if (total == 0) continue;  // a cell smaller than a pixel
        patch.background = static_cast<float>(static_cast<double>(count[0]) / static_cast<double>(total));
        for (std::size_t i = 0; i < objects; ++i) {
            patch.object_shares[i] = static_cast<float>(static_cast<double>(count[i + 1]) / static_cast<double>(total));
            if (2 * count[i + 1] >= total && patch.object < 0) patch.object = static_cast<std::int32_t>(i);
        }
        patch.mixed = patch.object < 0 && 2 * count[0] < total;
    }
    return out;
}

std::string sceneTruthToJson(const SceneTruth& truth) {
    Json objects = Json::array(), words = Json::array();
    for (const SceneObject& object : truth.objects) {
        Json entry = Json::object();
        const auto put = [&](const char* key, const std::string& value) {
            if (!value.empty()) entry[key] = value;
        };
        put("shape", object.shape);
        put("colour", object.colour);
        put("size", object.size);
        put("texture", object.texture);
        put("name", object.name);
        put("category", object.category);
        objects.push_back(std::move(entry));
    }
    for (const SceneWord& word : truth.words) words.push_back({word.begin, word.end, toString(word.role), word.object});
    const Json json{{"objects", std::move(objects)}, {"side", truth.side},       {"owner_runs", ownerRuns(truth.owner)},
                    {"words", std::move(words)},     {"holdout", truth.holdout}, {"pair_of", truth.pair_of},
                    {"changed", truth.changed}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<SceneTruth> sceneTruthFromJson(std::string_view text) {
    const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!json.is_object()) return std::nullopt;
    SceneTruth truth;
    try {
        for (const Json& entry : json.at("objects"))
            truth.objects.push_back({.shape = entry.value("shape", ""),
                                     .colour = entry.value("colour", ""),
                                     .size = entry.value("size", ""),
                                     .texture = entry.value("texture", ""),
                                     .name = entry.value("name", ""),
                                     .category = entry.value("category", "")});
        if (truth.objects.size() > kMostObjects) return std::nullopt;
        truth.side = json.value("side", 0);
        if (!readOwner(json.at("owner_runs"), truth.objects.size(), truth)) return std::nullopt;
        for (const Json& entry : json.at("words")) {
            SceneWord word{entry.at(0).get<std::uint32_t>(), entry.at(1).get<std::uint32_t>(), WordRole::kFunction, entry.at(3).get<std::int32_t>()};
            // A role that a later version knows is kept as the one that says least.
            word.role = wordRoleFromString(entry.at(2).get<std::string>()).value_or(WordRole::kFunction);
            if (word.begin > word.end || word.object < -1 || word.object >= static_cast<std::int32_t>(truth.objects.size())) return std::nullopt;
            truth.words.push_back(word);
        }
        truth.holdout = json.value("holdout", "");
        truth.pair_of = json.value("pair_of", std::uint64_t{0});
        truth.changed = json.value("changed", "");
    } catch (const Json::exception&) {
        return std::nullopt;
    }
    return truth;
}

std::vector<TextRange> tokenRanges(std::string_view caption, std::span<const std::string> token_texts) {
    std::vector<TextRange> ranges(token_texts.size());
    std::size_t at = 0;
    std::ptrdiff_t unknown = -1;  // the last token whose end its neighbour decides
    const auto endUnknown = [&](std::size_t end) {
        if (unknown < 0) return;
        TextRange& range = ranges[static_cast<std::size_t>(unknown)];
        while (end > range.begin && caption[end - 1] == ' ') --end;
        range.end = static_cast<std::uint32_t>(end);
        unknown = -1;
    };
    for (std::size_t i = 0; i < token_texts.size(); ++i) {
        const std::string& text = token_texts[i];
        const std::size_t from = skipSpaces(caption, at);
        ranges[i] = {static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(from)};
        if (text == "<unk>") {
            if (unknown >= 0) continue;  // several in a row: the first has the place
            unknown = static_cast<std::ptrdiff_t>(i);
            continue;
        }
        if (text.empty()) continue;
        const std::size_t found = caption.substr(0, std::min(caption.size(), from + kFarthestJump + text.size())).find(text, from);
        if (found == std::string_view::npos || (text == "_" && found != from && unknown < 0)) continue;
        endUnknown(found);
        at = found + text.size();
        ranges[i] = {static_cast<std::uint32_t>(found), static_cast<std::uint32_t>(at)};
    }
    endUnknown(caption.size());
    return ranges;
}

std::vector<std::int32_t> tokenWords(std::string_view caption, std::span<const std::string> token_texts, std::span<const SceneWord> words) {
    const auto ranges = tokenRanges(caption, token_texts);
    std::vector<std::int32_t> out(ranges.size(), -1);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        if (ranges[i].begin == ranges[i].end) continue;
        const auto after =
            std::upper_bound(words.begin(), words.end(), ranges[i].begin, [](std::uint32_t at, const SceneWord& word) { return at < word.begin; });
        if (after != words.begin() && ranges[i].begin < std::prev(after)->end) out[i] = static_cast<std::int32_t>(after - words.begin()) - 1;
    }
    return out;
}

}  // namespace es
