// SPDX-License-Identifier: GPL-3.0-or-later
// What is known about a token, as labels: of its picture, of the patch itself, of the word; and how such labels may be dealt anew when chance is asked
// for. A label that belongs to a whole picture is exchanged between pictures, never between patches: patches of one picture are alike.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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

/// Labels of a table's tokens of one modality under one kind.
struct TokenLabels {
    LabelKind kind = LabelKind::kCategory;
    Modality modality = Modality::kVision;
    std::vector<std::string> names;     ///< one a label
    std::vector<std::int32_t> label_T;  ///< -1: left out
    std::int64_t masked_left_out = 0;
    std::int64_t background_left_out = 0;  ///< patches that no object covers half of
    std::int64_t blank_tokens = 0;

    /// The labels dealt anew, draw `index` of `seed`: the same whoever asks. Categories, subcategories, domains and the maps of what lies where are
    /// exchanged between whole pictures (maps only between equal grids); a word's role between words of the vocabulary; positions are shifted
    /// around, a random step a sample; token ids are exchanged between words.
    [[nodiscard]] std::vector<std::int32_t> draw(std::uint64_t seed, std::uint64_t index) const;

private:
    friend class LabelSource;
    enum class Exchange : std::uint8_t { kSamples, kMaps, kTypes, kShift, kTokens };
    Exchange exchange_ = Exchange::kSamples;
    std::vector<std::int32_t> unit_T;  ///< sample or word that the token's label belongs to; -1: the label stays where it is
    std::vector<std::int32_t> place_T;
    std::vector<std::int32_t> unit_label_;             ///< kSamples, kTypes
    std::vector<std::vector<std::int32_t>> unit_map_;  ///< kMaps: by place
    std::vector<std::vector<std::int32_t>> groups_;    ///< kMaps: units of equal grids
    struct Grid {
        std::int32_t width = 0, height = 0;
    };
    std::vector<Grid> unit_grid_;  ///< kShift
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

private:
    struct Facts {
        bool read = false;
        std::size_t record = 0;
        std::int32_t category = -1, subcategory = -1, domain = -1;
        std::int32_t grid_width = 0, grid_height = 0;
        std::vector<std::uint8_t> blank;
        std::vector<std::int32_t> shape, colour, size, texture, object_category;  ///< by patch; -1: none; empty: no truth
        std::vector<std::int32_t> role, part;                                     ///< by word; empty: no truth
    };
    class Names {
    public:
        std::int32_t number(const std::string& name);
        [[nodiscard]] const std::vector<std::string>& all() const { return names_; }

    private:
        std::vector<std::string> names_;
        std::unordered_map<std::string, std::int32_t> number_;
    };
    void learn(Facts& facts, const store::SampleRecord& record);
    [[nodiscard]] const Facts* factsOf(std::uint64_t sample) const;
    [[nodiscard]] const std::vector<std::int32_t>* mapOf(const Facts& facts, LabelKind kind) const;
    [[nodiscard]] Names& names(LabelKind kind) { return names_[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] const Names& names(LabelKind kind) const { return names_[static_cast<std::size_t>(kind)]; }
    std::vector<store::SampleRecord> records_;  ///< without pictures
    std::unordered_map<std::uint64_t, Facts> facts_;
    std::vector<Names> names_ = std::vector<Names>(kLabelKindCount);
    std::unordered_map<std::int32_t, std::string> words_;  ///< text of a token id
};

}  // namespace es::analysis
