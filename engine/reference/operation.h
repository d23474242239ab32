// SPDX-License-Identifier: GPL-3.0-or-later
// The named operations that `expertscope doctor --reference` knows: what each takes and gives. From this table alone a case is checked.
//
// Sizes are letters: T tokens, E experts, K choices, D width, H hidden width, C capacity, S slots, steps or places of a series, B samples,
// L labels, M modalities or values of a second group, N values, I pictures. A letter has one value in a case; a name ends with its letters.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/safetensors_file.h"

namespace es::reference {

struct Call;

enum class ParameterKind : std::uint8_t { kInteger, kReal, kFlag, kWord, kIntegers };
using ParameterValue = std::variant<std::int64_t, double, bool, std::string, std::vector<std::int64_t>>;

struct Parameter {
    std::string name;
    ParameterKind kind = ParameterKind::kInteger;
    double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();  ///< of numbers, both allowed
    bool above_least = false;                                                                                 ///< `least` itself is not allowed
    char size = 0;                                ///< the letter that it (of a list: its length) is the value of
    char at_most = 0;                             ///< the letter that it may not exceed
    std::vector<std::string> words;               ///< what a word may be
    std::optional<ParameterValue> fallback = {};  ///< taken when the case leaves it out; without one it must be there
};

/// What the numbers of a tensor may be.
enum class Element : std::uint8_t {
    kReal,     ///< finite
    kIndex,    ///< -1 (none) or below the size of `below`
    kId,       ///< -1 (leaves the token out) or more
    kCount,    ///< 0 or more
    kInteger,  ///< any
    kByte,     ///< uint8 or bool
};

struct TensorForm {
    std::string name, letters;  ///< "logits_TE", "TE"; no letters: a scalar
    Element element = Element::kReal;
    char below = 0;
    bool optional = false;
};

enum class Home : std::uint8_t { kEngine, kAnalysis };
enum class Gradients : std::uint8_t {
    kNone,
    kLoss,  ///< of the output `loss`
    kSeed,  ///< of the sum of y times in.seed_...
};

struct Operation {
    std::string name;
    Home home = Home::kEngine;
    std::vector<Parameter> parameters;
    std::vector<TensorForm> inputs, outputs;
    Gradients gradients = Gradients::kNone;
    std::string (*check)(const Call&) = nullptr;  ///< what the forms cannot say: why the case is bad, empty when it is not

    [[nodiscard]] const Parameter* parameter(std::string_view wanted) const;
    [[nodiscard]] const TensorForm* input(std::string_view wanted) const;
    [[nodiscard]] const TensorForm* output(std::string_view wanted) const;
    /// Whether d / d in.NAME exists.
    [[nodiscard]] bool differentiates(std::string_view wanted) const;
};

/// What a runner gets: a case that was found sound. Names are without `in.`.
struct Call {
    const Operation* operation = nullptr;
    std::map<std::string, ParameterValue> parameters;  ///< every parameter of the operation
    std::map<char, std::int64_t> sizes;
    NamedArrays inputs;
    bool gradients = false;  ///< asked for, and possible

    [[nodiscard]] std::int64_t integer(const std::string& name) const { return std::get<std::int64_t>(parameters.at(name)); }
    [[nodiscard]] double real(const std::string& name) const { return std::get<double>(parameters.at(name)); }
    [[nodiscard]] bool flag(const std::string& name) const { return std::get<bool>(parameters.at(name)); }
    [[nodiscard]] const std::string& word(const std::string& name) const { return std::get<std::string>(parameters.at(name)); }
    [[nodiscard]] const std::vector<std::int64_t>& integers(const std::string& name) const { return std::get<std::vector<std::int64_t>>(parameters.at(name)); }
    [[nodiscard]] std::int64_t size(char letter) const { return sizes.at(letter); }
    [[nodiscard]] bool has(const std::string& name) const { return inputs.count(name) > 0; }
};

/// All operations, by family, then as the contract lists them.
[[nodiscard]] const std::vector<Operation>& operations();
[[nodiscard]] const Operation* findOperation(std::string_view name);

/// "k: whole number, 1 .. E", for lists and errors.
[[nodiscard]] std::string describe(const Parameter& parameter);
/// "[T, E]", "a scalar".
[[nodiscard]] std::string describe(const TensorForm& form);

}  // namespace es::reference
