// SPDX-License-Identifier: GPL-3.0-or-later
// The small language in which tokens and samples are asked for: "expert 5 and expert 2, layer 6.v, margin < 0.1, category animals".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace es::analysis {

/// What a condition is about. The first ones ask what a router did with a token, the next what the token is, the last what its sample is.
enum class QueryField : std::uint8_t {
    kExpert,
    kFirst,
    kLayer,
    kWeight,
    kMargin,
    kEntropy,
    kDropped,
    kMasked,
    kModality,
    kObjective,
    kWord,
    kPosition,
    kRow,
    kColumn,
    kTruth,
    kLoss,
    kCaption,
    kCategory,
    kSubcategory,
    kDomain,
    kDataset,
    kSplit,
    kSource,
    kLicense,
    kSample,
};

/// What may follow the name of a field.
enum class QueryForm : std::uint8_t {
    kFlag,     ///< nothing: "masked"
    kNumber,   ///< a comparison with a number: "margin < 0.1"
    kExpert,   ///< a number of an expert: "expert 5"
    kRouter,   ///< a layer or router: "layer 6" "layer 6.v"
    kChoice,   ///< one of a few words: "modality patch"
    kText,     ///< a text, compared whole or in part: "category animals" "caption ~ dog"
    kTruth,    ///< an attribute and a text: "truth colour red", or a flag of its own: "truth background"
    kLossForm  ///< a comparison, with or without an objective before it: "loss > 2" "loss pair_text > 2"
};

struct QueryFieldInfo {
    QueryField field;
    std::string name;
    QueryForm form;
    std::string help;     ///< a sentence
    std::string example;  ///< "margin < 0.1"
};
/// Every field, in the order of help.
[[nodiscard]] const std::vector<QueryFieldInfo>& queryFields();
[[nodiscard]] const QueryFieldInfo& queryField(QueryField field);
/// Attributes of `truth`: those with a value, then the flags.
[[nodiscard]] const std::vector<std::string>& truthAttributes();
[[nodiscard]] const std::vector<std::string>& truthFlags();
/// Whole queries that show what can be asked.
[[nodiscard]] const std::vector<std::string>& queryExamples();

enum class QuerySign : std::uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kContains };

/// One condition as it was written. Bytes [begin, end) of the query are its own.
struct Condition {
    QueryField field = QueryField::kExpert;
    QuerySign comparison = QuerySign::kEqual;
    std::string text;    ///< value of text fields and choices; of kLayer the branch ("v"), empty: any
    double number = 0;   ///< value of numeric fields; of kExpert and kFirst the expert; of kLayer the layer
    std::string detail;  ///< attribute of kTruth, objective of kLoss
    std::int32_t in_layer = -1;
    std::string in_branch;  ///< "expert 5 in 6.v": the router that the condition speaks of instead of the one at hand; empty: any of the layer
    std::size_t begin = 0, end = 0, value_begin = 0, value_end = 0;
    /// Same question, wherever it stands.
    [[nodiscard]] bool asksSame(const Condition& other) const;
};

struct QueryNode {
    enum class Kind : std::uint8_t { kAnd, kOr, kNot, kCondition };
    Kind kind = Kind::kAnd;
    std::vector<QueryNode> children;
    Condition condition;  ///< of kCondition
};

/// A parsed query. An empty text asks for everything.
struct Query {
    std::string text;
    QueryNode root;
    [[nodiscard]] bool empty() const { return root.kind != QueryNode::Kind::kCondition && root.children.empty(); }
    /// Only samples are asked about: it can be answered for samples that no probe holds.
    [[nodiscard]] bool samplesOnly() const;
    /// Some condition asks what routers did (experts, weights, margins, entropies, drops): tokens chosen so say nothing about routing by chance.
    [[nodiscard]] bool asksRouters() const;
    /// The same question in one spelling: the key of kept answers.
    [[nodiscard]] std::string canonical() const;
};

/// What is wrong, where (bytes of the text), and what could be meant.
struct QueryProblem {
    std::size_t begin = 0, end = 0;
    std::string why, remedy;
    /// As an error of a wrong call, which quotes the place.
    [[nodiscard]] Error error(std::string_view query) const;
};

/// Grammar: conditions joined by "and", "or" and "," (which binds last), "not" before one, parentheses. Texts with blanks stand in quotes.
[[nodiscard]] tl::expected<Query, QueryProblem> parseQuery(std::string_view text);
/// parseQuery() with the problem as an error.
[[nodiscard]] Result<Query> readQuery(std::string_view text);

/// Whether a search text is meant as a query (it starts with the name of a field, "not" or a parenthesis) rather than as words of a caption.
/// A text in quotes is always words.
[[nodiscard]] bool looksLikeQuery(std::string_view text);

/// The values that a run knows, for completion and for proposals.
struct QueryVocabulary {
    std::vector<std::string> routers, layers;  ///< "6.v", "6"
    std::vector<std::string> categories, subcategories, domains, datasets, words, sources, licenses;
    std::vector<std::pair<std::string, std::vector<std::string>>> truth;  ///< attribute and its values
    [[nodiscard]] std::vector<std::string> of(QueryField field, std::string_view detail = {}) const;
};

/// What could stand at the end of an unfinished query.
struct QueryCompletion {
    std::size_t begin = 0;                ///< the candidates replace the text from here on
    std::vector<std::string> candidates;  ///< names first, then values; at most 40
};
[[nodiscard]] QueryCompletion completeQuery(std::string_view text, const QueryVocabulary& vocabulary);

}  // namespace es::analysis
