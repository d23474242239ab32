// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/query.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "engine/base/strong_ids.h"

namespace es::analysis {

const std::vector<QueryFieldInfo>& queryFields() {
    static const std::vector<QueryFieldInfo> kFields = {
        {QueryField::kExpert, "expert", QueryForm::kExpert, "The expert is among those that the token was given to", "expert 5"},
        {QueryField::kFirst, "first", QueryForm::kExpert, "The expert is the token's first choice", "first 5"},
        {QueryField::kLayer, "layer", QueryForm::kRouter, "What routers did is asked of this layer or router alone", "layer 6.v"},
        {QueryField::kWeight, "weight", QueryForm::kNumber, "Combine weight of the first choice", "weight > 0.8"},
        {QueryField::kMargin, "margin", QueryForm::kNumber, "Probability of the last chosen expert minus that of the next one", "margin < 0.1"},
        {QueryField::kEntropy, "entropy", QueryForm::kNumber, "Entropy of the router's distribution, in nats", "entropy > 1.5"},
        {QueryField::kDropped, "dropped", QueryForm::kFlag, "No chosen expert had a slot left", "dropped"},
        {QueryField::kMasked, "masked", QueryForm::kFlag, "The model saw a mask instead of the token", "masked"},
        {QueryField::kModality, "modality", QueryForm::kChoice, "Kind of token: patch or word", "modality patch"},
        {QueryField::kObjective, "objective", QueryForm::kChoice, "The stream that the token belongs to: image, text, pair_image, pair_text …",
         "objective pair_text"},
        {QueryField::kWord, "word", QueryForm::kText, "The token is this word; ~ finds a part of it", "word 'red'"},
        {QueryField::kPosition, "position", QueryForm::kNumber, "Place within the sample, from 0: patches row by row, words in order", "position < 4"},
        {QueryField::kRow, "row", QueryForm::kNumber, "Row of a patch, from 0 at the top", "row = 0"},
        {QueryField::kColumn, "column", QueryForm::kNumber, "Column of a patch, from 0 at the left", "column >= 3"},
        {QueryField::kTruth, "truth", QueryForm::kTruth, "What is really in the patch, or what the word speaks of; known for composed scenes",
         "truth colour red"},
        {QueryField::kLoss, "loss", QueryForm::kLossForm,
         "Loss of the sample in the newest evaluation: the sum over its objectives, or of the one that is named", "loss pair_text > 2"},
        {QueryField::kCaption, "caption", QueryForm::kText, "The sample's caption; ~ finds a part of it", "caption ~ dog"},
        {QueryField::kCategory, "category", QueryForm::kText, "The sample's category", "category animals"},
        {QueryField::kSubcategory, "subcategory", QueryForm::kText, "The sample's subcategory", "subcategory birds"},
        {QueryField::kDomain, "domain", QueryForm::kText, "The sample's domain", "domain photo"},
        {QueryField::kDataset, "dataset", QueryForm::kText, "The data set that the sample comes from", "dataset emoji"},
        {QueryField::kSplit, "split", QueryForm::kChoice, "Part of the data: train, validation or test", "split validation"},
        {QueryField::kSource, "source", QueryForm::kText, "Where the sample's picture comes from", "source ~ openclipart"},
        {QueryField::kLicense, "license", QueryForm::kText, "The picture's licence", "license CC0-1.0"},
        {QueryField::kSample, "sample", QueryForm::kText, "The sample of this hash, or of one that starts so", "sample 3f2a"},
    };
    return kFields;
}

const QueryFieldInfo& queryField(QueryField field) {
    return *std::find_if(queryFields().begin(), queryFields().end(), [field](const QueryFieldInfo& info) { return info.field == field; });
}

const std::vector<std::string>& truthAttributes() {
    static const std::vector<std::string> kAttributes = {"colour", "shape", "size", "texture", "object", "category", "role", "holdout", "changed"};
    return kAttributes;
}

const std::vector<std::string>& truthFlags() {
    static const std::vector<std::string> kFlags = {"background", "mixed", "known"};
    return kFlags;
}

const std::vector<std::string>& queryExamples() {
    static const std::vector<std::string> kExamples = {
        "expert 5 and expert 2, layer 1.v, margin < 0.1",
        "category animals, modality patch, not masked",
        "word 'red', first 3 in 1.t",
        "expert 3 in 0.v and not expert 3 in 1.v",
        "caption ~ dog, loss > 2",
        "truth colour red, not truth mixed",
    };
    return kExamples;
}

bool Condition::asksSame(const Condition& other) const {
    return field == other.field && comparison == other.comparison && text == other.text && number == other.number && detail == other.detail &&
           in_layer == other.in_layer && in_branch == other.in_branch;
}

namespace {

bool asksSamplesOnly(const QueryNode& node) {
    if (node.kind != QueryNode::Kind::kCondition) return std::all_of(node.children.begin(), node.children.end(), &asksSamplesOnly);
    const Condition& condition = node.condition;
    if (condition.field == QueryField::kTruth) return condition.detail == "known" || condition.detail == "holdout" || condition.detail == "changed";
    return condition.field >= QueryField::kLoss;
}

/// A layer alone only says whose tokens are looked at.
bool asksWhatRoutersDid(const QueryNode& node) {
    if (node.kind != QueryNode::Kind::kCondition) return std::any_of(node.children.begin(), node.children.end(), &asksWhatRoutersDid);
    switch (node.condition.field) {
        case QueryField::kExpert:
        case QueryField::kFirst:
        case QueryField::kWeight:
        case QueryField::kMargin:
        case QueryField::kEntropy:
        case QueryField::kDropped: return true;
        default: return false;
    }
}

std::string_view sign(QuerySign comparison) {
    switch (comparison) {
        case QuerySign::kEqual: return "=";
        case QuerySign::kNotEqual: return "!=";
        case QuerySign::kLess: return "<";
        case QuerySign::kLessEqual: return "<=";
        case QuerySign::kGreater: return ">";
        case QuerySign::kGreaterEqual: return ">=";
        case QuerySign::kContains: return "~";
    }
    return "?";
}

std::string routerText(std::int64_t layer, const std::string& branch) { return branch.empty() ? std::to_string(layer) : fmt::format("{}.{}", layer, branch); }

std::string spelled(const Condition& condition) {
    const QueryFieldInfo& info = queryField(condition.field);
    std::string text = info.name;
    switch (info.form) {
        case QueryForm::kFlag: break;
        case QueryForm::kNumber: text += fmt::format(" {} {}", sign(condition.comparison), condition.number); break;
        case QueryForm::kExpert: text += fmt::format(" {}", condition.number); break;
        case QueryForm::kRouter: text += " " + routerText(static_cast<std::int64_t>(condition.number), condition.text); break;
        case QueryForm::kChoice: text += fmt::format(" {} {}", sign(condition.comparison), condition.text); break;
        case QueryForm::kText: text += fmt::format(" {} '{}'", sign(condition.comparison), condition.text); break;
        case QueryForm::kTruth:
            text += " " + condition.detail;
            if (!condition.text.empty()) text += fmt::format(" {} '{}'", sign(condition.comparison), condition.text);
            break;
        case QueryForm::kLossForm:
            text += fmt::format("{}{} {} {}", condition.detail.empty() ? "" : " ", condition.detail, sign(condition.comparison), condition.number);
            break;
    }
    if (condition.in_layer >= 0) text += " in " + routerText(condition.in_layer, condition.in_branch);
    return text;
}

std::string spelled(const QueryNode& node) {
    switch (node.kind) {
        case QueryNode::Kind::kCondition: return spelled(node.condition);
        case QueryNode::Kind::kNot: return "not (" + spelled(node.children.front()) + ")";
        case QueryNode::Kind::kAnd:
        case QueryNode::Kind::kOr: break;
    }
    std::string text;
    for (const QueryNode& child : node.children) text += (text.empty() ? "(" : node.kind == QueryNode::Kind::kAnd ? ") and (" : ") or (") + spelled(child);
    return text.empty() ? text : text + ")";
}

}  // namespace

bool Query::samplesOnly() const { return asksSamplesOnly(root); }
bool Query::asksRouters() const { return asksWhatRoutersDid(root); }
std::string Query::canonical() const { return spelled(root); }

Error QueryProblem::error(std::string_view query) const {
    std::string quoted(query.substr(0, std::min<std::size_t>(query.size(), 400)));
    const std::string place =
        begin >= query.size() ? std::string("at the end") : fmt::format("at character {} ('{}')", begin + 1, query.substr(begin, end - begin));
    return {ErrorKind::kWrongCall, fmt::format("Cannot understand the query \"{}\"", quoted), fmt::format("{}: {}", place, why), remedy, {}};
}

Result<Query> readQuery(std::string_view text) {
    auto query = parseQuery(text);
    if (!query) return tl::unexpected(query.error().error(text));
    return std::move(*query);
}

std::vector<std::string> QueryVocabulary::of(QueryField field, std::string_view detail) const {
    switch (field) {
        case QueryField::kLayer: {
            std::vector<std::string> both = routers;
            both.insert(both.end(), layers.begin(), layers.end());
            return both;
        }
        case QueryField::kModality: return {"patch", "word"};
        case QueryField::kObjective: {
            std::vector<std::string> names;
            for (int i = 0; i < kObjectiveCount; ++i) names.emplace_back(toString(static_cast<Objective>(i)));
            return names;
        }
        case QueryField::kSplit: return {"train", "validation", "test"};
        case QueryField::kWord: return words;
        case QueryField::kCategory: return categories;
        case QueryField::kSubcategory: return subcategories;
        case QueryField::kDomain: return domains;
        case QueryField::kDataset: return datasets;
        case QueryField::kSource: return sources;
        case QueryField::kLicense: return licenses;
        case QueryField::kTruth:
            for (const auto& [attribute, values] : truth)
                if (attribute == detail) return values;
            return {};
        default: return {};
    }
}

}  // namespace es::analysis
