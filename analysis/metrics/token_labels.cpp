// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/token_labels.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "analysis/metrics/labels.h"
#include "engine/base/hash.h"
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

/// What an object's labels are, in their order.
constexpr std::array kObjectKinds = {LabelKind::kShape, LabelKind::kColour, LabelKind::kSize, LabelKind::kTexture, LabelKind::kObjectCategory};

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

std::vector<std::pair<std::int32_t, std::int32_t>> TokenLabels::drawSteps(std::uint64_t seed, std::uint64_t index) const {
    RandomStream random(seed, RandomPurpose::kPermutation, index);
    std::int32_t families = 0;
    for (const Shift& unit : shift_of_unit) families = std::max(families, unit.family + 1);
    std::vector<std::pair<double, double>> of_family;
    for (std::int32_t f = 0; f < families; ++f) {
        const double x = random.uniform();
        of_family.emplace_back(x, random.uniform());
    }
    std::vector<std::pair<std::int32_t, std::int32_t>> steps;
    steps.reserve(shift_of_unit.size());
    for (const Shift& unit : shift_of_unit) {
        const auto [x, y] = of_family[static_cast<std::size_t>(unit.family)];
        steps.emplace_back(static_cast<std::int32_t>(x * unit.width), static_cast<std::int32_t>(y * unit.height));
    }
    return steps;
}

std::vector<std::int32_t> TokenLabels::draw(std::uint64_t seed, std::uint64_t index) const {
    std::vector<std::int32_t> result = label_T;
    if (!shift_of_unit.empty()) {
        const auto steps = drawSteps(seed, index);
        for (std::size_t t = 0; t < result.size(); ++t) {
            if (unit_T[t] < 0 || label_T[t] < 0) continue;
            const auto unit = static_cast<std::size_t>(unit_T[t]);
            const Shift& grid = shift_of_unit[unit];
            result[t] = (label_T[t] / grid.width + steps[unit].second) % grid.height * grid.width + (label_T[t] % grid.width + steps[unit].first) % grid.width;
        }
        return result;
    }
    const std::vector<std::int32_t> dealt = exchange.draw(seed, index);
    for (std::size_t t = 0; t < result.size(); ++t)
        if (unit_T[t] >= 0) result[t] = dealt[static_cast<std::size_t>(unit_T[t])];
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
    source.families_ = SampleFamilies(*list);
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
        records_[found->second.record] = {};
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
    facts.caption = record.caption.empty() ? 0 : hash64(record.caption);
    if (!record.truth) return;
    const SceneTruth& truth = *record.truth;
    for (const PatchTruth& patch : patchTruth(truth, record.grid_width, record.grid_height)) facts.object.push_back(static_cast<std::int16_t>(patch.object));
    for (const SceneObject& object : truth.objects) {
        Object& made = facts.objects.emplace_back();
        const std::array<const std::string*, kObjectLabels> values = {&object.shape, &object.colour, &object.size, &object.texture, &object.category};
        for (std::size_t i = 0; i < kObjectLabels; ++i) made.label[i] = names(kObjectKinds[i]).number(*values[i]);
        if (!object.category.empty()) made.thing = things_.number(object.name + "\n" + object.category);
    }
    if (truth.words.empty()) return;
    for (const std::int32_t word : tokenWords(record.caption, record.token_texts, truth.words)) {
        Word& made = facts.words.emplace_back();
        if (word < 0) continue;
        const SceneWord& known = truth.words[static_cast<std::size_t>(word)];
        const std::string role(toString(known.role));
        made.role = names(LabelKind::kWordRole).number(role);
        made.part = names(LabelKind::kPartOfSpeech).number(std::string(partOfSpeech(known.role)));
        std::string text = record.caption.substr(std::min<std::size_t>(known.begin, record.caption.size()), known.end - std::min(known.begin, known.end));
        for (char& c : text)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        made.type = types_.number(text + "\n" + role);
    }
}

const LabelSource::Facts* LabelSource::factsOf(std::uint64_t sample) const {
    const auto found = facts_.find(sample);
    return found == facts_.end() || !found->second.read ? nullptr : &found->second;
}

std::vector<std::int32_t> LabelSource::familyNumbers(std::span<const std::uint64_t> samples, Modality modality, std::int32_t& count) const {
    // Samples that share a scene, or a caption, point at the first that had it.
    std::vector<std::size_t> first(samples.size());
    const auto root = [&](std::size_t i) {
        while (first[i] != i) i = first[i] = first[first[i]];
        return i;
    };
    std::unordered_map<std::uint64_t, std::size_t> by_scene, by_caption;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        first[i] = i;
        const Facts* facts = factsOf(samples[i]);
        const auto join = [&](std::unordered_map<std::uint64_t, std::size_t>& known, std::uint64_t key) {
            const auto [found, fresh] = known.emplace(key, i);
            if (fresh) return;
            const std::size_t a = root(found->second), b = root(i);
            first[std::max(a, b)] = std::min(a, b);
        };
        join(by_scene, families_.of(samples[i]));
        if (modality == Modality::kText && facts && facts->caption != 0) join(by_caption, facts->caption);
    }
    std::vector<std::int32_t> number(samples.size(), -1);
    count = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::size_t head = root(i);
        if (number[head] < 0) number[head] = count++;
        number[i] = number[head];
    }
    return number;
}

/// One pass over a table's tokens: samples are looked up where they change.
class LabelSource::Builder {
public:
    Builder(const LabelSource& source, const store::RoutingTable& table, LabelKind kind, Modality modality, std::span<const std::uint8_t> include_T)
        : source_(source), table_(table), include_T_(include_T) {
        made_.kind = kind;
        made_.modality = modality;
        made_.names = source.names(kind).all();
        const auto tokens = static_cast<std::size_t>(table.tokens);
        made_.label_T.assign(tokens, -1);
        made_.unit_T.assign(tokens, -1);
    }

    TokenLabels make() {
        switch (made_.kind) {
            case LabelKind::kCategory:
            case LabelKind::kSubcategory:
            case LabelKind::kDomain: ofSamples(); break;
            case LabelKind::kPosition: ofPositions(); break;
            case LabelKind::kBlank: ofBlankness(); break;
            case LabelKind::kTokenId: ofIds(); break;
            case LabelKind::kWordRole:
            case LabelKind::kPartOfSpeech: ofWords(); break;
            case LabelKind::kObjectCategory: ofThings(); break;
            default: ofObjects(); break;
        }
        return std::move(made_);
    }

private:
    /// visit(token, number of its sample, what is known of it, place).
    template <class Visit>
    void forEachCounted(Visit&& visit) {
        const Facts* facts = nullptr;
        std::size_t sample = 0;
        std::unordered_map<std::uint64_t, std::size_t> number;
        for (std::size_t t = 0; t < made_.label_T.size() && t < table_.sample_T.size(); ++t) {
            if (!table_.modality_T.empty() && table_.modality_T[t] != made_.modality) continue;
            if (!include_T_.empty() && !include_T_[t]) continue;
            if (!table_.masked_T.empty() && table_.masked_T[t]) {
                ++made_.masked_left_out;
                continue;
            }
            if (samples_.empty() || samples_[sample] != table_.sample_T[t]) {
                const auto [found, fresh] = number.emplace(table_.sample_T[t], samples_.size());
                if (fresh) samples_.push_back(table_.sample_T[t]);
                sample = found->second;
                facts = source_.factsOf(table_.sample_T[t]);
            }
            visit(t, sample, facts, table_.position_T.empty() ? std::size_t{0} : std::size_t{table_.position_T[t]});
        }
    }
    [[nodiscard]] std::vector<std::int32_t> familyOfSample() { return source_.familyNumbers(samples_, made_.modality, families_); }
    void give(std::size_t t, std::int32_t label, std::int32_t unit) {
        made_.label_T[t] = label;
        made_.unit_T[t] = unit;
    }
    /// The unit that a key stands for, with its label; numbered in order of appearance.
    std::int32_t unitOf(std::vector<std::int32_t>& unit_of_key, std::size_t key, std::int32_t label) {
        if (unit_of_key.size() <= key) unit_of_key.resize(key + 1, -1);
        if (unit_of_key[key] < 0) {
            unit_of_key[key] = static_cast<std::int32_t>(unit_label_.size());
            unit_label_.push_back(label);
        }
        return unit_of_key[key];
    }
    /// Units of samples as families of samples. units_of_sample: one list a sample.
    void exchangeFamilies(const std::vector<std::vector<std::int32_t>>& units_of_sample) {
        const std::vector<std::int32_t> family = familyOfSample();
        std::vector<LabelExchange::Family> families(static_cast<std::size_t>(families_));
        for (std::size_t s = 0; s < units_of_sample.size(); ++s) families[static_cast<std::size_t>(family[s])].members.push_back(units_of_sample[s]);
        made_.exchange = LabelExchange::ofFamilies(std::move(unit_label_), std::move(families));
    }
    void exchangeAll() {
        const std::vector<std::int32_t> one(unit_label_.size(), 0);
        made_.exchange = LabelExchange::ofUnits(std::move(unit_label_), one, 1);
    }

    void ofSamples() {
        const auto blank_label = static_cast<std::int32_t>(made_.names.size());
        if (made_.kind == LabelKind::kCategory) made_.names.push_back("(blank patches)");
        std::vector<std::int32_t> unit_of_sample;
        forEachCounted([&](std::size_t t, std::size_t sample, const Facts* facts, std::size_t place) {
            if (!facts) return;
            if (made_.modality == Modality::kVision && place < facts->blank.size() && facts->blank[place] != 0) {
                if (made_.kind == LabelKind::kCategory) made_.label_T[t] = blank_label, ++made_.blank_tokens;
                return;
            }
            const std::int32_t label = made_.kind == LabelKind::kCategory      ? facts->category
                                       : made_.kind == LabelKind::kSubcategory ? facts->subcategory
                                                                               : facts->domain;
            if (label >= 0) give(t, label, unitOf(unit_of_sample, sample, label));
        });
        std::vector<std::vector<std::int32_t>> units(samples_.size());
        for (std::size_t s = 0; s < unit_of_sample.size(); ++s)
            if (unit_of_sample[s] >= 0) units[s].push_back(unit_of_sample[s]);
        exchangeFamilies(units);
    }

    void ofPositions() {
        if (table_.position_T.empty()) return;
        std::int32_t positions = 0;
        forEachCounted([&](std::size_t t, std::size_t sample, const Facts* facts, std::size_t place) {
            give(t, static_cast<std::int32_t>(place), static_cast<std::int32_t>(sample));
            if (made_.shift_of_unit.size() <= sample) made_.shift_of_unit.resize(sample + 1);
            TokenLabels::Shift& grid = made_.shift_of_unit[sample];
            if (made_.modality == Modality::kVision && facts && facts->grid_width > 0 && facts->grid_height > 0) {
                grid.width = facts->grid_width;
                grid.height = facts->grid_height;
            } else {
                grid.width = std::max(grid.width, static_cast<std::int32_t>(place) + 1);
            }
            positions = std::max({positions, static_cast<std::int32_t>(place) + 1, grid.width * grid.height});
        });
        const std::vector<std::int32_t> family = familyOfSample();
        for (std::size_t s = 0; s < made_.shift_of_unit.size(); ++s) made_.shift_of_unit[s].family = family[s];
        for (std::int32_t p = 0; p < positions; ++p) made_.names.push_back(std::to_string(p));
    }

    void ofBlankness() {
        made_.names = {"painted", "blank"};
        std::vector<std::int32_t> unit_of_part;
        forEachCounted([&](std::size_t t, std::size_t sample, const Facts* facts, std::size_t place) {
            if (!facts || place >= facts->blank.size()) return;
            const std::int32_t label = facts->blank[place] != 0 ? 1 : 0;
            give(t, label, unitOf(unit_of_part, 2 * sample + static_cast<std::size_t>(label), label));
            made_.blank_tokens += label;
        });
        // A picture that is all blank, or not at all, has nothing to change places with.
        const std::vector<std::int32_t> family = familyOfSample();
        std::vector<std::int32_t> cluster(unit_label_.size(), -1);
        unit_of_part.resize(2 * samples_.size(), -1);
        for (std::size_t s = 0; s < samples_.size(); ++s)
            if (unit_of_part[2 * s] >= 0 && unit_of_part[2 * s + 1] >= 0)
                for (const std::size_t part : {2 * s, 2 * s + 1}) cluster[static_cast<std::size_t>(unit_of_part[part])] = family[s];
        made_.exchange = LabelExchange::ofFlips(std::move(unit_label_), std::move(cluster), families_);
    }

    void ofObjects() {
        const std::size_t which = static_cast<std::size_t>(std::find(kObjectKinds.begin(), kObjectKinds.end(), made_.kind) - kObjectKinds.begin());
        std::vector<std::vector<std::int32_t>> unit_of_object;  // by sample
        forEachCounted([&](std::size_t t, std::size_t sample, const Facts* facts, std::size_t place) {
            if (!facts || place >= facts->object.size()) return;
            const std::int32_t object = facts->object[place];
            if (object < 0) {
                const auto has = [&](const Object& one) { return one.label[which] >= 0; };
                made_.background_left_out += std::any_of(facts->objects.begin(), facts->objects.end(), has);
                return;
            }
            const std::int32_t label = facts->objects[static_cast<std::size_t>(object)].label[which];
            if (label < 0) return;
            if (unit_of_object.size() <= sample) unit_of_object.resize(sample + 1);
            give(t, label, unitOf(unit_of_object[sample], static_cast<std::size_t>(object), label));
        });
        unit_of_object.resize(samples_.size());
        for (auto& units : unit_of_object) std::erase(units, -1);
        exchangeFamilies(unit_of_object);
    }

    void ofThings() {
        constexpr std::size_t kCategoryOfObject = kObjectLabels - 1;
        std::vector<std::int32_t> unit_of_thing;
        forEachCounted([&](std::size_t t, std::size_t, const Facts* facts, std::size_t place) {
            if (!facts || place >= facts->object.size()) return;
            const std::int32_t object = facts->object[place];
            if (object < 0) {
                const auto has = [](const Object& one) { return one.thing >= 0; };
                made_.background_left_out += std::any_of(facts->objects.begin(), facts->objects.end(), has);
                return;
            }
            const Object& one = facts->objects[static_cast<std::size_t>(object)];
            if (one.thing >= 0) give(t, one.label[kCategoryOfObject], unitOf(unit_of_thing, static_cast<std::size_t>(one.thing), one.label[kCategoryOfObject]));
        });
        exchangeAll();
    }

    void ofWords() {
        std::vector<std::int32_t> unit_of_type;
        forEachCounted([&](std::size_t t, std::size_t, const Facts* facts, std::size_t place) {
            if (!facts || place >= facts->words.size() || facts->words[place].type < 0) return;
            const Word& word = facts->words[place];
            const std::int32_t label = made_.kind == LabelKind::kWordRole ? word.role : word.part;
            give(t, label, unitOf(unit_of_type, static_cast<std::size_t>(word.type), label));
        });
        exchangeAll();
    }

    void ofIds() {
        struct Place {
            std::uint32_t sample, label, token;
        };
        std::vector<Place> places;
        std::unordered_map<std::int32_t, std::int32_t> number_of_id;
        forEachCounted([&](std::size_t t, std::size_t sample, const Facts*, std::size_t) {
            const std::int32_t id = t < table_.token_id_T.size() ? table_.token_id_T[t] : -1;
            if (id < 0) return;
            const auto [found, fresh] = number_of_id.emplace(id, static_cast<std::int32_t>(number_of_id.size()));
            if (fresh) {
                const auto word = source_.words_.find(id);
                made_.names.push_back(word == source_.words_.end() ? fmt::format("id {}", id) : word->second);
            }
            made_.label_T[t] = found->second;
            places.push_back({static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(found->second), static_cast<std::uint32_t>(t)});
        });
        const std::vector<std::int32_t> family = familyOfSample();
        for (Place& place : places) place.sample = static_cast<std::uint32_t>(family[place.sample]);
        std::sort(places.begin(), places.end(),
                  [](const Place& a, const Place& b) { return std::tie(a.sample, a.label, a.token) < std::tie(b.sample, b.label, b.token); });
        // Tokens of one id in one family go together; a stratum holds those of as many tokens, so that no id becomes more or less frequent.
        std::vector<std::int32_t> size;
        for (std::size_t i = 0; i < places.size(); ++i) {
            if (i == 0 || places[i].sample != places[i - 1].sample || places[i].label != places[i - 1].label) {
                unit_label_.push_back(static_cast<std::int32_t>(places[i].label));
                size.push_back(0);
            }
            made_.unit_T[places[i].token] = static_cast<std::int32_t>(size.size()) - 1;
            ++size.back();
        }
        const std::int32_t most = size.empty() ? 0 : *std::max_element(size.begin(), size.end());
        for (std::int32_t& one : size) --one;
        made_.exchange = LabelExchange::ofUnits(std::move(unit_label_), size, most);
    }

    const LabelSource& source_;
    const store::RoutingTable& table_;
    std::span<const std::uint8_t> include_T_;
    TokenLabels made_;
    std::vector<std::uint64_t> samples_;  ///< in order of appearance
    std::vector<std::int32_t> unit_label_;
    std::int32_t families_ = 0;
};

TokenLabels LabelSource::labels(const store::RoutingTable& table, LabelKind kind, Modality modality, std::span<const std::uint8_t> include_T) const {
    return Builder(*this, table, kind, modality, include_T).make();
}

LabelSource::Families LabelSource::families(const store::RoutingTable& table, Modality modality) const {
    Families result;
    result.family_T.assign(static_cast<std::size_t>(table.tokens), -1);
    std::unordered_map<std::uint64_t, std::size_t> number;
    std::vector<std::uint64_t> samples;
    std::size_t sample = 0;
    for (std::size_t t = 0; t < result.family_T.size() && t < table.sample_T.size(); ++t) {
        if (samples.empty() || samples[sample] != table.sample_T[t]) {
            const auto [found, fresh] = number.emplace(table.sample_T[t], samples.size());
            if (fresh) samples.push_back(table.sample_T[t]);
            sample = found->second;
        }
        result.family_T[t] = static_cast<std::int32_t>(sample);
    }
    const std::vector<std::int32_t> family = familyNumbers(samples, modality, result.count);
    for (std::int32_t& one : result.family_T)
        if (one >= 0) one = family[static_cast<std::size_t>(one)];
    return result;
}

}  // namespace es::analysis
