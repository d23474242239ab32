// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/reference/operation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/reference/operation_forms.h"

namespace es::reference {
namespace {

constexpr double kLargestSize = 65535, kLargestWhole = 1e9, kNoLimit = std::numeric_limits<double>::infinity();

template <class Row>
const Row* named(const std::vector<Row>& rows, std::string_view wanted) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == wanted; });
    return found == rows.end() ? nullptr : &*found;
}

std::string rangeOf(const Parameter& p) {
    const std::string top = p.at_most ? std::string(1, p.at_most) : std::isinf(p.most) || p.most == kLargestWhole ? "" : fmt::format("{:g}", p.most);
    if (std::isinf(p.least)) return top.empty() ? "" : ", at most " + top;
    const std::string bottom = fmt::format("{:g}", p.least);
    if (top.empty()) return (p.above_least ? ", above " : ", at least ") + bottom;
    return ", " + bottom + " .. " + top + (p.above_least ? ", " + bottom + " excluded" : "");
}

}  // namespace

const Parameter* Operation::parameter(std::string_view wanted) const { return named(parameters, wanted); }
const TensorForm* Operation::input(std::string_view wanted) const { return named(inputs, wanted); }
const TensorForm* Operation::output(std::string_view wanted) const { return named(outputs, wanted); }

bool Operation::differentiates(std::string_view wanted) const {
    const TensorForm* form = input(wanted);
    return gradients != Gradients::kNone && form && form->element == Element::kReal && !wanted.starts_with("seed_");
}

const std::vector<Operation>& operations() {
    static const std::vector<Operation> kTable = [] {
        std::vector<Operation> table;
        forms::addRouters(table);
        forms::addLosses(table);
        forms::addLayers(table);
        forms::addMetrics(table);
        return table;
    }();
    return kTable;
}

const Operation* findOperation(std::string_view name) { return named(operations(), name); }

std::string describe(const Parameter& p) {
    switch (p.kind) {
        case ParameterKind::kInteger: return p.name + ": whole number" + rangeOf(p);
        case ParameterKind::kReal: return p.name + ": number" + rangeOf(p);
        case ParameterKind::kFlag: return p.name + ": true or false";
        case ParameterKind::kIntegers: return p.name + ": list of whole numbers" + rangeOf(p);
        case ParameterKind::kWord: break;
    }
    return fmt::format("{}: \"{}\"", p.name, fmt::join(p.words, "\" or \""));
}

std::string describe(const TensorForm& form) {
    if (form.letters.empty()) return "a scalar";
    std::string text = "[";
    for (const char letter : form.letters) text += (text.size() > 1 ? ", " : "") + std::string(1, letter);
    return text + "]";
}

namespace forms {

std::string lettersOf(std::string_view name) {
    const auto at = name.rfind('_');
    if (at == std::string_view::npos || at + 1 == name.size()) return {};
    const std::string_view tail = name.substr(at + 1);
    return std::all_of(tail.begin(), tail.end(), [](char c) { return c >= 'A' && c <= 'Z'; }) ? std::string(tail) : std::string();
}

TensorForm real(const std::string& name) { return {name, lettersOf(name), Element::kReal}; }
TensorForm optionalReal(const std::string& name) { return {name, lettersOf(name), Element::kReal, 0, true}; }
TensorForm index(const std::string& name, char below) { return {name, lettersOf(name), Element::kIndex, below}; }
TensorForm indexOf(const std::string& name, const std::string& letters, char below) { return {name, letters, Element::kIndex, below}; }
TensorForm id(const std::string& name) { return {name, lettersOf(name), Element::kId}; }
TensorForm count(const std::string& name) { return {name, lettersOf(name), Element::kCount}; }
TensorForm integer(const std::string& name) { return {name, lettersOf(name), Element::kInteger}; }
TensorForm byte(const std::string& name) { return {name, lettersOf(name), Element::kByte}; }

Parameter choices() { return whole("k", 1, 'E', 'K'); }
Parameter sizeOf(const std::string& name, char letter) {
    Parameter p = whole(name, 1, 0, letter);
    p.most = kLargestSize;
    return p;
}
Parameter whole(const std::string& name, double least, char at_most, char size) {
    return {.name = name, .kind = ParameterKind::kInteger, .least = least, .most = kLargestWhole, .size = size, .at_most = at_most, .words = {}};
}
Parameter number(const std::string& name, double least, double most) {
    return {.name = name, .kind = ParameterKind::kReal, .least = least, .most = most, .words = {}};
}
Parameter positive(const std::string& name) {
    return {.name = name, .kind = ParameterKind::kReal, .least = 0, .most = kNoLimit, .above_least = true, .words = {}};
}
Parameter anyNumber(const std::string& name) { return {.name = name, .kind = ParameterKind::kReal, .words = {}}; }
Parameter flag(const std::string& name) { return {.name = name, .kind = ParameterKind::kFlag, .words = {}}; }
Parameter word(const std::string& name, std::vector<std::string> words) { return {.name = name, .kind = ParameterKind::kWord, .words = std::move(words)}; }

}  // namespace forms
}  // namespace es::reference
