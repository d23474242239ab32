// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a case can be computed at all, and if not, why.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/reference/reference_case.h"

namespace es::reference {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kLargestOutput = std::int64_t{1} << 26;
constexpr double kWholeLimit = 9e15;  // every whole number below is a double

/// A reason why the case is bad, empty when nothing is wrong so far.
using Problem = std::string;

class Checker {
public:
    explicit Checker(const Case& test) : test_(test), operation_(*findOperation(test.op)) { call_.operation = &operation_; }

    Problem check() {
        for (const auto step : {&Checker::parameters, &Checker::names, &Checker::shapes, &Checker::emptiness, &Checker::values, &Checker::limits,
                                &Checker::outputs, &Checker::gradients})
            if (Problem problem = (this->*step)(); !problem.empty()) return problem;
        return {};
    }
    [[nodiscard]] Call take() {
        for (const auto& [name, array] : test_.inputs) call_.inputs[name] = array;
        return std::move(call_);
    }

private:
    static bool inRange(const Parameter& p, double value) { return value >= p.least && value <= p.most && !(p.above_least && value == p.least); }

    static std::optional<std::int64_t> wholeNumber(const Json& json) {
        if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(kWholeLimit)) return std::nullopt;
        if (json.is_number_integer()) return json.get<std::int64_t>();
        if (!json.is_number_float() || std::abs(json.get<double>()) > kWholeLimit || json.get<double>() != std::floor(json.get<double>())) return std::nullopt;
        return static_cast<std::int64_t>(json.get<double>());
    }

    static std::optional<ParameterValue> valueOf(const Parameter& p, const Json& json) {
        switch (p.kind) {
            case ParameterKind::kInteger: {
                const auto value = wholeNumber(json);
                if (!value || !inRange(p, static_cast<double>(*value))) return std::nullopt;
                return *value;
            }
            case ParameterKind::kReal:
                if (!json.is_number() || !std::isfinite(json.get<double>()) || !inRange(p, json.get<double>())) return std::nullopt;
                return json.get<double>();
            case ParameterKind::kFlag:
                if (!json.is_boolean()) return std::nullopt;
                return json.get<bool>();
            case ParameterKind::kWord:
                if (!json.is_string() || std::find(p.words.begin(), p.words.end(), json.get<std::string>()) == p.words.end()) return std::nullopt;
                return json.get<std::string>();
            case ParameterKind::kIntegers: {
                std::vector<std::int64_t> list;
                if (!json.is_array() || json.empty()) return std::nullopt;
                for (const Json& item : json) {
                    const auto value = wholeNumber(item);
                    if (!value || !inRange(p, static_cast<double>(*value))) return std::nullopt;
                    list.push_back(*value);
                }
                return list;
            }
        }
        return std::nullopt;
    }

    /// Short, and never deeper than the list it may be.
    static std::string shown(const Json& json) {
        const bool list = json.is_array() && json.size() <= 16 && std::all_of(json.begin(), json.end(), [](const Json& item) { return item.is_primitive(); });
        return json.is_primitive() || list ? json.dump(-1, ' ', false, Json::error_handler_t::replace) : std::string("an ") + json.type_name();
    }

    Problem parameters() {
        const Json json = Json::parse(test_.params, nullptr, /*allow_exceptions=*/false);
        if (!json.is_object()) return "params are not a JSON object: '" + test_.params + "'";
        for (const auto& [name, value] : json.items())
            if (!operation_.parameter(name)) return fmt::format("unknown parameter '{}'", name);
        for (const Parameter& p : operation_.parameters) {
            if (!json.contains(p.name)) {
                if (!p.fallback) return fmt::format("parameter '{}' is missing", p.name);
                call_.parameters[p.name] = *p.fallback;
                continue;
            }
            const auto value = valueOf(p, json.at(p.name));
            if (!value) return fmt::format("parameter {} is {}, which is not allowed ({})", p.name, shown(json.at(p.name)), describe(p));
            call_.parameters[p.name] = *value;
            if (!p.size) continue;
            call_.sizes[p.size] = p.kind == ParameterKind::kIntegers ? static_cast<std::int64_t>(std::get<std::vector<std::int64_t>>(*value).size())
                                                                     : std::get<std::int64_t>(*value);
            origin_[p.size] = "parameter " + p.name;
        }
        return {};
    }

    Problem names() {
        for (const auto& [name, array] : test_.inputs)
            if (!operation_.input(name)) return fmt::format("unknown input in.{}", name);
        for (const auto& [name, array] : test_.outputs)
            if (!operation_.output(name)) return fmt::format("unknown output out.{}", name);
        for (const auto& [name, array] : test_.gradients)
            if (!operation_.differentiates(name)) return fmt::format("unknown gradient grad.{}", name);
        for (const TensorForm& form : operation_.inputs)
            if (!form.optional && !test_.inputs.count(form.name)) return fmt::format("in.{} is missing", form.name);
        return {};
    }

    static Problem type(const std::string& name, const TensorForm& form, const NumberArray& array) {
        const bool whole = array.type == ElementType::kI64 || array.type == ElementType::kI32,
                   byte = array.type == ElementType::kU8 || array.type == ElementType::kBool;
        const bool good = form.element == Element::kReal ? isReal(array.type) : form.element == Element::kByte ? byte : whole;
        const char* wanted = form.element == Element::kReal ? "F32" : form.element == Element::kByte ? "U8" : "I64";
        return good ? Problem() : fmt::format("{} is of type {}, expected {}", name, nameOf(array.type), wanted);
    }

    /// Compares the shape with the form and learns the letters that are new.
    Problem shape(const std::string& name, const TensorForm& form, const NumberArray& array) {
        if (array.shape.size() != form.letters.size()) return fmt::format("{} has shape {}, expected {}", name, shapeText(array.shape), describe(form));
        for (std::size_t i = 0; i < array.shape.size(); ++i) {
            const char letter = form.letters[i];
            const auto [known, fresh] = call_.sizes.emplace(letter, array.shape[i]);
            if (fresh) origin_[letter] = name;
            else if (known->second != array.shape[i])
                return fmt::format("{} has shape {}, expected {} with {} = {} (by {})", name, shapeText(array.shape), describe(form), letter, known->second,
                                   origin_[letter]);
        }
        return {};
    }

    Problem shapes() {
        for (const TensorForm& form : operation_.inputs) {
            const auto found = test_.inputs.find(form.name);
            if (found == test_.inputs.end()) continue;
            if (Problem problem = type("in." + form.name, form, found->second); !problem.empty()) return problem;
            if (Problem problem = shape("in." + form.name, form, found->second); !problem.empty()) return problem;
        }
        return {};
    }

    Problem emptiness() {
        for (const auto& [letter, size] : call_.sizes)
            if (size == 0)
                return fmt::format("{} = 0 by {}: {}", letter, origin_[letter], letter == 'T' ? "there are no tokens" : "there is nothing to compute");
        return {};
    }

    Problem values() {
        for (const TensorForm& form : operation_.inputs) {
            const auto found = test_.inputs.find(form.name);
            if (found == test_.inputs.end()) continue;
            const NumberArray& array = found->second;
            if (!std::all_of(array.reals.begin(), array.reals.end(), [](double x) { return std::isfinite(x); }))
                return fmt::format("in.{} is not finite", form.name);
            if (form.element != Element::kIndex && form.element != Element::kId && form.element != Element::kCount) continue;
            const std::int64_t least = form.element == Element::kCount ? 0 : -1;
            const std::int64_t end = form.below ? call_.sizes.at(form.below) : std::numeric_limits<std::int64_t>::max();
            for (const std::int64_t value : array.integers) {
                if (value < least) return fmt::format("in.{} holds {}, the least allowed is {}", form.name, value, least);
                if (value >= end) return fmt::format("in.{} holds {}, but {} = {}", form.name, value, form.below, end);
            }
            if (form.below && form.letters.size() == 2 && array.shape[1] > end)
                return fmt::format("in.{} holds k = {} choices a token, but {} = {}", form.name, array.shape[1], form.below, end);
        }
        return {};
    }

    Problem limits() {
        for (const Parameter& p : operation_.parameters)
            if (p.at_most && call_.integer(p.name) > call_.sizes.at(p.at_most))
                return fmt::format("parameter {} = {} is more than {} = {} (by {})", p.name, call_.integer(p.name), p.at_most, call_.sizes.at(p.at_most),
                                   origin_[p.at_most]);
        for (const TensorForm& form : operation_.outputs) {
            double size = 1;
            for (const char letter : form.letters) size *= static_cast<double>(call_.sizes.count(letter) ? call_.sizes.at(letter) : 1);
            if (size > static_cast<double>(kLargestOutput))
                return fmt::format("out.{} would hold {:.3g} numbers, at most {} are computed", form.name, size, kLargestOutput);
        }
        if (!operation_.check) return {};
        call_.inputs = test_.inputs;
        return operation_.check(call_);
    }

    Problem outputs() {
        if (test_.outputs.empty() && test_.gradients.empty()) return "it holds no out. and no grad. tensor: there is nothing to compare";
        for (const auto& [name, array] : test_.outputs) {
            const TensorForm& form = *operation_.output(name);
            if (Problem problem = type("out." + name, form, array); !problem.empty()) return problem;
            if (Problem problem = shape("out." + name, form, array); !problem.empty()) return problem;
        }
        return {};
    }

    Problem gradients() {
        const auto seed =
            std::find_if(operation_.inputs.begin(), operation_.inputs.end(), [](const TensorForm& form) { return form.name.starts_with("seed_"); });
        const bool possible = operation_.gradients == Gradients::kLoss ||
                              (operation_.gradients == Gradients::kSeed && seed != operation_.inputs.end() && test_.inputs.count(seed->name));
        for (const auto& [name, array] : test_.gradients) {
            if (!possible) return fmt::format("grad.{} needs in.{}", name, seed == operation_.inputs.end() ? "seed" : seed->name);
            if (!test_.inputs.count(name)) return fmt::format("grad.{} has no in.{}", name, name);
            const TensorForm& form = *operation_.input(name);
            if (Problem problem = type("grad." + name, form, array); !problem.empty()) return problem;
            if (Problem problem = shape("grad." + name, form, array); !problem.empty()) return problem;
        }
        call_.gradients = possible;
        return {};
    }

    const Case& test_;
    const Operation& operation_;
    Call call_;
    std::map<char, std::string> origin_;  ///< what gave a letter its value
};

}  // namespace

Result<Call> checkCase(const Case& test) {
    if (!findOperation(test.op)) return badCase("unknown operation '" + test.op + "'");
    Checker checker(test);
    if (std::string problem = checker.check(); !problem.empty()) return badCase(std::move(problem));
    return checker.take();
}

}  // namespace es::reference
