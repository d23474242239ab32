// SPDX-License-Identifier: GPL-3.0-or-later
// What is known about a token, as labels: of its picture, of the patch itself, of the word; and how such labels may be dealt anew when chance is asked
// for. What a label belongs to (a picture, an object, a word) is exchanged, never single patches: patches of one object are alike.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/metrics/label_exchange.h"
#include "analysis/metrics/sample_families.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

enum class LabelKind : std::uint8_t {
    kCategory,     ///< of the sample a patch belongs to; blank patches are a label of their own
    kTokenId,      ///< vocabulary id of the word
    kSubcategory,  ///< of the sample; blank patches left out
    kDomain,       ///< of the sample, for patches (blank ones left out) and words
    kPosition,     ///< patch of the grid, or place in the caption
    kBlank,        ///< blank patch or not
    kShape,        ///< of the object that covers at least half of the patch, as kColour, kSize, kTexture; background and mixed patches left out
    kColour,
    kSize,
    kTexture,
    kObjectCategory,  ///< of that object, where it is a pasted picture
    kWordRole,        ///< what the word does in a composed caption: shape, colour, relation ...
    kPartOfSpeech,    ///< from the role: noun, adjective, numeral, preposition, function word
};
inline constexpr int kLabelKindCount = 13;
[[nodiscard]] std::string_view toString(LabelKind kind);  ///< "category" "token_id" "subcategory" ... "part_of_speech"
[[nodiscard]] std::optional<LabelKind> labelKindFromString(std::string_view text);
[[nodiscard]] std::string_view labelTitle(LabelKind kind);  ///< for people: "token id", "part of speech"
/// The kinds that tokens of a modality can have, in the order in which they are shown.
[[nodiscard]] std::span<const LabelKind> labelKindsOf(Modality modality);
/// "noun" of shape and object, "adjective" of colour, size and texture, "numeral", "preposition" of relation, "negation", "function word".
[[nodiscard]] std::string_view partOfSpeech(WordRole role);

/// Labels of a table's tokens of one modality under one kind, and how they can be dealt anew. A unit is what a label belongs to:
/// - category, subcategory, domain: the picture. Exchanged between samples, families of samples as wholes;
/// - shape, colour, size, texture: the object. Pictures keep their objects and give what is true of them to another picture with as many;
/// - object category: the thing that was pasted, by name, wherever it occurs. Exchanged between names;
/// - word role, part of speech: the word of the vocabulary in that role, with all its pieces. Exchanged between words;
/// - token id: the tokens of one id in a caption (or family). Exchanged between those of as many tokens;
/// - blank: the blank and the painted part of a picture, which change places or do not;
/// - position: shifted around, a random step a family.
/// A family is a scene with its minimal pair or its probe series, and for words captions that are equal.
struct TokenLabels {
    LabelKind kind = LabelKind::kCategory;
    Modality modality = Modality::kVision;
    std::vector<std::string> names;     ///< one a label
    std::vector<std::int32_t> label_T;  ///< -1: left out
    std::vector<std::int32_t> unit_T;   ///< what the token's label belongs to; -1: the label stays where it is. Of positions: the sample
    LabelExchange exchange;             ///< of the units; nothing for positions
    /// Positions: steps of 0 .. width - 1 and 0 .. height - 1, one draw a family.
    struct Shift {
        std::int32_t width = 0, height = 1, family = 0;
    };
    std::vector<Shift> shift_of_unit;
    std::int64_t masked_left_out = 0;
    std::int64_t background_left_out = 0;  ///< patches that no object covers half of, in pictures whose objects have such labels
    std::int64_t blank_tokens = 0;

    /// The labels dealt anew, draw `index` of `seed`: the same whoever asks.
    [[nodiscard]] std::vector<std::int32_t> draw(std::uint64_t seed, std::uint64_t index) const;
    /// Positions: how far each unit is shifted in a draw, as (x, y).
    [[nodiscard]] std::vector<std::pair<std::int32_t, std::int32_t>> drawSteps(std::uint64_t seed, std::uint64_t index) const;
};

/// What is known of a run's samples. Read once, used for every router. Not shared between threads while it grows.
class LabelSource {
public:
    [[nodiscard]] static Result<LabelSource> open(const store::RunReader& run);
    /// Reads the samples (with their pictures) that are not known yet. Samples that the run does not hold are passed over.
    [[nodiscard]] Status add(const store::RunReader& run, std::span<const std::uint64_t> samples, const JobContext& context = {});
    /// A sample that somebody read already, with its picture.
    void add(const store::SampleRecord& whole);
    /// `include_T`: tokens that are looked at; empty: all. Masked ones are left out.
    [[nodiscard]] TokenLabels labels(const store::RoutingTable& table, LabelKind kind, Modality modality, std::span<const std::uint8_t> include_T = {}) const;

    /// Families of a table's samples, numbered in order of appearance: what intervals count once.
    struct Families {
        std::vector<std::int32_t> family_T;
        std::int32_t count = 0;
    };
    [[nodiscard]] Families families(const store::RoutingTable& table, Modality modality) const;

private:
    static constexpr std::size_t kObjectLabels = 5;  ///< shape, colour, size, texture, category
    struct Object {
        std::array<std::int32_t, kObjectLabels> label{};  ///< -1: it has none
        std::int32_t thing = -1;                          ///< its name and category
    };
    struct Word {
        std::int32_t role = -1, part = -1, type = -1;  ///< type: the whole word in its role
    };
    struct Facts {
        bool read = false;
        std::size_t record = 0;
        std::int32_t category = -1, subcategory = -1, domain = -1;
        std::int32_t grid_width = 0, grid_height = 0;
        std::uint64_t caption = 0;  ///< hash; 0: none
        std::vector<std::uint8_t> blank;
        std::vector<std::int16_t> object;  ///< by patch, into objects; -1: none; empty: no truth
        std::vector<Object> objects;
        std::vector<Word> words;  ///< by token; empty: no truth
    };
    class Names {
    public:
        std::int32_t number(const std::string& name);
        [[nodiscard]] const std::vector<std::string>& all() const { return names_; }

    private:
        std::vector<std::string> names_;
        std::unordered_map<std::string, std::int32_t> number_;
    };
    class Builder;
    void learn(Facts& facts, const store::SampleRecord& record);
    [[nodiscard]] const Facts* factsOf(std::uint64_t sample) const;
    [[nodiscard]] Names& names(LabelKind kind) { return names_[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] const Names& names(LabelKind kind) const { return names_[static_cast<std::size_t>(kind)]; }
    /// Family numbers of samples, in their order.
    [[nodiscard]] std::vector<std::int32_t> familyNumbers(std::span<const std::uint64_t> samples, Modality modality, std::int32_t& count) const;
    SampleFamilies families_;
    std::vector<store::SampleRecord> records_;  ///< without pictures, until they are read
    std::unordered_map<std::uint64_t, Facts> facts_;
    std::vector<Names> names_ = std::vector<Names>(kLabelKindCount);
    Names things_, types_;
    std::unordered_map<std::int32_t, std::string> words_;  ///< text of a token id
};

}  // namespace es::analysis
