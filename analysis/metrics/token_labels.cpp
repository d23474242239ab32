// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/token_labels.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <map>

#include "analysis/metrics/labels.h"
#include "analysis/stats/resampling.h"
#include "engine/base/random.h"

namespace es::analysis {
namespace {

struct KindName {
    LabelKind kind;
    std::string_view name, title;
};
constexpr std::array<KindName, kLabelKindCount> kKinds = {{{LabelKind::kCategory, "category", "category"},
                                                           {LabelKind::kTokenId, "token_id", "token id"},
                                                           {LabelKind::kSubcategory, "subcategory", "subcategory"},
                                                           {LabelKind::kDomain, "domain", "domain"},
                                                           {LabelKind::kPosition, "position", "position"},
                                                           {LabelKind::kBlank, "blank", "blank patch"},
                                                           {LabelKind::kShape, "shape", "object's shape"},
                                                           {LabelKind::kColour, "colour", "object's colour"},
                                                           {LabelKind::kSize, "size", "object's size"},
                                                           {LabelKind::kTexture, "texture", "object's texture"},
                                                           {LabelKind::kObjectCategory, "object_category", "object's category"},
                                                           {LabelKind::kWordRole, "word_role", "word role"},
                                                           {LabelKind::kPartOfSpeech, "part_of_speech", "part of speech"}}};

/// The readable text of a vocabulary piece without the mark of a word's start.
std::string bare(const std::string& piece) {
    static const std::string kMark = "\xE2\x96\x81";
    return piece.starts_with(kMark) && piece.size() > kMark.size() ? piece.substr(kMark.size()) : piece;
}

}  // namespace

std::string_view toString(LabelKind kind) { return kKinds[static_cast<std::size_t>(kind)].name; }
std::string_view labelTitle(LabelKind kind) { return kKinds[static_cast<std::size_t>(kind)].title; }

std::optional<LabelKind> labelKindFromString(std::string_view text) {
    for (const KindName& one : kKinds)
        if (one.name == text) return one.kind;
    return {};
}

std::span<const LabelKind> labelKindsOf(Modality modality) {
    static constexpr std::array kVision = {LabelKind::kCategory, LabelKind::kSubcategory, LabelKind::kDomain, LabelKind::kPosition, LabelKind::kBlank,
                                           LabelKind::kShape,    LabelKind::kColour,      LabelKind::kSize,   LabelKind::kTexture,  LabelKind::kObjectCategory};
    static constexpr std::array kText = {LabelKind::kTokenId, LabelKind::kDomain, LabelKind::kPosition, LabelKind::kWordRole, LabelKind::kPartOfSpeech};
    if (modality == Modality::kVision) return kVision;
    if (modality == Modality::kText) return kText;
    return {};
}

std::string_view partOfSpeech(WordRole role) {
    switch (role) {
        case WordRole::kShape:
        case WordRole::kObject: return "noun";
        case WordRole::kColour:
        case WordRole::kSize:
        case WordRole::kTexture: return "adjective";
        case WordRole::kNumber: return "numeral";
        case WordRole::kRelation: return "preposition";
        case WordRole::kNegation: return "negation";
        case WordRole::kFunction: break;
    }
    return "function word";
}

std::vector<std::int32_t> TokenLabels::draw(std::uint64_t seed, std::uint64_t index) const {
    std::vector<std::int32_t> result = label_T;
    switch (exchange_) {
        case Exchange::kTokens: {
            std::vector<std::int32_t> held;
            std::vector<std::size_t> where;
            for (std::size_t t = 0; t < label_T.size(); ++t)
                if (label_T[t] >= 0) held.push_back(label_T[t]), where.push_back(t);
            const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(held.size()), seed, index);
            for (std::size_t i = 0; i < where.size(); ++i) result[where[i]] = held[static_cast<std::size_t>(order[i])];
            return result;
        }
        case Exchange::kSamples:
        case Exchange::kTypes: {
            const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(unit_label_.size()), seed, index);
            for (std::size_t t = 0; t < result.size(); ++t)
                if (unit_T[t] >= 0 && label_T[t] >= 0) result[t] = unit_label_[static_cast<std::size_t>(order[static_cast<std::size_t>(unit_T[t])])];
            return result;
        }
        case Exchange::kMaps: {
            std::vector<std::int32_t> from(unit_map_.size());
            for (std::size_t g = 0; g < groups_.size(); ++g) {
                // Each group has numbers of its own; one group alone, the usual case, has those of the plain exchange.
                const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(groups_[g].size()), seed + g, index);
                for (std::size_t i = 0; i < groups_[g].size(); ++i)
                    from[static_cast<std::size_t>(groups_[g][i])] = groups_[g][static_cast<std::size_t>(order[i])];
            }
            for (std::size_t t = 0; t < result.size(); ++t)
                if (unit_T[t] >= 0)
                    result[t] = unit_map_[static_cast<std::size_t>(from[static_cast<std::size_t>(unit_T[t])])][static_cast<std::size_t>(place_T[t])];
            return result;
        }
        case Exchange::kShift: {
            RandomStream random(seed, RandomPurpose::kPermutation, index);
            std::vector<Grid> step;
            for (const Grid& grid : unit_grid_)
                step.push_back({static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(std::max(1, grid.width)))),
                                static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(std::max(1, grid.height))))});
            for (std::size_t t = 0; t < result.size(); ++t) {
                if (unit_T[t] < 0 || label_T[t] < 0) continue;
                const auto unit = static_cast<std::size_t>(unit_T[t]);
                const Grid& grid = unit_grid_[unit];
                const std::int32_t x = (place_T[t] % grid.width + step[unit].width) % grid.width,
                                   y = (place_T[t] / grid.width + step[unit].height) % grid.height;
                result[t] = y * grid.width + x;
            }
            return result;
        }
    }
    return result;
}

std::int32_t LabelSource::Names::number(const std::string& name) {
    if (name.empty()) return -1;
    const auto [found, fresh] = number_.emplace(name, static_cast<std::int32_t>(names_.size()));
    if (fresh) names_.push_back(name);
    return found->second;
}

Result<LabelSource> LabelSource::open(const store::RunReader& run) {
    auto list = run.sampleList();
    if (!list) return tl::unexpected(list.error());
    LabelSource source;
    source.records_ = std::move(*list);
    for (std::size_t i = 0; i < source.records_.size(); ++i) {
        source.facts_[source.records_[i].hash].record = i;
        const store::SampleRecord& record = source.records_[i];
        for (std::size_t w = 0; w < std::min(record.token_ids.size(), record.token_texts.size()); ++w)
            source.words_.emplace(record.token_ids[w], bare(record.token_texts[w]));
    }
    return source;
}

Status LabelSource::add(const store::RunReader& run, std::span<const std::uint64_t> samples, const JobContext& context) {
    for (const std::uint64_t sample : samples) {
        const auto found = facts_.find(sample);
        if (found == facts_.end() || found->second.read) continue;
        if (context.stopRequested()) return stopped("Reading the samples");
        const store::SampleRecord& plain = records_[found->second.record];
        if (plain.grid_width > 0) {
            auto whole = run.sample(sample);
            if (!whole) return tl::unexpected(whole.error());
            learn(found->second, *whole);
        } else {
            learn(found->second, plain);
        }
    }
    return {};
}

void LabelSource::add(const store::SampleRecord& whole) {
    if (const auto found = facts_.find(whole.hash); found != facts_.end() && !found->second.read) learn(found->second, whole);
}

void LabelSource::learn(Facts& facts, const store::SampleRecord& record) {
    facts.read = true;
    facts.category = names(LabelKind::kCategory).number(record.category);
    facts.subcategory = names(LabelKind::kSubcategory).number(record.subcategory);
    facts.domain = names(LabelKind::kDomain).number(record.domain);
    facts.grid_width = record.grid_width;
    facts.grid_height = record.grid_height;
    facts.blank = blankPatches(record);
    if (!record.truth) return;
    const SceneTruth& truth = *record.truth;
    for (const PatchTruth& patch : patchTruth(truth, record.grid_width, record.grid_height)) {
        static const SceneObject kNothing;
        const SceneObject& object = patch.object >= 0 ? truth.objects[static_cast<std::size_t>(patch.object)] : kNothing;
        facts.shape.push_back(names(LabelKind::kShape).number(object.shape));
        facts.colour.push_back(names(LabelKind::kColour).number(object.colour));
        facts.size.push_back(names(LabelKind::kSize).number(object.size));
        facts.texture.push_back(names(LabelKind::kTexture).number(object.texture));
        facts.object_category.push_back(names(LabelKind::kObjectCategory).number(object.category));
    }
    if (truth.words.empty()) return;
    for (const std::int32_t word : tokenWords(record.caption, record.token_texts, truth.words)) {
        const bool known = word >= 0;
        const WordRole role = known ? truth.words[static_cast<std::size_t>(word)].role : WordRole::kFunction;
        facts.role.push_back(known ? names(LabelKind::kWordRole).number(std::string(toString(role))) : -1);
        facts.part.push_back(known ? names(LabelKind::kPartOfSpeech).number(std::string(partOfSpeech(role))) : -1);
    }
}

const LabelSource::Facts* LabelSource::factsOf(std::uint64_t sample) const {
    const auto found = facts_.find(sample);
    return found == facts_.end() || !found->second.read ? nullptr : &found->second;
}

const std::vector<std::int32_t>* LabelSource::mapOf(const Facts& facts, LabelKind kind) const {
    switch (kind) {
        case LabelKind::kShape: return &facts.shape;
        case LabelKind::kColour: return &facts.colour;
        case LabelKind::kSize: return &facts.size;
        case LabelKind::kTexture: return &facts.texture;
        case LabelKind::kObjectCategory: return &facts.object_category;
        default: return nullptr;
    }
}

TokenLabels LabelSource::labels(const store::RoutingTable& table, LabelKind kind, Modality modality, std::span<const std::uint8_t> include_T) const {
    TokenLabels result;
    result.kind = kind;
    result.modality = modality;
    const auto tokens = static_cast<std::size_t>(table.tokens);
    result.label_T.assign(tokens, -1);
    result.unit_T.assign(tokens, -1);
    result.place_T.assign(tokens, 0);
    const bool of_sample = kind == LabelKind::kCategory || kind == LabelKind::kSubcategory || kind == LabelKind::kDomain;
    const bool of_type = kind == LabelKind::kWordRole || kind == LabelKind::kPartOfSpeech;
    using Exchange = TokenLabels::Exchange;
    result.exchange_ = of_sample                      ? Exchange::kSamples
                       : of_type                      ? Exchange::kTypes
                       : kind == LabelKind::kPosition ? Exchange::kShift
                       : kind == LabelKind::kTokenId  ? Exchange::kTokens
                                                      : Exchange::kMaps;
    result.names = names(kind).all();
    const auto blank_label = static_cast<std::int32_t>(result.names.size());
    if (kind == LabelKind::kCategory) result.names.push_back("(blank patches)");
    if (kind == LabelKind::kBlank) result.names = {"painted", "blank"};
    std::unordered_map<std::uint64_t, std::int32_t> unit_of_sample;
    std::unordered_map<std::int32_t, std::int32_t> number_of_id;
    std::int32_t most_positions = 0;
    for (std::size_t t = 0; t < tokens && t < table.sample_T.size(); ++t) {
        if (!table.modality_T.empty() && table.modality_T[t] != modality) continue;
        if (!include_T.empty() && !include_T[t]) continue;
        if (!table.masked_T.empty() && table.masked_T[t]) {
            ++result.masked_left_out;
            continue;
        }
        const Facts* facts = factsOf(table.sample_T[t]);
        const auto place = table.position_T.empty() ? std::size_t{0} : std::size_t{table.position_T[t]};
        result.place_T[t] = static_cast<std::int32_t>(place);
        const auto sampleUnit = [&](std::int32_t label) {
            const auto [found, fresh] = unit_of_sample.emplace(table.sample_T[t], static_cast<std::int32_t>(unit_of_sample.size()));
            if (fresh) result.unit_label_.push_back(label);
            return std::pair(found->second, fresh);
        };
        if (kind == LabelKind::kTokenId || of_type) {
            const std::int32_t id = t < table.token_id_T.size() ? table.token_id_T[t] : -1;
            std::int32_t label = -1;
            if (id >= 0) {
                const auto [found, fresh] = number_of_id.emplace(id, static_cast<std::int32_t>(number_of_id.size()));
                if (kind == LabelKind::kTokenId) {
                    label = found->second;
                    if (fresh) {
                        const auto word = words_.find(id);
                        result.names.push_back(word == words_.end() ? fmt::format("id {}", id) : word->second);
                    }
                } else if (facts) {
                    const std::vector<std::int32_t>& roles = kind == LabelKind::kWordRole ? facts->role : facts->part;
                    label = place < roles.size() ? roles[place] : -1;
                    result.unit_T[t] = found->second;
                }
            }
            result.label_T[t] = label;
            continue;
        }
        if (!facts) {
            if (kind != LabelKind::kPosition || table.position_T.empty()) continue;
        }
        const bool blank = facts && modality == Modality::kVision && place < facts->blank.size() && facts->blank[place] != 0;
        if (of_sample) {
            const std::int32_t label = kind == LabelKind::kCategory ? facts->category : kind == LabelKind::kSubcategory ? facts->subcategory : facts->domain;
            if (blank) {
                if (kind == LabelKind::kCategory) result.label_T[t] = blank_label, ++result.blank_tokens;
                continue;
            }
            if (label < 0) continue;
            result.label_T[t] = label;
            result.unit_T[t] = sampleUnit(label).first;
        } else if (kind == LabelKind::kPosition) {
            if (table.position_T.empty()) continue;
            result.label_T[t] = static_cast<std::int32_t>(place);
            most_positions = std::max(most_positions, static_cast<std::int32_t>(place) + 1);
            const auto [unit, fresh] = sampleUnit(0);
            result.unit_T[t] = unit;
            if (fresh) result.unit_grid_.push_back({0, 1});
            TokenLabels::Grid& grid = result.unit_grid_[static_cast<std::size_t>(unit)];
            if (modality == Modality::kVision && facts && facts->grid_width > 0 && facts->grid_height > 0) grid = {facts->grid_width, facts->grid_height};
            else grid.width = std::max(grid.width, static_cast<std::int32_t>(place) + 1);
            most_positions = std::max(most_positions, grid.width * grid.height);
        } else {
            // Maps of what lies where: a patch without a label may get one when maps are exchanged, so it belongs to its unit all the same.
            const std::vector<std::int32_t>* map = mapOf(*facts, kind);
            const std::size_t places = map ? map->size() : facts->blank.size();
            if (place >= places) continue;
            const auto [unit, fresh] = sampleUnit(0);
            result.unit_T[t] = unit;
            if (fresh) result.unit_map_.push_back(map ? *map : std::vector<std::int32_t>(facts->blank.begin(), facts->blank.end()));
            const std::int32_t label = result.unit_map_[static_cast<std::size_t>(unit)][place];
            result.label_T[t] = label;
            result.background_left_out += label < 0;
            result.blank_tokens += kind == LabelKind::kBlank && label == 1;
        }
    }
    if (kind == LabelKind::kPosition)
        for (std::int32_t p = 0; p < most_positions; ++p) result.names.push_back(std::to_string(p));
    if (result.exchange_ == Exchange::kMaps) {
        std::map<std::size_t, std::vector<std::int32_t>> by_size;
        for (std::size_t u = 0; u < result.unit_map_.size(); ++u) by_size[result.unit_map_[u].size()].push_back(static_cast<std::int32_t>(u));
        for (auto& [size, units] : by_size) result.groups_.push_back(std::move(units));
    }
    if (of_type) {
        // A word of the vocabulary stands for the role it has most often.
        std::vector<std::map<std::int32_t, std::int64_t>> counts(number_of_id.size());
        for (std::size_t t = 0; t < tokens; ++t)
            if (result.unit_T[t] >= 0 && result.label_T[t] >= 0) ++counts[static_cast<std::size_t>(result.unit_T[t])][result.label_T[t]];
        // Words that never have a role take no part in the exchange.
        std::vector<std::int32_t> renumbered(counts.size(), -1);
        for (std::size_t u = 0; u < counts.size(); ++u) {
            if (counts[u].empty()) continue;
            renumbered[u] = static_cast<std::int32_t>(result.unit_label_.size());
            result.unit_label_.push_back(
                std::max_element(counts[u].begin(), counts[u].end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first);
        }
        for (std::int32_t& unit : result.unit_T)
            if (unit >= 0) unit = renumbered[static_cast<std::size_t>(unit)];
    }
    return result;
}

}  // namespace es::analysis
