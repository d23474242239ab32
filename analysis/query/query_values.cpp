// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "analysis/figures/nearest.h"
#include "analysis/query/query_content.h"
#include "engine/base/hash.h"

namespace es::analysis {
namespace {

char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool sameText(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return small(x) == small(y); });
}

bool containsText(std::string_view text, std::string_view part) {
    return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char x, char y) { return small(x) == small(y); }) != text.end();
}

/// Joined sets put their name before what each calls its categories: "clipart: animals" is "animals" too.
std::string_view withoutSet(std::string_view name) {
    const std::size_t colon = name.find(": ");
    return colon == std::string_view::npos ? name : name.substr(colon + 2);
}

bool isNamed(QueryField field, std::string_view value, std::string_view text) {
    return sameText(value, text) || (field == QueryField::kCategory && sameText(withoutSet(value), text));
}

std::string attributeOf(const SceneObject& object, const std::string& attribute) {
    if (attribute == "colour") return object.colour;
    if (attribute == "shape") return object.shape;
    if (attribute == "size") return object.size;
    if (attribute == "texture") return object.texture;
    if (attribute == "object") return object.name;
    return object.category;
}

/// Text fields whose values are all known, so that one that is not there is a mistake.
bool valuesAreListed(QueryField field) {
    return field == QueryField::kWord || field == QueryField::kCategory || field == QueryField::kSubcategory || field == QueryField::kDomain ||
           field == QueryField::kDataset || field == QueryField::kTruth;
}

std::string proposal(const std::string& value, const std::vector<std::string>& known) {
    constexpr std::size_t kMostNamed = 12;
    if (known.empty()) return "This run has none at all";
    if (known.size() <= kMostNamed) return knownNames(value, known);
    const std::string near = nearest(value, known);
    const std::string first = fmt::format("{} are known, as '{}'; ~ finds a part of one", known.size(), known.front());
    return near.empty() ? first : fmt::format("Did you mean '{}'? {}", near, first);
}

}  // namespace

std::string lowered(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), &small);
    return result;
}

bool textFits(const std::string& value, const Condition& condition) {
    switch (condition.comparison) {
        case QuerySign::kContains: return containsText(value, condition.text);
        case QuerySign::kNotEqual: return !sameText(value, condition.text);
        default: return sameText(value, condition.text);
    }
}

bool numberFits(double value, const Condition& condition) {
    if (std::isnan(value)) return false;
    switch (condition.comparison) {
        case QuerySign::kLess: return value < condition.number;
        case QuerySign::kLessEqual: return value <= condition.number;
        case QuerySign::kGreater: return value > condition.number;
        case QuerySign::kGreaterEqual: return value >= condition.number;
        case QuerySign::kNotEqual: return value != condition.number;
        default: return value == condition.number;
    }
}

bool QueryWalk::sampleFits(const Condition& condition, const QuerySample& sample) const {
    const store::SampleRecord& record = sample.record;
    switch (condition.field) {
        case QueryField::kCaption: return textFits(record.caption, condition);
        case QueryField::kCategory:
            return condition.comparison == QuerySign::kContains
                       ? textFits(record.category, condition)
                       : isNamed(condition.field, record.category, condition.text) == (condition.comparison != QuerySign::kNotEqual);
        case QueryField::kSubcategory: return textFits(record.subcategory, condition);
        case QueryField::kDomain: return textFits(record.domain, condition);
        case QueryField::kDataset: return textFits(record.dataset, condition);
        case QueryField::kSource: return textFits(record.source, condition);
        case QueryField::kLicense: return textFits(record.license, condition);
        case QueryField::kSplit: return textFits(std::string(toString(record.split)), condition);
        case QueryField::kSample: {
            const std::string hash = hashText(record.hash);
            const bool starts = hash.starts_with(lowered(condition.text));
            return condition.comparison == QuerySign::kContains ? containsText(hash, condition.text) : starts == (condition.comparison == QuerySign::kEqual);
        }
        case QueryField::kLoss:
            return numberFits(condition.detail.empty()
                                  ? sample.loss_sum
                                  : sample.loss[static_cast<std::size_t>(objectiveFromString(condition.detail).value_or(Objective::kImage))],
                              condition);
        case QueryField::kTruth:
            if (!record.truth) return false;
            if (condition.detail == "known") return true;
            return textFits(condition.detail == "holdout" ? record.truth->holdout : record.truth->changed, condition);
        default: return false;
    }
}

bool objectFits(const SceneObject& object, const Condition& condition) {
    const std::string value = attributeOf(object, condition.detail);
    return !value.empty() && textFits(value, condition);
}

Status QueryWalk::check(const QueryNode& node, const Query& query) const {
    if (node.kind == QueryNode::Kind::kCondition) return checkCondition(node.condition, query);
    for (const QueryNode& child : node.children)
        if (auto right = check(child, query); !right) return right;
    return {};
}

Status QueryWalk::checkCondition(const Condition& condition, const Query& query) const {
    const auto wrong = [&](std::string why, std::string remedy) -> Status {
        Error error = QueryProblem{condition.value_begin, condition.value_end, std::move(why), std::move(remedy)}.error(query.text);
        error.kind = ErrorKind::kBadInput;
        return tl::unexpected(std::move(error));
    };
    const QueryVocabulary& known = content_.vocabulary;
    const auto routerKnown = [&](std::int64_t layer, const std::string& branch) {
        const std::vector<std::string>& names = branch.empty() ? known.layers : known.routers;
        const std::string name = branch.empty() ? std::to_string(layer) : fmt::format("{}.{}", layer, branch);
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    const auto noRouter = [&](std::int64_t layer, const std::string& branch) -> Status {
        const std::string name = branch.empty() ? fmt::format("layer {}", layer) : fmt::format("router {}.{}", layer, branch);
        return wrong(fmt::format("this run has no {}", name),
                     known.routers.empty() ? "This model is dense: it has no routers" : knownNames(fmt::format("{}.{}", layer, branch), known.routers));
    };
    if (condition.field == QueryField::kLayer && !routerKnown(static_cast<std::int64_t>(condition.number), condition.text))
        return noRouter(static_cast<std::int64_t>(condition.number), condition.text);
    if (condition.in_layer >= 0 && !routerKnown(condition.in_layer, condition.in_branch)) return noRouter(condition.in_layer, condition.in_branch);
    if (condition.field == QueryField::kExpert || condition.field == QueryField::kFirst) {
        std::int32_t most = 0;
        for (const RouterColumns& columns : content_.routers)
            if (condition.in_layer < 0 ||
                (columns.router.layer.value == condition.in_layer && (condition.in_branch.empty() || condition.in_branch == toString(columns.router.branch))))
                most = std::max(most, columns.router.experts);
        if (known.routers.empty()) return wrong("this model is dense: it has no experts", "Ask about samples, words or masks");
        if (most > 0 && condition.number >= most)
            return wrong(fmt::format("there is no expert {}", condition.number), fmt::format("Experts are 0 to {}", most - 1));
    }
    if (valuesAreListed(condition.field) && condition.comparison != QuerySign::kContains && !condition.text.empty() && !content_.samples.empty()) {
        const std::vector<std::string> values = known.of(condition.field, condition.detail);
        if (std::none_of(values.begin(), values.end(), [&](const std::string& value) { return isNamed(condition.field, value, condition.text); }))
            return wrong(fmt::format("this run has no {}{} '{}'", queryField(condition.field).name, condition.detail.empty() ? "" : " " + condition.detail,
                                     condition.text),
                         proposal(condition.text, values));
    }
    return {};
}

}  // namespace es::analysis
